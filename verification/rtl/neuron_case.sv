// One neuron without memories: state words in, state words out 12 clocks later. For testbenches and proofs.
`include "asn_neuron_parameters.svh"
`default_nettype none
module neuron_case #(
  parameter bit MULTIPLIER = 1,
  parameter int B_W = 12,
  `ASN_DRIVE_PARAMETERS,
  `ASN_FILTER_PARAMETERS,
  `ASN_FIRE_PARAMETERS,
  parameter int BIAS    = 0
) (
  input  wire                                clk,
  input  wire  [I_W+V_W+H_W+A_W+D_W-1:0]     in_word,   // {I, V, S_hat, theta_a, drive}
  output wire  [I_W+V_W+H_W+A_W+1:0]         out_word   // {I, V, S_hat, theta_a, spike: -1, 0 or 1}
);
  localparam int S_W = ((V_W > B_W) ? V_W : B_W) + 1;
  wire [I_W-1:0] i;
  wire [V_W-1:0] v;
  wire [H_W-1:0] h;
  wire [A_W-1:0] a;
  wire [D_W-1:0] d;
  assign {i, v, h, a, d} = in_word;

  logic [H_W+A_W-1:0] ha [1:6];
  logic signed [S_W-1:0] s;
  logic [I_W+V_W-1:0] iv [8:12];
  wire signed [I_W-1:0] i7;
  wire signed [V_W-1:0] v7;
  wire spike, negative;
  wire [H_W-1:0] h12;
  wire [A_W-1:0] a12;
  always_ff @(posedge clk) begin
    ha[1] <= {h, a};
    for (int k = 2; k <= 6; k++) ha[k] <= ha[k-1];
    s     <= S_W'(v7) + S_W'(BIAS);
    iv[8] <= {i7, v7};
    for (int k = 9; k <= 12; k++) iv[k] <= iv[k-1];
  end
  asn_filter #(
    .HELD(0), .MULTIPLIER(MULTIPLIER), `ASN_PASS_DRIVE, `ASN_PASS_FILTER
  ) u_filter (.clk, .in_i($signed(i)), .in_v($signed(v)), .in_drive($signed(d)), .out_i(i7), .out_v(v7));
  asn_fire #(
    .MULTIPLIER(MULTIPLIER), .S_W(S_W), .S_F(V_F), .C_W(C_W), .C_F(C_F), `ASN_PASS_FIRE
  ) u_fire (
    .clk, .in_h(ha[6][A_W +: H_W]), .in_a(ha[6][0 +: A_W]), .in_s(s), .in_wait(1'b0), .out_spike(spike),
    .out_negative(negative), .out_h(h12), .out_a(a12));
  assign out_word = {iv[12], h12, a12, negative, spike};
endmodule
`default_nettype wire
