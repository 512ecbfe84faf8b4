// Constant memory, two clocks from address to data.
`default_nettype none
module asn_rom #(
  parameter int WIDTH = 32,
  parameter int DEPTH = 64,
  parameter     FILE  = "rom.mem", // hexadecimal words, one a line
  localparam int A_W  = (DEPTH > 1) ? $clog2(DEPTH) : 1
) (
  input  wire              clk,
  input  wire  [A_W-1:0]   address,
  output logic [WIDTH-1:0] data
);
  logic [WIDTH-1:0] memory [0:DEPTH-1];
  logic [WIDTH-1:0] raw;
  initial $readmemh(FILE, memory);
  always_ff @(posedge clk) begin
    raw  <= memory[address];
    data <= raw;
  end
endmodule
`default_nettype wire
