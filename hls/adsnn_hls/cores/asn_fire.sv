// Threshold, refractory response and adaptation of one lane, one neuron per clock, no stalls (docs/fixed-point.md,
// steps 3 to 7):
//   S_hat = <refractory>(k_eta * S_hat);  theta = theta0 + theta_a;  spike = 2 * (S - S_hat) > theta
//   corrective = 2 * (S_hat - max(S, 0)) > c * theta, where there is a c; neither while the layer waits
//   S_hat = <refractory>(S_hat + theta) on a spike, <refractory>(S_hat - theta) on a corrective one
//   theta_a = <adaptation>(k_gamma * theta_a + (spike or corrective) * m_gamma * theta)
// in_h and in_a come with the item, in_s two clocks later, in_wait three; the results come 6 clocks after in_h and in_a.
`include "asn_neuron_parameters.svh"
`default_nettype none
module asn_fire #(
  parameter bit MULTIPLIER = 1,
  parameter int S_W = 20,        // bits and fraction bits of S, signed
  parameter int S_F = 12,
  parameter int C_W = 12,        // factors
  parameter int C_F = 12,
  `ASN_FIRE_PARAMETERS
) (
  input  wire                   clk,
  input  wire        [H_W-1:0]  in_h,
  input  wire        [A_W-1:0]  in_a,
  input  wire signed [S_W-1:0]  in_s,
  input  wire                   in_wait,  // no neuron spikes yet
  output logic                  out_spike,
  output wire                   out_negative, // with out_spike: it is corrective
  output logic       [H_W-1:0]  out_h,
  output logic       [A_W-1:0]  out_a
);
  // theta has A_F fraction bits and may need a bit more than theta_a
  localparam int Z_W = ($clog2(THETA0 + 1) > A_W) ? $clog2(THETA0 + 1) + 1 : A_W + 1;

  // ---- clock 1: products ---------------------------------------------------------------------
  wire signed [H_W+C_W:0] eta_x;
  wire signed [A_W+C_W:0] gamma_x, m_x;
  asn_scale #(.IN_W(H_W + 1), .FACTOR(K_ETA), .FACTOR_W(C_W), .MULTIPLIER(MULTIPLIER))
    u_eta (.x($signed({1'b0, in_h})), .y(eta_x));
  asn_scale #(.IN_W(A_W + 1), .FACTOR(K_GAMMA), .FACTOR_W(C_W), .MULTIPLIER(MULTIPLIER))
    u_gamma (.x($signed({1'b0, in_a})), .y(gamma_x));
  asn_scale #(.IN_W(A_W + 1), .FACTOR(M_GAMMA), .FACTOR_W(C_W), .MULTIPLIER(MULTIPLIER))
    u_m (.x($signed({1'b0, in_a})), .y(m_x));
  logic signed [H_W+C_W:0] eta1;
  logic signed [A_W+C_W:0] gamma1, m1;
  logic [Z_W-1:0] theta1;

  // ---- clock 2: decayed S_hat; m_gamma * theta -----------------------------------------------
  localparam int M_W = ((Z_W > A_W + 1) ? Z_W : A_W + 1) + C_W + 1;
  localparam logic signed [M_W-1:0] M_THETA0 = M_W'(M_GAMMA) * M_W'(THETA0);
  wire  [H_W-1:0] decayed;
  asn_cast #(.IN_W(H_W + C_W + 1), .SHIFT(C_F), .OUT_W(H_W), .SIGNED(0), .SATURATE(H_SATURATE), .ROUNDING(H_ROUNDING))
    u_decayed (.x(eta1), .y(decayed));
  logic [H_W-1:0] h2;
  logic signed [A_W+C_W:0] gamma2;
  logic signed [M_W-1:0] m2;
  logic [Z_W-1:0] theta2;

  // ---- clock 3: what 2 S must exceed, and both reactions -------------------------------------
  localparam int F   = (S_F > H_F) ? ((S_F > A_F) ? S_F : A_F) : ((H_F > A_F) ? H_F : A_F);
  localparam int HA_F = (H_F > A_F) ? H_F : A_F;
  localparam int L_W = ((H_W + F - H_F + 1 > Z_W + F - A_F) ? H_W + F - H_F + 1 : Z_W + F - A_F) + 1;
  localparam int R_W = ((H_W + HA_F - H_F > Z_W + HA_F - A_F) ? H_W + HA_F - H_F : Z_W + HA_F - A_F) + 2;
  logic [L_W-1:0] level3;
  logic signed [R_W-1:0] raised3;
  logic [H_W-1:0] h3, h4;
  logic signed [A_W+C_W:0] gamma3, gamma4;
  logic signed [M_W-1:0] m3, m4;

  // ---- clock 4: comparison -------------------------------------------------------------------
  localparam int X_W = ((S_W + F - S_F + 1 > L_W + 1) ? S_W + F - S_F + 1 : L_W + 1) + 1;
  logic signed [S_W-1:0] s3;
  wire signed [X_W-1:0] twice = X_W'(s3) <<< (F - S_F + 1);
  wire signed [X_W-1:0] level = $signed(X_W'({1'b0, level3}));
  wire [H_W-1:0] raised;
  asn_cast #(.IN_W(R_W), .SHIFT(HA_F - H_F), .OUT_W(H_W), .SIGNED(0), .SATURATE(H_SATURATE), .ROUNDING(H_ROUNDING))
    u_raised (.x(raised3), .y(raised));
  logic spike4, fired5;
  logic [H_W-1:0] raised4;

  // ---- corrective spikes, beside clocks 2 to 6 -----------------------------------------------
  wire negative4;
  wire [H_W-1:0] lowered4;
  if (CORRECTIVE > 0) begin : g_corrective
    localparam int K_W = 8;                                  // c: K_W bits, 2 of them behind the point
    localparam int B_W = Z_W + 1 + K_W;                      // c * theta
    localparam int N_W = ((H_W + F - H_F + 3 > B_W + F - A_F) ? H_W + F - H_F + 3 : B_W + F - A_F) + 2;
    localparam int M4_W = (S_W + F - S_F + 3 > N_W) ? S_W + F - S_F + 3 : N_W;
    wire  signed [B_W-1:0] level_x;
    logic signed [B_W-1:0] level2;
    logic signed [N_W-1:0] lead3;                            // 8 S_hat - 4 c theta
    logic signed [R_W-1:0] lowered3;
    logic negative_q, negative5, negative6;
    logic [H_W-1:0] lowered_q;
    wire  [H_W-1:0] lowered;
    // few digits: no multiplier
    asn_scale #(.IN_W(Z_W + 1), .FACTOR(CORRECTIVE), .FACTOR_W(K_W), .MULTIPLIER(0))
      u_level (.x($signed({1'b0, theta1})), .y(level_x));
    asn_cast #(.IN_W(R_W), .SHIFT(HA_F - H_F), .OUT_W(H_W), .SIGNED(0), .SATURATE(H_SATURATE), .ROUNDING(H_ROUNDING))
      u_lowered (.x(lowered3), .y(lowered));
    wire signed [M4_W-1:0] rectified = s3[S_W-1] ? '0 : M4_W'(s3) <<< (F - S_F + 3);
    always_ff @(posedge clk) begin
      level2   <= level_x;
      lead3    <= $signed(N_W'(h2) << (F - H_F + 3)) - (N_W'(level2) <<< (F - A_F));
      lowered3 <= $signed((R_W'(h2) << (HA_F - H_F)) - (R_W'(theta2) << (HA_F - A_F)));
      negative_q <= rectified < M4_W'(lead3) && !in_wait;
      lowered_q  <= lowered;
      negative5  <= negative_q;
      negative6  <= negative5;
    end
    assign negative4 = negative_q, lowered4 = lowered_q, out_negative = negative6;
  end else begin : g_positive
    assign negative4 = 1'b0, lowered4 = '0, out_negative = 1'b0;
  end

  // ---- clocks 5 and 6: reaction --------------------------------------------------------------
  localparam int Y_W = M_W + 1;
  logic [H_W-1:0] h5;
  logic signed [Y_W-1:0] a5;
  wire [A_W-1:0] adapted;
  asn_cast #(.IN_W(Y_W), .SHIFT(C_F), .OUT_W(A_W), .SIGNED(0), .SATURATE(A_SATURATE), .ROUNDING(A_ROUNDING))
    u_adapted (.x(a5), .y(adapted));

  always_ff @(posedge clk) begin
    eta1 <= eta_x; gamma1 <= gamma_x; m1 <= m_x;
    theta1 <= Z_W'(in_a) + Z_W'(THETA0);

    h2 <= decayed; gamma2 <= gamma1; theta2 <= theta1;
    m2 <= M_W'(m1) + M_THETA0;

    level3  <= (L_W'(h2) << (F - H_F + 1)) + (L_W'(theta2) << (F - A_F));
    raised3 <= $signed((R_W'(h2) << (HA_F - H_F)) + (R_W'(theta2) << (HA_F - A_F)));
    h3 <= h2; gamma3 <= gamma2; m3 <= m2; s3 <= in_s;

    spike4 <= twice > level && !in_wait;
    raised4 <= raised; h4 <= h3; gamma4 <= gamma3; m4 <= m3;

    fired5 <= spike4 || negative4;
    h5 <= spike4 ? raised4 : negative4 ? lowered4 : h4;
    a5 <= Y_W'(gamma4) + (spike4 || negative4 ? Y_W'(m4) : '0);

    out_spike <= fired5; out_h <= h5; out_a <= adapted;
  end
endmodule
`default_nettype wire
