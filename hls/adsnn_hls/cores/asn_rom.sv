// Constant memory, two clocks from address to data. A deep one is cut into slices with a file each, so that every slice
// is a block RAM of its own in its narrow and deep shape (18 kbit): no multiplexer stands behind the slow memory.
`default_nettype none
module asn_rom #(
  parameter int WIDTH = 32,
  parameter int DEPTH = 64,
  parameter     FILE  = "rom", // FILE.mem, or FILE_000.mem ... : hexadecimal words, one a line; slice 0 lowest
  localparam int A_W  = (DEPTH > 1) ? $clog2(DEPTH) : 1
) (
  input  wire              clk,
  input  wire  [A_W-1:0]   address,
  output logic [WIDTH-1:0] data
);
  localparam int SLICE  = (DEPTH <= 1024) ? WIDTH : (DEPTH <= 2048) ? 9 : (DEPTH <= 4096) ? 4 : (DEPTH <= 8192) ? 2 : 1;
  localparam int SLICES = (WIDTH + SLICE - 1) / SLICE;
  for (genvar s = 0; s < SLICES; s++) begin : g_slice
    localparam int W = (s == SLICES - 1) ? WIDTH - s * SLICE : SLICE;
    logic [W-1:0] memory [0:DEPTH-1];
    logic [W-1:0] raw;
    if (SLICES == 1) begin : g_one
      initial $readmemh({FILE, ".mem"}, memory);
    end else begin : g_many
      initial $readmemh({FILE, "_", 8'(48 + s / 100), 8'(48 + (s / 10) % 10), 8'(48 + s % 10), ".mem"}, memory);
    end
    always_ff @(posedge clk) begin
      raw <= memory[address];
      data[s*SLICE +: W] <= raw;
    end
  end
endmodule
`default_nettype wire
