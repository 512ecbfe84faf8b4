// The C++ neuron (module neuron_cxx, translated from LLVM IR) beside the RTL neuron: equal for all inputs.
//
// The RTL is a pipeline without feedback: without its registers (no_registers.v) it is a function of its inputs. Three
// parts, each for all of its inputs: current (0), membrane filter (1; the current is an input), firing (2; V is an input).
`include "asn_neuron_parameters.svh"
`default_nettype none
module neuron_miter #(
  parameter int PART       = 0,
  parameter bit MULTIPLIER = 1,
  parameter int B_W = 12,
  `ASN_DRIVE_PARAMETERS,
  `ASN_FILTER_PARAMETERS,
  `ASN_FIRE_PARAMETERS
) (
  input wire                  clk,
  input wire signed [I_W-1:0] i,
  input wire signed [V_W-1:0] v,
  input wire        [H_W-1:0] h,
  input wire        [A_W-1:0] a,
  input wire signed [D_W-1:0] drive,
  input wire signed [B_W-1:0] bias,
  input wire                  waits,
  output wire                 unequal_i,
  output wire                 unequal_v,
  output wire                 unequal_h,
  output wire                 unequal_a,
  output wire                 unequal_spike
);
  localparam int S_W = ((V_W > B_W) ? V_W : B_W) + 1;

  wire signed [I_W-1:0] i_new;
  wire signed [V_W-1:0] v_new;
  wire        [H_W-1:0] h_new;
  wire        [A_W-1:0] a_new;
  wire spike, negative;
  logic signed [S_W-1:0] s;
  always_ff @(posedge clk) s <= S_W'(v) + S_W'(bias);
  asn_filter #(
    .HELD(PART != 0), .MULTIPLIER(MULTIPLIER), `ASN_PASS_DRIVE, `ASN_PASS_FILTER
  ) u_filter (.clk, .in_i(i), .in_v(v), .in_drive(drive), .out_i(i_new), .out_v(v_new));
  asn_fire #(
    .MULTIPLIER(MULTIPLIER), .S_W(S_W), .S_F(V_F), .C_W(C_W), .C_F(C_F), `ASN_PASS_FIRE
  ) u_fire (.clk, .in_h(h), .in_a(a), .in_s(s), .in_wait(waits), .out_spike(spike),
    .out_negative(negative), .out_h(h_new), .out_a(a_new));

  wire [63:0] i_cxx, v_cxx, h_cxx, a_cxx, spike_cxx;
  neuron_cxx u_cxx (
    .in0(64'(i)), .in1(64'(v)), .in2(64'(h)), .in3(64'(a)), .in4(64'(drive)), .in5(64'(bias)), .in6(64'(waits)),
    .out0(i_cxx), .out1(v_cxx), .out2(h_cxx), .out3(a_cxx), .out4(spike_cxx));

  assign unequal_i     = PART == 0 && i_cxx != 64'(i_new);
  assign unequal_v     = PART == 1 && v_cxx != 64'(v_new);
  assign unequal_h     = PART == 2 && h_cxx != 64'(h_new);
  assign unequal_a     = PART == 2 && a_cxx != 64'(a_new);
  assign unequal_spike = PART == 2 && spike_cxx != 64'($signed({negative, spike}));
`ifdef FORMAL
  always_comb begin
    equal_i:     assert (!unequal_i);
    equal_v:     assert (!unequal_v);
    equal_h:     assert (!unequal_h);
    equal_a:     assert (!unequal_a);
    equal_spike: assert (!unequal_spike);
  end
`endif
endmodule
`default_nettype wire
