// Stands for asn_filter in the stream proofs: any state words at all. What holds with these holds with the real ones.
`include "asn_neuron_parameters.svh"
`default_nettype none
module asn_filter #(
  parameter bit HELD       = 0,
  parameter bit MULTIPLIER = 1,
  `ASN_DRIVE_PARAMETERS,
  `ASN_FILTER_PARAMETERS
) (
  input  wire                    clk,
  input  wire signed [I_W-1:0]   in_i,
  input  wire signed [V_W-1:0]   in_v,
  input  wire signed [D_W-1:0]   in_drive,
  output wire signed [I_W-1:0]   out_i,
  output wire signed [V_W-1:0]   out_v
);
  assign out_i = '0;
  assign out_v = '0;
endmodule
`default_nettype wire
