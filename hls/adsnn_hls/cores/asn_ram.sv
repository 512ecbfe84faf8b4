// Memory with one write and one read port. Reading takes two clocks (the memory, then a register: block RAM is slow at
// its output). What a read of the word being written returns is not defined; the users never do that. A deep memory is
// cut into slices, see asn_rom.
`default_nettype none
module asn_ram #(
  parameter int WIDTH = 36,
  parameter int DEPTH = 512,
  localparam int A_W  = (DEPTH > 1) ? $clog2(DEPTH) : 1
) (
  input  wire             clk,
  input  wire             write,
  input  wire [A_W-1:0]   write_address,
  input  wire [WIDTH-1:0] write_data,
  input  wire [A_W-1:0]   read_address,
  input  wire             zero,         // with the memory's own output, one clock after the address: read zero instead
  output logic [WIDTH-1:0] read_data
);
  localparam int SLICE  = (DEPTH <= 1024) ? WIDTH : (DEPTH <= 2048) ? 9 : (DEPTH <= 4096) ? 4 : (DEPTH <= 8192) ? 2 : 1;
  localparam int SLICES = (WIDTH + SLICE - 1) / SLICE;
  for (genvar s = 0; s < SLICES; s++) begin : g_slice
    localparam int W = (s == SLICES - 1) ? WIDTH - s * SLICE : SLICE;
    (* no_rw_check *) logic [W-1:0] memory [0:DEPTH-1];
    logic [W-1:0] raw;
    always_ff @(posedge clk) begin
      if (write) memory[write_address] <= write_data[s*SLICE +: W];
      raw <= memory[read_address];
`ifndef SYNTHESIS
      // what block RAM may return here differs between devices: simulate anything, so that a use of it shows
      if (write && write_address == read_address) raw <= 'x;
`endif
    end
    always_ff @(posedge clk)
      if (zero) read_data[s*SLICE +: W] <= '0;
      else      read_data[s*SLICE +: W] <= raw;
  end
endmodule
`default_nettype wire
