// A stage of spiking neurons that receives events: dense or convolution, pooling, neurons, events out.
//
// Streams: a beat is the address of a spike, or with tlast the tick that ends the time step; tuser on a tick ends the
// image, and the state starts from zero in the next step. Where spikes may be negative, a bit above the address says so.
`include "asn_neuron_parameters.svh"
`default_nettype none
module asn_synaptic_stage #(
  // ---- synapses
  parameter bit CONV     = 0,
  parameter int INPUTS   = 16,
  parameter int LANES    = 4,      // parallel additions; divides CHANNELS
  parameter int W_W      = 8,
  parameter     WEIGHT_FILE = "weights",
  parameter bit SIGNED   = 0,      // spikes that come in may be negative
  parameter int IN_CHANNELS = 16,  // from here on with CONV only, see asn_scatter_conv
  parameter int KERNEL_ROWS    = 1,
  parameter int KERNEL_COLUMNS = 1,
  parameter int STRIDE_ROWS    = 1,
  parameter int STRIDE_COLUMNS = 1,
  parameter int Q_W      = 1,
  parameter int R_W      = 1,
  parameter int WORD_W   = 1,
  parameter int WEIGHT_W = 1,
  parameter     TABLE_FILE = "scatter",
  // ---- neurons, see asn_sweep and asn_neurons
  parameter int HEIGHT   = 1,
  parameter int WIDTH    = 1,
  parameter int CHANNELS = 16,
  parameter int UNITS    = 1,
  parameter int POOL_ROWS    = 1,
  parameter int POOL_COLUMNS = 1,
  parameter int PAD_TOP  = 0,
  parameter int PAD_LEFT = 0,
  parameter int OUT_ROWS    = 1,
  parameter int OUT_COLUMNS = 1,
  parameter bit BIAS_BY_NEURON = 1,
  parameter     BIAS_FILE = "bias",
  parameter bit MULTIPLIER = 1,
  parameter int ONSET = 0,         // no neuron spikes before this step of an image
  parameter int B_W = 12,          // bias
  `ASN_DRIVE_PARAMETERS,
  `ASN_FILTER_PARAMETERS,
  `ASN_FIRE_PARAMETERS,
  parameter int FIFO_DEPTH = 64,
  localparam int NEURONS = OUT_ROWS * OUT_COLUMNS * CHANNELS,
  localparam int I_A = (INPUTS  > 1) ? $clog2(INPUTS)  : 1,
  localparam int O_A = (NEURONS > 1) ? $clog2(NEURONS) : 1,
  localparam int T_A = I_A + 32'(SIGNED),
  localparam int M_W = O_A + 32'(CORRECTIVE > 0)
) (
  input  wire            clk,
  input  wire            rst_n,
  input  wire  [T_A-1:0] s_axis_tdata,
  input  wire            s_axis_tlast,
  input  wire            s_axis_tuser,
  input  wire            s_axis_tvalid,
  output logic           s_axis_tready,
  output logic [M_W-1:0] m_axis_tdata,
  output logic           m_axis_tlast,
  output logic           m_axis_tuser,
  output logic           m_axis_tvalid,
  input  wire            m_axis_tready
);
  localparam int C_G     = CHANNELS / UNITS;
  localparam int SUBS    = LANES / UNITS;
  localparam int WORDS   = HEIGHT * WIDTH * (CHANNELS / LANES);
  localparam int WEIGHTS = CONV ? KERNEL_ROWS * KERNEL_COLUMNS * IN_CHANNELS * (CHANNELS / LANES) : INPUTS * WORDS;
  localparam int PIXELS  = HEIGHT * WIDTH * C_G;
  localparam int GROUPS  = OUT_ROWS * OUT_COLUMNS * C_G;
  localparam int BIASES  = BIAS_BY_NEURON ? GROUPS : C_G;
  localparam int W_A = (WORDS   > 1) ? $clog2(WORDS)   : 1;
  localparam int M_A = (WEIGHTS > 1) ? $clog2(WEIGHTS) : 1;
  localparam int P_A = (PIXELS  > 1) ? $clog2(PIXELS)  : 1;
  localparam int G_A = (GROUPS  > 1) ? $clog2(GROUPS)  : 1;
  localparam int B_A = (BIASES  > 1) ? $clog2(BIASES)  : 1;
  localparam int S_A = (SUBS    > 1) ? $clog2(SUBS)    : 1;

  // ---- events to additions -------------------------------------------------------------------
  wire event_valid, event_ready, scatter_idle, ready;
  wire work_valid, work_ready;
  wire [W_A-1:0] work_word;
  wire [M_A-1:0] work_weights;
  wire sweep_start, sweep_fresh, sweep_busy, sweep_end, room, pipeline_idle;
  // reading starts three clocks after sweep_start: the last addition is in memory by then
  wire [I_A-1:0] event_address;
  wire event_negative, work_negative;
  wire [T_A-1:0] event_data;
  assign event_address  = event_data[I_A-1:0];
  assign event_negative = SIGNED && event_data[T_A-1];
  wire in_last, in_user, in_valid, in_ready;
  asn_skid #(.WIDTH(T_A + 2)) u_skid (
    .clk, .rst_n, .s_data({s_axis_tlast, s_axis_tuser, s_axis_tdata}), .s_valid(s_axis_tvalid),
    .s_ready(s_axis_tready), .m_data({in_last, in_user, event_data}), .m_valid(in_valid), .m_ready(in_ready));
  asn_control u_control (
    .clk, .rst_n, .s_axis_tlast(in_last), .s_axis_tuser(in_user), .s_axis_tvalid(in_valid), .s_axis_tready(in_ready),
    .event_valid, .event_ready, .ready,
    .settled(scatter_idle), .pipeline_idle, .sweep_busy, .sweep_start, .sweep_fresh, .sweep_end);
  if (CONV) begin : g_conv
    asn_scatter_conv #(
      .INPUTS(INPUTS), .IN_CHANNELS(IN_CHANNELS), .KERNEL_ROWS(KERNEL_ROWS), .KERNEL_COLUMNS(KERNEL_COLUMNS),
      .STRIDE_ROWS(STRIDE_ROWS), .STRIDE_COLUMNS(STRIDE_COLUMNS), .OUT_ROWS(HEIGHT), .OUT_COLUMNS(WIDTH),
      .GROUPS(CHANNELS / LANES), .Q_W(Q_W), .R_W(R_W), .WORD_W(WORD_W), .WEIGHT_W(WEIGHT_W), .TABLE_FILE(TABLE_FILE)
    ) u_scatter (
      .clk, .rst_n, .event_valid, .event_address, .event_negative, .event_ready, .work_valid, .work_word, .work_weights,
      .work_negative, .work_ready, .idle(scatter_idle));
  end else begin : g_dense
    asn_scatter_dense #(.INPUTS(INPUTS), .WORDS(WORDS)) u_scatter (
      .clk, .rst_n, .event_valid, .event_address, .event_negative, .event_ready, .work_valid, .work_word, .work_weights,
      .work_negative, .work_ready, .idle(scatter_idle));
  end

  // ---- sweep ---------------------------------------------------------------------------------
  wire item_valid, item_inside, item_first, item_last, item_final, item_fresh, word_done;
  wire [P_A-1:0] item_pixel;
  wire [G_A-1:0] item_neuron;
  wire [B_A-1:0] item_bias;
  wire [W_A-1:0] word;
  wire [S_A-1:0] part;
  asn_sweep #(
    .HEIGHT(HEIGHT), .WIDTH(WIDTH), .CHANNELS(CHANNELS), .UNITS(UNITS), .LANES(LANES), .POOL_ROWS(POOL_ROWS),
    .POOL_COLUMNS(POOL_COLUMNS), .PAD_TOP(PAD_TOP), .PAD_LEFT(PAD_LEFT), .OUT_ROWS(OUT_ROWS),
    .OUT_COLUMNS(OUT_COLUMNS), .BIAS_BY_NEURON(BIAS_BY_NEURON)
  ) u_sweep (
    .clk, .rst_n, .start(sweep_start), .fresh(sweep_fresh), .go(room), .busy(sweep_busy), .item_valid, .item_inside,
    .item_first, .item_last, .item_final, .item_fresh, .item_pixel, .item_neuron, .item_bias, .word, .part, .word_done);

  wire [LANES*D_W-1:0] sums;
  asn_accumulators #(
    .WORDS(WORDS), .LANES(LANES), .D_W(D_W), .W_W(W_W), .WEIGHTS(WEIGHTS), .WEIGHT_FILE(WEIGHT_FILE), .SIGNED(SIGNED)
  ) u_accumulators (
    .clk, .rst_n, .work_valid, .work_word, .work_weights, .work_negative, .work_ready, .read(item_valid && item_inside),
    .read_clear(word_done), .read_word(word), .read_data(sums), .ready);

  // the item's part of the accumulator word; an array, since a part-select at 32'(part2) * UNITS * D_W takes a multiplier
  wire [SUBS-1:0][UNITS*D_W-1:0] parts = sums;
  logic [S_A-1:0] part1, part2;
  logic [UNITS*D_W-1:0] drive;
  always_ff @(posedge clk) begin
    part1 <= part;
    part2 <= part1;
    drive <= parts[part2];
  end

  // ---- neurons and events out ----------------------------------------------------------------
  wire out_valid, out_final;
  wire [G_A-1:0] out_neuron;
  wire [UNITS-1:0] out_spikes, out_negative;
  asn_neurons #(
    .UNITS(UNITS), .PIXELS(PIXELS), .NEURONS(GROUPS), .BIASES(BIASES), .BIAS_FILE(BIAS_FILE), .HELD(0),
    .MULTIPLIER(MULTIPLIER), .ONSET(ONSET), .B_W(B_W), `ASN_PASS_DRIVE, `ASN_PASS_FILTER, `ASN_PASS_FIRE
  ) u_neurons (
    .clk, .rst_n, .item_valid, .item_inside, .item_first, .item_last, .item_final, .item_fresh, .item_pixel,
    .item_neuron, .item_bias, .drive, .out_valid, .out_final, .out_neuron, .out_spikes, .out_negative,
    .idle(pipeline_idle));

  asn_events #(.UNITS(UNITS), .GROUPS(GROUPS), .DEPTH(FIFO_DEPTH), .SIGNED(CORRECTIVE > 0)) u_events (
    .clk, .rst_n, .in_valid(out_valid), .in_final(out_final), .in_end(sweep_end), .in_group(out_neuron),
    .in_spikes(out_spikes), .in_negative(out_negative), .room, .m_axis_tdata, .m_axis_tlast, .m_axis_tuser,
    .m_axis_tvalid, .m_axis_tready);
endmodule
`default_nettype wire
