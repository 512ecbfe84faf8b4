// Last stage: dense weights, filtered current, argmax over the classes after every time step.
//
// One beat a time step: tdata = {step, class}, tlast with the decision of the image. With a margin above zero the image
// is decided as soon as the two largest outputs are at least that far apart: `stop` tells the first stage, and the steps
// that are still on their way are not reported.
`include "asn_neuron_parameters.svh"
`default_nettype none
module asn_readout_stage #(
  parameter int INPUTS  = 16,
  parameter int CLASSES = 10,
  parameter int LANES   = 1,       // divides CLASSES
  parameter int W_W     = 8,
  parameter     WEIGHT_FILE = "weights",
  parameter bit SIGNED  = 0,       // spikes may be negative
  parameter     BIAS_FILE   = "bias",
  parameter bit MULTIPLIER  = 1,
  parameter int B_W = 12,          // bias
  `ASN_DRIVE_PARAMETERS,
  `ASN_FILTER_PARAMETERS,
  localparam int I_A = (INPUTS > 1) ? $clog2(INPUTS) : 1,
  localparam int T_A = I_A + 32'(SIGNED)
) (
  input  wire            clk,
  input  wire            rst_n,
  input  wire  [31:0]    margin,   // in steps of the potential; 0: never decide early
  input  wire  [T_A-1:0] s_axis_tdata,
  input  wire            s_axis_tlast,
  input  wire            s_axis_tuser,
  input  wire            s_axis_tvalid,
  output logic           s_axis_tready,
  output logic [31:0]    m_axis_tdata,
  output logic           m_axis_tlast,
  output logic           m_axis_tvalid,
  input  wire            m_axis_tready,
  output logic           stop,
  output logic [7:0]     stop_image
);
  localparam int WORDS   = CLASSES / LANES;
  localparam int WEIGHTS = INPUTS * WORDS;
  localparam int W_A = (WORDS   > 1) ? $clog2(WORDS)   : 1;
  localparam int M_A = (WEIGHTS > 1) ? $clog2(WEIGHTS) : 1;
  localparam int C_A = (CLASSES > 1) ? $clog2(CLASSES) : 1;
  localparam int S_A = (LANES   > 1) ? $clog2(LANES)   : 1;

  // ---- events to additions, sweep ------------------------------------------------------------
  wire event_valid, event_ready, scatter_idle, ready, work_valid, work_ready;
  wire [W_A-1:0] work_word;
  wire [M_A-1:0] work_weights;
  wire sweep_start, sweep_fresh, sweep_busy, sweep_end, pipeline_idle;
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
  asn_scatter_dense #(.INPUTS(INPUTS), .WORDS(WORDS)) u_scatter (
    .clk, .rst_n, .event_valid, .event_address, .event_negative, .event_ready, .work_valid, .work_word, .work_weights,
    .work_negative, .work_ready, .idle(scatter_idle));
  wire item_valid, item_final, item_fresh, word_done;
  wire [C_A-1:0] item_class;
  wire [W_A-1:0] word;
  wire [S_A-1:0] part;
  asn_sweep #(.CHANNELS(CLASSES), .UNITS(1), .LANES(LANES)) u_sweep (
    .clk, .rst_n, .start(sweep_start), .fresh(sweep_fresh), .go(1'b1), .busy(sweep_busy), .item_valid,
    .item_inside(), .item_first(), .item_last(), .item_final, .item_fresh, .item_pixel(item_class), .item_neuron(),
    .item_bias(), .word, .part, .word_done);
  wire [LANES*D_W-1:0] sums;
  asn_accumulators #(
    .WORDS(WORDS), .LANES(LANES), .D_W(D_W), .W_W(W_W), .WEIGHTS(WEIGHTS), .WEIGHT_FILE(WEIGHT_FILE), .SIGNED(SIGNED)
  ) u_accumulators (
    .clk, .rst_n, .work_valid, .work_word, .work_weights, .work_negative, .work_ready, .read(item_valid),
    .read_clear(word_done), .read_word(word), .read_data(sums), .ready);

  // ---- filter: clocks after the item, 3 drive and state, 10 I and V ---------------------------
  localparam int LAST  = 12;
  localparam int T_W = 2 + C_A;
  logic [LAST:1]  valid;
  logic [T_W-1:0] tag [1:LAST];
  wire [LANES-1:0][D_W-1:0] parts = sums; // an array, see asn_synaptic_stage
  logic [S_A-1:0] part1, part2;
  logic signed [D_W-1:0] drive;
  always_ff @(posedge clk) begin
    if (!rst_n) valid <= '0;
    else        valid <= {valid[LAST-1:1], item_valid};
    tag[1] <= {item_final, item_fresh, item_class};
    for (int k = 2; k <= LAST; k++) tag[k] <= tag[k-1];
    part1 <= part;
    part2 <= part1;
    drive <= parts[part2];
  end
  wire [I_W+V_W-1:0] state;
  wire signed [I_W-1:0] i_new;
  wire signed [V_W-1:0] v_new;
  wire signed [B_W-1:0] bias;
  asn_ram #(.WIDTH(I_W + V_W), .DEPTH(CLASSES)) u_iv (
    .clk, .write(valid[10]), .write_address(tag[10][0 +: C_A]), .write_data({i_new, v_new}),
    .read_address(tag[1][0 +: C_A]), .zero(tag[2][C_A]), .read_data(state));
  asn_rom #(.WIDTH(B_W), .DEPTH(CLASSES), .FILE(BIAS_FILE)) u_bias (
    .clk, .address(tag[8][0 +: C_A]), .data(bias));
  asn_filter #(
    .HELD(0), .MULTIPLIER(MULTIPLIER), `ASN_PASS_DRIVE, `ASN_PASS_FILTER
  ) u_filter (
    .clk, .in_i($signed(state[V_W +: I_W])), .in_v($signed(state[0 +: V_W])), .in_drive(drive), .out_i(i_new),
    .out_v(v_new));

  // ---- clock 11 output, clock 12 largest and second ------------------------------------------
  localparam int O_W = ((V_W > B_W) ? V_W : B_W) + 1;
  logic signed [O_W-1:0] value, largest, second;
  logic [C_A-1:0] winner;
  wire first_class = tag[11][0 +: C_A] == '0;
  wire [O_W-1:0] lead = largest - second;      // not negative
  always_ff @(posedge clk) begin
    value <= O_W'(v_new) + O_W'(bias);
    if (valid[11]) begin
      if (first_class) begin
        largest <= value; winner <= '0;
        second  <= {1'b1, {(O_W-1){1'b0}}};
      end else if (value > largest) begin
        largest <= value; winner <= tag[11][0 +: C_A];
        second  <= largest;
      end else if (value > second) second <= value;
    end
  end

  // ---- decision ------------------------------------------------------------------------------
  // a beat waits for the consumer while the next step accumulates; its sweep waits until the beat is taken
  logic [15:0] step;
  logic [7:0]  image;
  logic        decided;
  wire step_done = valid[12] && tag[12][C_A+1];
  localparam int L_W = (O_W > 32) ? O_W : 32;
  wire early     = margin != '0 && L_W'(lead) >= L_W'(margin);
  assign pipeline_idle = !item_valid && valid == '0 && !m_axis_tvalid;
  always_ff @(posedge clk)
    if (!rst_n) begin
      m_axis_tvalid <= 1'b0; step <= '0; image <= '0; decided <= 1'b0; stop <= 1'b0;
    end else begin
      stop <= step_done && early && !decided && !sweep_end;
      if (step_done) begin
        m_axis_tvalid <= !decided;
        step    <= sweep_end ? '0 : step + 16'd1;
        decided <= !sweep_end && (decided || early);
        if (sweep_end) image <= image + 8'd1;
      end else if (m_axis_tready) m_axis_tvalid <= 1'b0;
    end
  always_ff @(posedge clk)
    if (step_done) begin
      m_axis_tdata <= {step, 16'(winner)};
      m_axis_tlast <= sweep_end || early;
      stop_image   <= image;
    end
endmodule
`default_nettype wire
