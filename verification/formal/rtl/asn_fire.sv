// Stands for asn_fire in the stream proofs: any spikes at all. What holds with these holds with the real ones.
`include "asn_neuron_parameters.svh"
`default_nettype none
module asn_fire #(
  parameter bit MULTIPLIER = 1,
  parameter int S_W = 20,
  parameter int S_F = 12,
  parameter int C_W = 12,
  parameter int C_F = 12,
  `ASN_FIRE_PARAMETERS
) (
  input  wire                   clk,
  input  wire        [H_W-1:0]  in_h,
  input  wire        [A_W-1:0]  in_a,
  input  wire signed [S_W-1:0]  in_s,
  input  wire                   in_wait,
  output logic                  out_spike,
  output wire                   out_negative,
  output wire        [H_W-1:0]  out_h,
  output wire        [A_W-1:0]  out_a
);
  wire anything;   // no driver: the solver chooses it anew every clock
  always_ff @(posedge clk) out_spike <= anything;
  assign out_negative = 1'b0;
  assign out_h = '0;
  assign out_a = '0;
endmodule
`default_nettype wire
