// Order in which a stage updates its neurons: for each pooling window, for each group of UNITS channels, for each pixel
// of the window. A stage without an image is one pixel with many channels. Windows do not overlap (stride = size).
`default_nettype none
module asn_sweep #(
  parameter int HEIGHT   = 1,    // before pooling
  parameter int WIDTH    = 1,
  parameter int CHANNELS = 16,
  parameter int UNITS    = 1,    // divides LANES
  parameter int LANES    = 1,    // of an accumulator word; divides CHANNELS
  parameter int POOL_ROWS    = 1,
  parameter int POOL_COLUMNS = 1,
  parameter int PAD_TOP  = 0,
  parameter int PAD_LEFT = 0,
  parameter int OUT_ROWS    = 1, // after pooling
  parameter int OUT_COLUMNS = 1,
  parameter bit BIAS_BY_NEURON = 1, // else by channel
  localparam int C_G = CHANNELS / UNITS,
  localparam int L_G = CHANNELS / LANES,
  localparam int SUBS    = LANES / UNITS,
  localparam int PIXELS  = HEIGHT * WIDTH * C_G,
  localparam int WORDS   = HEIGHT * WIDTH * L_G,
  localparam int NEURONS = OUT_ROWS * OUT_COLUMNS * C_G,
  localparam int BIASES  = BIAS_BY_NEURON ? NEURONS : C_G,
  localparam int P_A = (PIXELS  > 1) ? $clog2(PIXELS)  : 1,
  localparam int W_A = (WORDS   > 1) ? $clog2(WORDS)   : 1,
  localparam int N_A = (NEURONS > 1) ? $clog2(NEURONS) : 1,
  localparam int B_A = (BIASES  > 1) ? $clog2(BIASES)  : 1,
  localparam int S_A = (SUBS    > 1) ? $clog2(SUBS)    : 1
) (
  input  wire            clk,
  input  wire            rst_n,
  input  wire            start,      // while not busy
  input  wire            fresh,      // sampled with start
  input  wire            go,         // issue an item this clock
  output logic           busy,       // items are left to issue
  output logic           item_valid,
  output logic           item_inside,
  output logic           item_first,
  output logic           item_last,
  output logic           item_final,
  output logic           item_fresh,
  output logic [P_A-1:0] item_pixel,
  output logic [N_A-1:0] item_neuron,
  output logic [B_A-1:0] item_bias,
  output logic [W_A-1:0] word,       // accumulators of the item: address of the word, part of it, and whether this is
  output logic [S_A-1:0] part,       // the last use of the word
  output logic           word_done
);
  localparam int R_W = $clog2(HEIGHT + POOL_ROWS + PAD_TOP + 1) + 2;
  localparam int X_W = $clog2(WIDTH + POOL_COLUMNS + PAD_LEFT + 1) + 2;
  localparam int Q_W = (C_G > 1) ? $clog2(C_G) : 1;
  localparam int G_W = (L_G > 1) ? $clog2(L_G) : 1;
  localparam int YA_W = (POOL_ROWS > 1) ? $clog2(POOL_ROWS) : 1;
  localparam int XA_W = (POOL_COLUMNS > 1) ? $clog2(POOL_COLUMNS) : 1;

  // ---- counters ------------------------------------------------------------------------------
  logic signed [R_W-1:0] row0;       // first row and column of the window
  logic signed [X_W-1:0] column0;
  logic [YA_W-1:0] y;                // tap
  logic [XA_W-1:0] x;
  logic [Q_W-1:0]  group;            // of UNITS channels = lanes * SUBS + sub
  logic [G_W-1:0]  lanes;
  logic [S_A-1:0]  sub;
  logic [N_A-1:0]  neuron;
  logic            fresh_q;
  wire last_x       = x == XA_W'(POOL_COLUMNS - 1);
  wire last_tap     = last_x && (y == YA_W'(POOL_ROWS - 1));
  wire last_sub     = sub == S_A'(SUBS - 1);
  wire last_group   = group == Q_W'(C_G - 1);
  wire last_column  = column0 == X_W'((OUT_COLUMNS - 1) * POOL_COLUMNS - PAD_LEFT);
  wire last_neuron  = neuron == N_A'(NEURONS - 1);
  wire issue        = busy && go;
  always_ff @(posedge clk)
    if (!rst_n) busy <= 1'b0;
    else if (start) busy <= 1'b1;
    else if (issue && last_tap && last_neuron) busy <= 1'b0;
  always_ff @(posedge clk)
    if (start) begin
      row0 <= R_W'(-PAD_TOP); column0 <= X_W'(-PAD_LEFT);
      y <= '0; x <= '0; group <= '0; lanes <= '0; sub <= '0; neuron <= '0; fresh_q <= fresh;
    end else if (issue) begin
      x <= last_x ? '0 : x + 1'b1;
      if (last_x) y <= last_tap ? '0 : y + 1'b1;
      if (last_tap) begin
        neuron <= neuron + 1'b1;
        sub    <= last_sub ? '0 : sub + 1'b1;
        group  <= last_group ? '0 : group + 1'b1;
        if (last_sub) lanes <= last_group ? '0 : lanes + 1'b1;
        if (last_group) begin
          column0 <= last_column ? X_W'(-PAD_LEFT) : column0 + X_W'(POOL_COLUMNS);
          if (last_column) row0 <= row0 + R_W'(POOL_ROWS);
        end
      end
    end

  // ---- addresses: pixel position, then words -------------------------------------------------
  wire signed [R_W-1:0] row    = row0 + R_W'({1'b0, y});
  wire signed [X_W-1:0] column = column0 + X_W'({1'b0, x});
  localparam int POS_W = (HEIGHT * WIDTH > 1) ? $clog2(HEIGHT * WIDTH) : 1;
  logic v1, inside1, first1, last1, final1, done1;
  logic [POS_W-1:0] position1;
  logic [Q_W-1:0] group1;
  logic [G_W-1:0] lanes1;
  logic [S_A-1:0] sub1;
  logic [N_A-1:0] neuron1;
  always_ff @(posedge clk)
    if (!rst_n) begin
      v1 <= 1'b0; item_valid <= 1'b0;
    end else begin
      v1 <= issue; item_valid <= v1;
    end
  always_ff @(posedge clk) begin
    inside1 <= row >= 0 && row < R_W'(HEIGHT) && column >= 0 && column < X_W'(WIDTH);
    first1  <= x == '0 && y == '0;
    last1   <= last_tap;
    final1  <= last_tap && last_neuron;
    done1   <= last_sub;
    position1 <= POS_W'(POS_W'(row) * POS_W'(WIDTH)) + POS_W'(column);
    group1 <= group; lanes1 <= lanes; sub1 <= sub; neuron1 <= neuron;

    item_inside <= inside1; item_first <= first1; item_last <= last1; item_final <= final1;
    item_fresh  <= fresh_q;
    item_pixel  <= P_A'(P_A'(position1) * P_A'(C_G)) + P_A'(group1);
    item_neuron <= neuron1;
    item_bias   <= BIAS_BY_NEURON ? B_A'(neuron1) : B_A'(group1);
    word        <= W_A'(W_A'(position1) * W_A'(L_G)) + W_A'(lanes1);
    part        <= sub1;
    word_done   <= done1 && inside1;
  end
endmodule
`default_nettype wire
