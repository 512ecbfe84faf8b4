// First stage: pixels come once an image, one a beat; every neuron is updated in every time step.
//
// The held current <current>(gain * pixel + offset) is computed as pixels come. There are two banks of it: the next image
// is loaded while this one is simulated. An image takes `steps` time steps, or fewer when `stop` names it.
`include "asn_neuron_parameters.svh"
`default_nettype none
module asn_analog_stage #(
  parameter int NEURONS  = 16,
  parameter int UNITS    = 1,      // divides NEURONS
  parameter int PIXEL_W  = 8,      // input words, unsigned
  parameter int GAINS    = 1,      // words of the gain memory, used in turn: 1, the channels, or one for each pixel
  parameter     GAIN_FILE = "gain", // {gain, offset}
  parameter int GAIN_W   = 16,
  parameter int OFFSET_W = 8,
  parameter int PRODUCT_F = 16,    // fraction bits of gain * pixel and of the offset
  parameter int OFFSET_F = 12,
  parameter bit BIAS_BY_NEURON = 0, // else all neurons share one bias
  parameter     BIAS_FILE = "bias",
  parameter bit MULTIPLIER = 1,
  parameter int ONSET = 0,         // no neuron spikes before this step of an image
  parameter int B_W = 12,
  `ASN_FILTER_PARAMETERS,
  `ASN_FIRE_PARAMETERS,
  parameter int FIFO_DEPTH = 64,
  localparam int O_A = (NEURONS > 1) ? $clog2(NEURONS) : 1,
  localparam int M_A = O_A + 32'(CORRECTIVE > 0)
) (
  input  wire                clk,
  input  wire                rst_n,
  input  wire  [15:0]        steps,       // of an image, at least 1
  input  wire                stop,        // image `stop_image` is decided: its next step is its last
  input  wire  [7:0]         stop_image,
  input  wire  [PIXEL_W-1:0] s_axis_tdata,
  input  wire                s_axis_tvalid,
  output logic               s_axis_tready,
  output logic [M_A-1:0]     m_axis_tdata,
  output logic               m_axis_tlast,
  output logic               m_axis_tuser,
  output logic               m_axis_tvalid,
  input  wire                m_axis_tready
);
  localparam int GROUPS = NEURONS / UNITS;
  localparam int G_A = (GROUPS > 1) ? $clog2(GROUPS) : 1;
  localparam int U_A = (UNITS  > 1) ? $clog2(UNITS)  : 1;
  localparam int K_A = (GAINS  > 1) ? $clog2(GAINS)  : 1;
  localparam int BIASES = BIAS_BY_NEURON ? GROUPS : 1;
  localparam int B_A = (BIASES > 1) ? $clog2(BIASES) : 1;

  // ---- loading: pixel, gain (2 clocks), product, sum, current --------------------------------
  logic            load_bank, run_bank;
  logic [1:0]      loaded;
  logic [G_A-1:0]  load_group;
  logic [U_A-1:0]  load_unit;
  logic [K_A-1:0]  load_gain;
  logic            loading;               // pixels of the image are still to come
  assign s_axis_tready = loading;
  wire load       = s_axis_tvalid && loading;
  wire last_unit  = load_unit == U_A'(UNITS - 1);
  wire last_pixel = last_unit && load_group == G_A'(GROUPS - 1);

  localparam int TAG_W = 1 + 1 + G_A + U_A;
  logic [5:1] load_valid;
  logic [TAG_W-1:0] load_tag [1:5];       // {last pixel, bank, group, unit}
  wire  [GAIN_W+OFFSET_W-1:0] gain_word;
  logic [PIXEL_W-1:0] pixel1, pixel2;
  localparam int M_W = GAIN_W + PIXEL_W + 1;
  localparam int F   = (PRODUCT_F > OFFSET_F) ? PRODUCT_F : OFFSET_F;
  localparam int F_S = (F > I_F) ? F : I_F;  // a current with more fraction bits than the sum: zeros are appended
  localparam int S_W = ((M_W + F_S - PRODUCT_F > OFFSET_W + F_S - OFFSET_F) ? M_W + F_S - PRODUCT_F
                                                                          : OFFSET_W + F_S - OFFSET_F) + 1;
  logic signed [M_W-1:0] product3;
  logic signed [OFFSET_W-1:0] offset3;
  logic signed [S_W-1:0] sum4;
  wire  [I_W-1:0] cast;
  logic [I_W-1:0] current5;
  asn_rom #(.WIDTH(GAIN_W + OFFSET_W), .DEPTH(GAINS), .FILE(GAIN_FILE)) u_gain (
    .clk, .address(load_gain), .data(gain_word));
  asn_cast #(.IN_W(S_W), .SHIFT(F_S - I_F), .OUT_W(I_W), .SIGNED(1), .SATURATE(I_SATURATE), .ROUNDING(I_ROUNDING))
    u_cast (.x(sum4), .y(cast));
  wire signed [GAIN_W-1:0] gain = gain_word[OFFSET_W +: GAIN_W];
  always_ff @(posedge clk) begin
    load_tag[1] <= {last_pixel, load_bank, load_group, load_unit};
    for (int k = 2; k <= 5; k++) load_tag[k] <= load_tag[k-1];
    pixel1 <= s_axis_tdata; pixel2 <= pixel1;
    product3 <= M_W'(gain) * M_W'($signed({1'b0, pixel2}));
    offset3  <= gain_word[0 +: OFFSET_W];
    sum4     <= (S_W'(product3) <<< (F_S - PRODUCT_F)) + (S_W'(offset3) <<< (F_S - OFFSET_F));
    current5 <= cast;
  end
  logic image_done;                       // the image at work has issued its last item
  wire stored = load_valid[5] && load_tag[5][TAG_W-1];
  always_ff @(posedge clk)
    if (!rst_n) begin
      load_valid <= '0; load_bank <= 1'b0; load_group <= '0; load_unit <= '0; load_gain <= '0;
      loading <= 1'b0; loaded <= '0;
    end else begin
      load_valid <= {load_valid[4:1], load};
      if (load) begin
        load_unit <= last_unit ? '0 : load_unit + 1'b1;
        if (last_unit) load_group <= last_pixel ? '0 : load_group + 1'b1;
        load_gain <= (load_gain == K_A'(GAINS - 1)) ? '0 : load_gain + 1'b1;
        if (last_pixel) load_bank <= !load_bank;
      end
      // a bank is free from its image's last item until the last pixel of the next image is stored in it
      loading <= load && last_pixel ? 1'b0 : loading || (!loaded[load_bank] && load_valid == '0);
      if (stored)     loaded[load_tag[5][TAG_W-2]] <= 1'b1;
      if (image_done) loaded[run_bank] <= 1'b0;
    end

  // ---- time steps ----------------------------------------------------------------------------
  localparam bit LONG = GROUPS >= 24;     // a sweep outlasts the pipeline: the next one need not wait for it to empty
  logic [15:0] step;
  logic [7:0]  image;
  logic        stopped, ending, was_busy;
  wire sweep_busy, pipeline_idle, room;
  wire last_step   = step + 16'd1 >= steps || stopped || (stop && stop_image == image);
  wire sweep_start = !sweep_busy && !was_busy && loaded[run_bank] && (LONG || pipeline_idle);
  assign image_done = was_busy && !sweep_busy && ending;
  always_ff @(posedge clk)
    if (!rst_n) begin
      step <= '0; image <= '0; stopped <= 1'b0; run_bank <= 1'b0; was_busy <= 1'b0; ending <= 1'b0;
    end else begin
      was_busy <= sweep_busy;
      if (stop && stop_image == image) stopped <= 1'b1;
      if (sweep_start) begin
        ending <= last_step;
        step   <= last_step ? '0 : step + 16'd1;
      end
      if (image_done) begin
        run_bank <= !run_bank; image <= image + 8'd1; stopped <= 1'b0;
      end
    end

  wire item_valid, item_inside, item_first, item_last, item_final, item_fresh;
  wire [G_A-1:0] item_pixel, item_neuron;
  asn_sweep #(.CHANNELS(NEURONS), .UNITS(UNITS), .LANES(UNITS)) u_sweep (
    .clk, .rst_n, .start(sweep_start), .fresh(step == '0), .go(room), .busy(sweep_busy), .item_valid, .item_inside,
    .item_first, .item_last, .item_final, .item_fresh, .item_pixel, .item_neuron, .item_bias(), .word(), .part(),
    .word_done());

  // items are two clocks behind the counters, and so are the flags of their sweep
  logic bank1, item_bank, out_end;
  always_ff @(posedge clk) begin
    bank1     <= run_bank;
    item_bank <= bank1;
    if (item_valid && item_final) out_end <= ending;
  end

  // ---- held current, neurons, events ---------------------------------------------------------
  wire  [UNITS*I_W-1:0] held;
  logic [UNITS*I_W-1:0] drive;
  for (genvar u = 0; u < UNITS; u++) begin : g_held
    asn_ram #(.WIDTH(I_W), .DEPTH(2 << G_A)) u_current (
      .clk, .write(load_valid[5] && load_tag[5][0 +: U_A] == U_A'(u)), .write_address(load_tag[5][U_A +: G_A+1]),
      .write_data(current5), .read_address({item_bank, item_pixel}), .zero(1'b0), .read_data(held[u*I_W +: I_W]));
  end
  always_ff @(posedge clk) drive <= held;

  wire out_valid, out_final;
  wire [G_A-1:0] out_neuron;
  wire [UNITS-1:0] out_spikes, out_negative;
  asn_neurons #(
    .UNITS(UNITS), .PIXELS(GROUPS), .NEURONS(GROUPS), .BIASES(BIASES), .BIAS_FILE(BIAS_FILE), .HELD(1),
    .MULTIPLIER(MULTIPLIER), .ONSET(ONSET), .B_W(B_W), .D_W(I_W), .D_F(I_F), .K_BETA(0), `ASN_PASS_FILTER,
    `ASN_PASS_FIRE
  ) u_neurons (
    .clk, .rst_n, .item_valid, .item_inside, .item_first, .item_last, .item_final, .item_fresh, .item_pixel,
    .item_neuron, .item_bias(BIAS_BY_NEURON ? B_A'(item_neuron) : '0), .drive, .out_valid, .out_final, .out_neuron,
    .out_spikes, .out_negative, .idle(pipeline_idle));

  asn_events #(.UNITS(UNITS), .GROUPS(GROUPS), .DEPTH(FIFO_DEPTH), .SIGNED(CORRECTIVE > 0)) u_events (
    .clk, .rst_n, .in_valid(out_valid), .in_final(out_final), .in_end(out_end), .in_group(out_neuron),
    .in_spikes(out_spikes), .in_negative(out_negative), .room, .m_axis_tdata, .m_axis_tlast, .m_axis_tuser,
    .m_axis_tvalid, .m_axis_tready);
endmodule
`default_nettype wire
