// Properties of a dense stage, for bounded proofs: AXI-Stream rules, ticks are neither lost nor duplicated, no event
// outside the neurons or twice in a step, and no deadlock.
`default_nettype none
module stage_rules #(
  parameter int PATIENCE = 42 // clocks in which a ready consumer sees the tick of a step that has begun
) (
  input wire       clk,
  input wire       rst_n,
  input wire [1:0] s_data,
  input wire       s_last,
  input wire       s_user,
  input wire       s_valid,
  input wire       m_ready
);
  wire s_ready, m_last, m_user, m_valid;
  wire [1:0] m_data;
  asn_synaptic_stage #(
    .INPUTS(4), .CHANNELS(4), .LANES(2), .UNITS(2), .W_W(4), .D_W(6), .D_F(2), .WEIGHT_FILE("rules_weights"),
    .BIAS_FILE("rules_bias"), .BIAS_BY_NEURON(1), .MULTIPLIER(0), .FIFO_DEPTH(32), .I_W(6), .I_F(2), .V_W(6), .V_F(2),
    .H_W(5), .H_F(2), .A_W(5), .A_F(2), .B_W(3), .C_W(2), .C_F(2), .K_BETA(3), .G_PHI(2), .K_ETA(3), .K_GAMMA(3),
    .M_GAMMA(1), .THETA0(1)
  ) dut (
    .clk, .rst_n, .s_axis_tdata(s_data), .s_axis_tlast(s_last), .s_axis_tuser(s_user), .s_axis_tvalid(s_valid),
    .s_axis_tready(s_ready), .m_axis_tdata(m_data), .m_axis_tlast(m_last), .m_axis_tuser(m_user),
    .m_axis_tvalid(m_valid), .m_axis_tready(m_ready));

  logic past = 1'b0;
  logic [3:0] ticks_in = '0, ticks_out = '0;   // accepted and sent
  logic [15:0] ends = '0;                      // tuser of each accepted tick
  logic [3:0] seen = '0;                       // events of this step
  logic [5:0] waited = '0;                     // clocks with a tick outstanding and a ready consumer
  always_ff @(posedge clk) begin
    past <= 1'b1;
    assume (rst_n == past);
    if (rst_n) begin
      if (s_valid && s_ready && s_last) begin
        ends[ticks_in] <= s_user;
        ticks_in <= ticks_in + 4'd1;
      end
      if (m_valid && m_ready) begin
        seen <= m_last ? '0 : seen | (4'd1 << m_data);
        if (m_last) ticks_out <= ticks_out + 4'd1;
      end
      waited <= (ticks_in == ticks_out || !m_ready || (m_valid && m_last)) ? '0 : waited + 6'd1;
    end
    if (past && rst_n && $past(rst_n)) begin
      if ($past(s_valid && !s_ready)) assume (s_valid && $stable(s_data) && $stable(s_last) && $stable(s_user));
      if ($past(m_valid && !m_ready))
        a_hold: assert (m_valid && $stable(m_data) && $stable(m_last) && $stable(m_user));
    end
    if (rst_n) begin
      if (m_valid && m_last) begin
        a_tick:  assert (ticks_in != ticks_out);            // only for a tick that came
        a_image: assert (m_user == ends[ticks_out]);
      end
      if (m_valid && !m_last) begin
        a_step:  assert (ticks_in != ticks_out);
        a_twice: assert (!seen[m_data]);
      end
      a_alive: assert (waited <= 6'(PATIENCE));
      a_ahead: assert (4'(ticks_in - ticks_out) <= 4'd8);
      c_spike: cover (m_valid && !m_last);
      c_end:   cover (m_valid && m_last && m_user && ticks_out == 4'd1);
    end
  end
endmodule
`default_nettype wire
