// A dense stage of 4 inputs and 4 neurons with any events in, any consumer, any weights and any spikes of its neurons.
//
// pick_*: an event, an accumulator, a neuron and a time step that the solver chooses once; what is proved for them holds
// for all. SIDE chooses the assertions, so that a solver sees only the logic that they depend on.
`default_nettype none
module stage_formal #(
  parameter int SIDE = 0             // 0 events in, 1 sums, 2 spikes out, 3 progress
) (
  input wire       clk,
  input wire [1:0] s_data,
  input wire       s_last,
  input wire       s_user,
  input wire       s_valid,
  input wire       m_ready,
  input wire [1:0] pick_event,
  input wire       pick_word,
  input wire       pick_lane,
  input wire [1:0] pick_neuron,
  input wire [2:0] pick_step
);
  localparam int PATIENCE = 45;      // clocks, those in which the consumer stalls not counted
  logic rst_n = 1'b0;
  always_ff @(posedge clk) rst_n <= 1'b1;

  wire s_ready, m_last, m_user, m_valid;
  wire [1:0] m_data;
  asn_synaptic_stage #(
    .INPUTS(4), .CHANNELS(4), .LANES(2), .UNITS(2), .FIFO_DEPTH(32), .W_W(2), .D_W(4), .D_F(0), .I_W(4), .I_F(0),
    .V_W(4), .V_F(0), .H_W(4), .H_F(0), .A_W(4), .A_F(0), .B_W(4), .C_W(4), .C_F(4), .K_BETA(1), .G_PHI(1), .K_ETA(1),
    .K_GAMMA(1), .M_GAMMA(1), .THETA0(1)
  ) dut (
    .clk, .rst_n, .s_axis_tdata(s_data), .s_axis_tlast(s_last), .s_axis_tuser(s_user), .s_axis_tvalid(s_valid),
    .s_axis_tready(s_ready), .m_axis_tdata(m_data), .m_axis_tlast(m_last), .m_axis_tuser(m_user),
    .m_axis_tvalid(m_valid), .m_axis_tready(m_ready));

  // ---- counts of the chosen things -----------------------------------------------------------
  wire give = s_valid && s_ready;
  wire take = m_valid && m_ready;
  wire work = dut.work_valid && dut.work_ready;
  logic [2:0] in_step, sweep_step, fire_step, out_step;
  logic [3:0] events, additions, visits, fired, received;
  logic [5:0] in_quiet, out_quiet;
  logic       end_in;
  wire fire       = dut.out_valid && dut.out_neuron == pick_neuron[1] && fire_step == pick_step;
  wire fire_it    = fire && dut.out_spikes[pick_neuron[0]];
  wire take_it    = take && !m_last && out_step == pick_step && m_data == pick_neuron;
  wire event_it   = give && !s_last && in_step == pick_step && s_data == pick_event;
  wire addition   = work && dut.work_word == pick_word && dut.work_weights == {pick_event, pick_word}
                 && sweep_step == pick_step;
  always_ff @(posedge clk)
    if (!rst_n) begin
      in_step <= '0; sweep_step <= '0; fire_step <= '0; out_step <= '0; events <= '0; additions <= '0; visits <= '0;
      fired <= '0; received <= '0; in_quiet <= '0; out_quiet <= '0;
    end else begin
      if (give && s_last)                   in_step    <= in_step + 1'b1;
      if (dut.sweep_start)                  sweep_step <= sweep_step + 1'b1;
      if (dut.out_valid && dut.out_final)   fire_step  <= fire_step + 1'b1;
      if (take && m_last)                   out_step   <= out_step + 1'b1;
      if (event_it)  events    <= events + 1'b1;
      if (addition)  additions <= additions + 1'b1;
      if (fire)      visits    <= visits + 1'b1;
      if (fire_it)   fired     <= fired + 1'b1;
      if (take_it)   received  <= received + 1'b1;
      if (give && s_last && in_step == pick_step) end_in <= s_user;
      if (give || !s_valid) in_quiet <= '0;
      else if (m_ready)     in_quiet <= in_quiet + 1'b1;
      if (take || in_step == out_step) out_quiet <= '0;
      else if (m_ready)                out_quiet <= out_quiet + 1'b1;
    end

  // ---- the chosen accumulator: what a sweep reads is the sum of the weights that were to be added ---------------
  logic [2:1] adding, reading, clearing;
  logic signed [3:0] expected;
  wire signed [1:0] weight = dut.u_accumulators.weights[2 * pick_lane +: 2];
  wire read = dut.u_accumulators.read && dut.u_accumulators.read_word == pick_word;
  always_ff @(posedge clk)
    if (!rst_n) begin
      adding <= '0; reading <= '0; clearing <= '0; expected <= '0;
    end else begin
      adding   <= {adding[1], work && dut.work_word == pick_word};
      reading  <= {reading[1], read};
      clearing <= {clearing[1], read && dut.u_accumulators.read_clear};
      if (clearing[2])    expected <= '0;
      else if (adding[2]) expected <= expected + 4'(weight);
    end

  logic past = 1'b0;
  always_ff @(posedge clk) begin
    past <= rst_n;
    if (rst_n) begin
      assume ($stable(pick_event) && $stable(pick_word) && $stable(pick_lane) && $stable(pick_neuron));
      assume ($stable(pick_step));
      assume (events != '1 && in_step != '1);            // the counters above do not wrap
      if (SIDE == 0) begin
        event_not_invented: assert (!addition || additions < events);
        event_not_lost:     assert (!(dut.sweep_start && sweep_step == pick_step) || additions == events);
        swept:              cover (dut.sweep_start && sweep_step == 3'd1 && pick_step == 3'd1 && additions == 4'd2);
      end
      if (SIDE == 1) begin
        sum:                assert (!reading[2] || dut.sums[4 * pick_lane +: 4] == expected);
        summed:             cover (reading[2] && in_step == 3'd2 && expected == 4'd2);
      end
      if (SIDE == 2) begin
        visited_once:       assert (!(dut.out_valid && dut.out_final && fire_step == pick_step)
                                    || visits + 4'(fire) == 4'd1);
        spike_not_invented: assert (!take_it || received < fired);
        spike_not_lost:     assert (!(take && m_last && out_step == pick_step) || received == fired);
        tick_not_invented:  assert (!(take && m_last) || out_step != in_step);
        end_of_image:       assert (!(take && m_last && out_step == pick_step) || m_user == end_in);
        second_step:        cover (take_it && out_step == 3'd1 && pick_step == 3'd1);
      end
      if (SIDE == 3) begin
        no_deadlock_in:     assert (in_quiet < 6'(PATIENCE));
        no_deadlock_out:    assert (out_quiet < 6'(PATIENCE));
        progress:           cover (take && m_last && out_step == 3'd1);
      end
    end
    if (past && rst_n && $past(s_valid && !s_ready))
      assume (s_valid && $stable(s_data) && $stable(s_last) && $stable(s_user));
    if (past && rst_n && $past(m_valid && !m_ready))
      if (SIDE == 2) stream_rules: assert (m_valid && $stable(m_data) && $stable(m_last) && $stable(m_user));
  end
endmodule
`default_nettype wire
