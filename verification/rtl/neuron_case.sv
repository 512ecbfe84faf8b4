// One neuron without memories: state words in, state words out 12 clocks later. For testbenches and proofs.
`default_nettype none
module neuron_case #(
  parameter bit MULTIPLIER = 1,
  parameter int I_W = 18,
  parameter int I_F = 12,
  parameter int V_W = 18,
  parameter int V_F = 12,
  parameter int H_W = 18,
  parameter int H_F = 12,
  parameter int A_W = 18,
  parameter int A_F = 12,
  parameter int B_W = 12,
  parameter int C_W = 12,
  parameter int C_F = 12,
  parameter int D_W = 16,
  parameter int D_F = 6,
  parameter int I_ROUNDING = 1,
  parameter int V_ROUNDING = 1,
  parameter int H_ROUNDING = 0,
  parameter int A_ROUNDING = 0,
  parameter bit I_SATURATE = 1,
  parameter bit V_SATURATE = 1,
  parameter bit H_SATURATE = 1,
  parameter bit A_SATURATE = 1,
  parameter int K_BETA  = 4014,
  parameter int G_PHI   = 1350,
  parameter int K_ETA   = 4014,
  parameter int K_GAMMA = 3832,
  parameter int M_GAMMA = 766,
  parameter int THETA0  = 819,
  parameter int BIAS    = 0
) (
  input  wire                                clk,
  input  wire  [I_W+V_W+H_W+A_W+D_W-1:0]     in_word,   // {I, V, S_hat, theta_a, drive}
  output wire  [I_W+V_W+H_W+A_W:0]           out_word   // {I, V, S_hat, theta_a, spike}
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
  wire spike;
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
    .HELD(0), .MULTIPLIER(MULTIPLIER), .I_W(I_W), .I_F(I_F), .V_W(V_W), .V_F(V_F), .C_W(C_W), .C_F(C_F), .D_W(D_W),
    .D_F(D_F), .I_ROUNDING(I_ROUNDING), .V_ROUNDING(V_ROUNDING), .I_SATURATE(I_SATURATE), .V_SATURATE(V_SATURATE),
    .K_BETA(K_BETA), .G_PHI(G_PHI)
  ) u_filter (.clk, .in_i($signed(i)), .in_v($signed(v)), .in_drive($signed(d)), .out_i(i7), .out_v(v7));
  asn_fire #(
    .MULTIPLIER(MULTIPLIER), .S_W(S_W), .S_F(V_F), .H_W(H_W), .H_F(H_F), .A_W(A_W), .A_F(A_F), .C_W(C_W), .C_F(C_F),
    .H_ROUNDING(H_ROUNDING), .A_ROUNDING(A_ROUNDING), .H_SATURATE(H_SATURATE), .A_SATURATE(A_SATURATE),
    .K_ETA(K_ETA), .K_GAMMA(K_GAMMA), .M_GAMMA(M_GAMMA), .THETA0(THETA0)
  ) u_fire (
    .clk, .in_h(ha[6][A_W +: H_W]), .in_a(ha[6][0 +: A_W]), .in_s(s), .out_spike(spike), .out_h(h12), .out_a(a12));
  assign out_word = {iv[12], h12, a12, spike};
endmodule
`default_nettype wire
