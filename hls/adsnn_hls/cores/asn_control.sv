// Sequence of a stage that receives events: accumulate until a tick, let additions settle, sweep the neurons, again.
`default_nettype none
module asn_control (
  input  wire  clk,
  input  wire  rst_n,
  input  wire  s_axis_tlast,
  input  wire  s_axis_tuser,
  input  wire  s_axis_tvalid,
  output logic s_axis_tready,
  output logic event_valid,
  input  wire  event_ready,
  input  wire  ready,          // accumulators are cleared
  input  wire  settled,        // no event is at work
  input  wire  pipeline_idle,  // the sweep before has left the pipeline
  input  wire  sweep_busy,
  output logic sweep_start,
  output logic sweep_fresh,    // with sweep_start: the image begins
  output logic sweep_end       // the image ends with the sweep at work
);
  typedef enum logic [1:0] {ACCUMULATE, SETTLE, SWEEP} state_t;
  state_t state;
  logic end_q, fresh;
  wire accumulate = ready && state == ACCUMULATE;
  assign event_valid   = accumulate && s_axis_tvalid && !s_axis_tlast;
  assign s_axis_tready = accumulate && (s_axis_tlast || event_ready);
  assign sweep_start   = state == SETTLE && settled && pipeline_idle;
  assign sweep_fresh   = fresh;
  always_ff @(posedge clk)
    if (!rst_n) begin
      state <= ACCUMULATE; fresh <= 1'b1;
    end else case (state)
      ACCUMULATE: if (accumulate && s_axis_tvalid && s_axis_tlast) state <= SETTLE;
      SETTLE: if (sweep_start) begin
        state <= SWEEP;
        fresh <= end_q;
      end
      default: if (!sweep_busy) state <= ACCUMULATE;
    endcase
  // a sweep's spikes may still be on their way when the next tick comes: two registers
  always_ff @(posedge clk) begin
    if (accumulate && s_axis_tvalid && s_axis_tlast) end_q <= s_axis_tuser;
    if (sweep_start) sweep_end <= end_q;
  end
endmodule
`default_nettype wire
