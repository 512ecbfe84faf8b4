// Work of one event in a dense stage: all accumulator words in turn, each with its word of weights.
`default_nettype none
module asn_scatter_dense #(
  parameter int INPUTS = 64,
  parameter int WORDS  = 4,     // accumulator words = neurons / LANES
  localparam int E_A = (INPUTS > 1) ? $clog2(INPUTS) : 1,
  localparam int W_A = (WORDS  > 1) ? $clog2(WORDS)  : 1,
  localparam int M_A = (INPUTS * WORDS > 1) ? $clog2(INPUTS * WORDS) : 1
) (
  input  wire            clk,
  input  wire            rst_n,
  input  wire            event_valid,
  input  wire  [E_A-1:0] event_address,
  input  wire            event_negative,
  output logic           event_ready,
  output logic           work_valid,
  output logic [W_A-1:0] work_word,
  output logic [M_A-1:0] work_weights,
  output logic           work_negative,
  input  wire            work_ready,
  output logic           idle
);
  wire last = work_word == W_A'(WORDS - 1);
  assign event_ready = !work_valid || (work_ready && last);
  assign idle = !work_valid;
  always_ff @(posedge clk)
    if (!rst_n)           work_valid <= 1'b0;
    else if (event_ready) work_valid <= event_valid;
  always_ff @(posedge clk)
    if (event_ready) begin
      work_word    <= '0;
      work_negative <= event_negative;
      work_weights <= M_A'(M_A'(event_address) * M_A'(WORDS));
    end else if (work_ready) begin
      work_word    <= work_word + 1'b1;
      work_weights <= work_weights + 1'b1;
    end
endmodule
`default_nettype wire
