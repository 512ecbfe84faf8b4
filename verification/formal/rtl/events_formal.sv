// asn_events with any masks of spikes, any consumer: stream rules; every spike comes out once, in its time step.
//
// pick_*: one spike that the solver chooses once; what is proved for it holds for every spike.
`default_nettype none
module events_formal #(
  parameter int UNITS  = 2,
  parameter int GROUPS = 2,
  parameter int DEPTH  = 4,
  parameter int FLIGHT = 3
) (
  input wire             clk,
  input wire             issue,      // the producer starts an entry, if there is room
  input wire             in_end,
  input wire             in_final,
  input wire             in_group,
  input wire [UNITS-1:0] in_spikes,
  input wire [UNITS-1:0] in_negative,
  input wire             m_ready,
  input wire [1:0]       pick_neuron,
  input wire [2:0]       pick_step
);
  logic rst_n = 1'b0;
  always_ff @(posedge clk) rst_n <= 1'b1;

  // ---- the producer's pipeline: one clock from room to entry ---------------------------------
  wire room;
  logic issued;
  always_ff @(posedge clk) issued <= rst_n && issue && room;

  wire [1:0] m_data;
  wire m_negative;
  wire m_last, m_user, m_valid;
  asn_events #(.UNITS(UNITS), .GROUPS(GROUPS), .DEPTH(DEPTH), .FLIGHT(FLIGHT), .SIGNED(1)) dut (
    .clk, .rst_n, .in_valid(issued), .in_final, .in_end, .in_group, .in_spikes, .in_negative, .room,
    .m_axis_tdata({m_negative, m_data}),
    .m_axis_tlast(m_last), .m_axis_tuser(m_user), .m_axis_tvalid(m_valid), .m_axis_tready(m_ready));

  // ---- the chosen spike ----------------------------------------------------------------------
  wire put  = issued;
  wire take = m_valid && m_ready;
  logic [2:0] put_step, take_step, sent, received;
  logic       end_sent, negative_sent;
  wire put_it  = put && put_step == pick_step && in_group == pick_neuron[1] && in_spikes[pick_neuron[0]];
  wire take_it = take && !m_last && take_step == pick_step && m_data == pick_neuron;
  logic [4:0] quiet;                 // clocks without a beat while one is due
  always_ff @(posedge clk)
    if (!rst_n) begin
      put_step <= '0; take_step <= '0; sent <= '0; received <= '0; quiet <= '0;
    end else begin
      if (put && in_final)  put_step  <= put_step + 1'b1;
      if (take && m_last)   take_step <= take_step + 1'b1;
      if (put_it)  sent     <= sent + 1'b1;
      if (put_it)  negative_sent <= in_negative[pick_neuron[0]];
      if (take_it) received <= received + 1'b1;
      if (put && in_final && put_step == pick_step) end_sent <= in_end;
      if (take || put_step == take_step) quiet <= '0;
      else if (m_ready) quiet <= quiet + 1'b1;
    end

  logic past = 1'b0;
  always_ff @(posedge clk) begin
    past <= rst_n;
    assume ($stable(pick_neuron) && $stable(pick_step) || !rst_n);
    if (rst_n) begin
      assume (put_step != '1);                          // the counters above do not wrap
      assume (!put_it || sent == '0);                   // a neuron fires once a step
      not_invented:  assert (!take_it || received < sent);
      not_lost:      assert (!(take && m_last && take_step == pick_step) || received == sent);
      sign_kept:     assert (!take_it || m_negative == negative_sent);
      end_of_image:  assert (!(take && m_last && take_step == pick_step) || m_user == end_sent);
      no_early_tick: assert (!(take && m_last) || take_step != put_step);
      no_deadlock:   assert (quiet < 5'd6);
      fits:          assert (32'(dut.count) <= DEPTH);
      reached:       cover (take_it && take_step == 3'd1);
      filled:        cover (!room && take);
    end
    if (past && rst_n && $past(m_valid && !m_ready))
      stream_rules: assert (m_valid && $stable(m_data) && $stable(m_negative) && $stable(m_last) && $stable(m_user));
  end
endmodule
`default_nettype wire
