// Current and membrane filter of one lane, one item per clock, no stalls (docs/fixed-point.md, steps 1 and 2):
//   I' = <current>(k_beta * I + drive), or I' = I where it is held;  V' = <potential>(V + g_phi * (I' - V))
// The results come 7 clocks after the inputs.
`include "asn_neuron_parameters.svh"
`default_nettype none
module asn_filter #(
  parameter bit HELD       = 0,  // analog input: the current stays
  parameter bit MULTIPLIER = 1,
  `ASN_DRIVE_PARAMETERS,
  `ASN_FILTER_PARAMETERS
) (
  input  wire                    clk,
  input  wire signed [I_W-1:0]   in_i,
  input  wire signed [V_W-1:0]   in_v,
  input  wire signed [D_W-1:0]   in_drive,
  output logic signed [I_W-1:0]  out_i,
  output logic signed [V_W-1:0]  out_v
);
  // ---- I: clocks 1 to 3 ----------------------------------------------------------------------
  logic signed [I_W-1:0] i3, i4, i5, i6;
  logic signed [V_W-1:0] v1, v2, v3, v4, v5;
  if (HELD) begin : g_held
    logic signed [I_W-1:0] i1, i2;
    always_ff @(posedge clk) begin
      i1 <= in_i; i2 <= i1; i3 <= i2;
    end
    wire unused = &{1'b0, in_drive};
  end else begin : g_decay
    localparam int P_F = I_F + C_F;                          // fraction bits of the product
    localparam int F   = (P_F > D_F) ? P_F : D_F;            // of the sum
    localparam int P_W = I_W + C_W;
    localparam int S_W = ((P_W + F - P_F > D_W + F - D_F) ? P_W + F - P_F : D_W + F - D_F) + 1;
    wire signed [P_W-1:0] product;
    asn_scale #(.IN_W(I_W), .FACTOR(K_BETA), .FACTOR_W(C_W), .MULTIPLIER(MULTIPLIER)) u_beta (.x(in_i), .y(product));
    logic signed [P_W-1:0] p1;
    logic signed [D_W-1:0] d1;
    logic signed [S_W-1:0] s2;
    wire [I_W-1:0] cast;
    asn_cast #(.IN_W(S_W), .SHIFT(F - I_F), .OUT_W(I_W), .SIGNED(1), .SATURATE(I_SATURATE), .ROUNDING(I_ROUNDING))
      u_cast (.x(s2), .y(cast));
    always_ff @(posedge clk) begin
      p1 <= product;
      d1 <= in_drive;
      s2 <= (S_W'(p1) <<< (F - P_F)) + (S_W'(d1) <<< (F - D_F));
      i3 <= cast;
    end
  end

  // ---- V: clocks 4 to 7 ----------------------------------------------------------------------
  localparam int A_F = (I_F > V_F) ? I_F : V_F;              // aligned
  localparam int E_W = ((I_W + A_F - I_F > V_W + A_F - V_F) ? I_W + A_F - I_F : V_W + A_F - V_F) + 1;
  localparam int T_F = A_F + C_F;
  localparam int G_W = E_W + C_W;
  localparam int T_W = ((G_W > V_W + T_F - V_F) ? G_W : V_W + T_F - V_F) + 1;
  logic signed [E_W-1:0] e4;
  logic signed [G_W-1:0] g5;
  logic signed [T_W-1:0] t6;
  wire  signed [G_W-1:0] product_v;
  wire         [V_W-1:0] cast_v;
  asn_scale #(.IN_W(E_W), .FACTOR(G_PHI), .FACTOR_W(C_W), .MULTIPLIER(MULTIPLIER)) u_phi (.x(e4), .y(product_v));
  asn_cast #(.IN_W(T_W), .SHIFT(T_F - V_F), .OUT_W(V_W), .SIGNED(1), .SATURATE(V_SATURATE), .ROUNDING(V_ROUNDING))
    u_cast_v (.x(t6), .y(cast_v));
  always_ff @(posedge clk) begin
    v1 <= in_v; v2 <= v1; v3 <= v2; v4 <= v3; v5 <= v4;
    i4 <= i3; i5 <= i4; i6 <= i5;
    e4 <= (E_W'(i3) <<< (A_F - I_F)) - (E_W'(v3) <<< (A_F - V_F));
    g5 <= product_v;
    t6 <= T_W'(g5) + (T_W'(v5) <<< (T_F - V_F));
    out_i <= i6;
    out_v <= cast_v;
  end
endmodule
`default_nettype wire
