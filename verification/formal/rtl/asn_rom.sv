// Stands for asn_rom in the stream proofs: any contents, even ones that change.
`default_nettype none
module asn_rom #(
  parameter int WIDTH = 32,
  parameter int DEPTH = 64,
  parameter     FILE  = "rom",
  localparam int A_W  = (DEPTH > 1) ? $clog2(DEPTH) : 1
) (
  input  wire              clk,
  input  wire  [A_W-1:0]   address,
  output logic [WIDTH-1:0] data
);
  wire [WIDTH-1:0] anything;   // no driver: the solver chooses it anew every clock
  always_ff @(posedge clk) data <= anything;
endmodule
`default_nettype wire
