// Work of one event in a convolution stage: every output pixel whose kernel covers the event, and there each group of
// LANES output channels. A table gives what depends on the event's address; from there on it is additions.
//
// With stride s, padding p and an event in row y, output row oy = (y + p - i) / s is reached through kernel row i where
// that is a whole number in the output; columns likewise. From one such i to the next is s, and oy falls by one, so the
// loops start at the smallest i, with the largest oy, and end at row 0 or at the kernel's end. A table word is
// {oy, i, ox, j, word, weights} of the start: word = (oy * OUT_COLUMNS + ox) * GROUPS, and
// weights = ((i * KERNEL_COLUMNS + j) * IN_CHANNELS + channel) * GROUPS. i = KERNEL_ROWS or j = KERNEL_COLUMNS: an event
// that no output sees.
`default_nettype none
module asn_scatter_conv #(
  parameter int INPUTS = 128,         // height * width * channels
  parameter int IN_CHANNELS    = 2,
  parameter int KERNEL_ROWS    = 3,
  parameter int KERNEL_COLUMNS = 3,
  parameter int STRIDE_ROWS    = 1,
  parameter int STRIDE_COLUMNS = 1,
  parameter int OUT_ROWS    = 8,
  parameter int OUT_COLUMNS = 8,
  parameter int GROUPS = 1,           // output channels / LANES
  parameter int Q_W    = 5,           // bits of o, i or j, word and weights in the table
  parameter int R_W    = 1,
  parameter int WORD_W = 8,
  parameter int WEIGHT_W = 8,
  parameter     TABLE_FILE = "scatter",
  localparam int WORDS = OUT_ROWS * OUT_COLUMNS * GROUPS,
  localparam int E_A = (INPUTS > 1) ? $clog2(INPUTS) : 1,
  localparam int W_A = (WORDS  > 1) ? $clog2(WORDS)  : 1,
  localparam int M_D = KERNEL_ROWS * KERNEL_COLUMNS * IN_CHANNELS * GROUPS,
  localparam int M_A = (M_D > 1) ? $clog2(M_D) : 1
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
  localparam int T_W = 2 * (Q_W + R_W) + WORD_W + WEIGHT_W;
  localparam int G_W = (GROUPS > 1) ? $clog2(GROUPS) : 1;

  // ---- the next event's table word is looked up while the last one is at work ----------------
  logic           waiting, waiting_negative, negative;  // negative: of the event at work
  logic [1:0]     age;
  logic [E_A-1:0] waiting_address;
  wire  [T_W-1:0] table_word;
  wire            take;                                 // the waiting event goes to work
  asn_rom #(.WIDTH(T_W), .DEPTH(INPUTS), .FILE(TABLE_FILE)) u_table (
    .clk, .address(waiting_address), .data(table_word));
  assign event_ready = !waiting || take;
  always_ff @(posedge clk)
    if (!rst_n) begin
      waiting <= 1'b0; age <= '0;
    end else if (event_ready) begin
      waiting <= event_valid; age <= '0;
    end else if (age != 2'd2) age <= age + 1'b1;
  always_ff @(posedge clk)
    if (event_ready) begin
      waiting_address  <= event_address;
      waiting_negative <= event_negative;
    end

  wire [Q_W-1:0] oy_table, ox_table;
  wire [R_W-1:0] i_table, j_table;
  wire [WORD_W-1:0] word0;
  wire [WEIGHT_W-1:0] weights0;
  assign {oy_table, i_table, ox_table, j_table, word0, weights0} = table_word;

  // ---- loop: rows, columns, groups -----------------------------------------------------------
  logic busy;
  logic [Q_W-1:0] oy, ox, ox0;
  logic [R_W-1:0] i, j, j0;
  logic [G_W-1:0] group;
  logic [W_A-1:0] row_word, pixel_word;                 // word of group 0, in the row's first and in this column
  logic [M_A-1:0] row_weights, pixel_weights;
  wire last_group = group == G_W'(GROUPS - 1);
  wire last_j     = 32'(j) + STRIDE_COLUMNS >= KERNEL_COLUMNS || ox == '0;
  wire last_i     = 32'(i) + STRIDE_ROWS >= KERNEL_ROWS || oy == '0;
  wire nothing    = 32'(i) >= KERNEL_ROWS || 32'(j) >= KERNEL_COLUMNS;
  wire advance    = busy && (!work_valid || work_ready);
  wire done       = advance && (nothing || (last_group && last_j && last_i));
  assign take = waiting && age == 2'd2 && (!busy || done);
  assign idle = !waiting && !busy && !work_valid;
  always_ff @(posedge clk)
    if (!rst_n) begin
      busy <= 1'b0; work_valid <= 1'b0;
    end else begin
      if (take)      busy <= 1'b1;
      else if (done) busy <= 1'b0;
      if (advance)         work_valid <= !nothing;
      else if (work_ready) work_valid <= 1'b0;
    end
  always_ff @(posedge clk) begin
    if (advance) begin
      work_word    <= pixel_word + W_A'(group);
      work_weights <= pixel_weights + M_A'(group);
      work_negative <= negative;
    end
    if (take) begin
      oy <= oy_table; ox <= ox_table; ox0 <= ox_table;
      i  <= i_table; j <= j_table; j0 <= j_table;
      group <= '0; negative <= waiting_negative;
      row_word <= W_A'(word0); pixel_word <= W_A'(word0);
      row_weights <= M_A'(weights0); pixel_weights <= M_A'(weights0);
    end else if (advance) begin
      if (!last_group) group <= group + 1'b1;
      else begin
        group <= '0;
        if (!last_j) begin
          j  <= j + R_W'(STRIDE_COLUMNS);
          ox <= ox - 1'b1;
          pixel_word    <= pixel_word - W_A'(GROUPS);
          pixel_weights <= pixel_weights + M_A'(STRIDE_COLUMNS * IN_CHANNELS * GROUPS);
        end else begin
          j  <= j0;
          ox <= ox0;
          i  <= i + R_W'(STRIDE_ROWS);
          oy <= oy - 1'b1;
          row_word    <= row_word - W_A'(OUT_COLUMNS * GROUPS);
          pixel_word  <= row_word - W_A'(OUT_COLUMNS * GROUPS);
          row_weights   <= row_weights + M_A'(STRIDE_ROWS * KERNEL_COLUMNS * IN_CHANNELS * GROUPS);
          pixel_weights <= row_weights + M_A'(STRIDE_ROWS * KERNEL_COLUMNS * IN_CHANNELS * GROUPS);
        end
      end
    end
  end
endmodule
`default_nettype wire
