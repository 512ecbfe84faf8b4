// UNITS lanes of neurons with their state memories: one item a clock, no stalls.
//
// An item is one pixel before pooling of UNITS neighbouring channels. Its current and potential are updated; the items of
// a pooling window follow each other (item_first ... item_last), and the last one fires the neurons on the largest
// potential. Without pooling every item is first and last.
//
// Clocks after the item: 3 drive, 10 I and V written, 16 S_hat and theta_a written and spikes out.
`include "asn_neuron_parameters.svh"
`default_nettype none
module asn_neurons #(
  parameter int UNITS   = 1,
  parameter int PIXELS  = 16,   // words of the memory of I and V
  parameter int NEURONS = 16,   // words of the memory of S_hat and theta_a
  parameter int BIASES  = 16,   // words of the bias memory
  parameter     BIAS_FILE = "bias",
  parameter bit HELD       = 0, // the current comes with the item as drive and is not stored here
  parameter bit MULTIPLIER = 1,
  parameter int ONSET   = 0,    // no neuron spikes before this step of an image
  parameter int B_W = 12,       // bias; V_F fraction bits
  `ASN_DRIVE_PARAMETERS,        // with HELD the drive has the type of I
  `ASN_FILTER_PARAMETERS,
  `ASN_FIRE_PARAMETERS,
  localparam int P_A = (PIXELS  > 1) ? $clog2(PIXELS)  : 1,
  localparam int N_A = (NEURONS > 1) ? $clog2(NEURONS) : 1,
  localparam int B_A = (BIASES  > 1) ? $clog2(BIASES)  : 1
) (
  input  wire                  clk,
  input  wire                  rst_n,
  input  wire                  item_valid,
  input  wire                  item_inside,  // the pixel exists (windows may reach over the edge)
  input  wire                  item_first,
  input  wire                  item_last,
  input  wire                  item_final,   // last item of the time step
  input  wire                  item_fresh,   // first time step of an image: states read as zero
  input  wire  [P_A-1:0]       item_pixel,
  input  wire  [N_A-1:0]       item_neuron,
  input  wire  [B_A-1:0]       item_bias,
  input  wire  [UNITS*D_W-1:0] drive,        // three clocks after the item
  output logic                 out_valid,
  output logic                 out_final,
  output logic [N_A-1:0]       out_neuron,
  output logic [UNITS-1:0]     out_spikes,
  output logic [UNITS-1:0]     out_negative, // of the spikes, which are corrective
  output logic                 idle          // nothing in the pipeline
);
  // ---- flags beside the pipeline: index = clocks after the item ------------------------------
  localparam int LAST = 16;
  localparam int T_W  = 5 + P_A + N_A + B_A;
  logic [LAST:1]  valid;
  logic [T_W-1:0] tag [1:LAST];
  always_ff @(posedge clk) begin
    if (!rst_n) valid <= '0;
    else        valid <= {valid[LAST-1:1], item_valid};
    tag[1] <= {item_inside, item_first, item_last, item_final, item_fresh, item_pixel, item_neuron, item_bias};
    for (int k = 2; k <= LAST; k++) tag[k] <= tag[k-1];
  end
  localparam int INSIDE = T_W - 1, FIRST = T_W - 2, WINDOW_LAST = T_W - 3, FINAL = T_W - 4, FRESH = T_W - 5;
  assign idle = !item_valid && (valid == '0);

  // ---- state memories ------------------------------------------------------------------------
  localparam int IV_W = HELD ? V_W : I_W + V_W;
  localparam int HA_W = H_W + A_W;
  wire                  pixel_write = valid[10] && tag[10][INSIDE];
  wire  [P_A-1:0]       pixel_address = tag[10][N_A+B_A +: P_A];
  wire                  neuron_write = valid[16] && tag[16][WINDOW_LAST];
  wire  [N_A-1:0]       neuron_address = tag[16][B_A +: N_A];
  wire  [UNITS*IV_W-1:0] iv_read, iv_write;
  wire  [UNITS*HA_W-1:0] ha_read, ha_write;
  wire  [UNITS*B_W-1:0]  bias;

  asn_ram #(.WIDTH(UNITS*IV_W), .DEPTH(PIXELS)) u_iv (
    .clk, .write(pixel_write), .write_address(pixel_address), .write_data(iv_write),
    .read_address(tag[1][N_A+B_A +: P_A]), .zero(tag[2][FRESH]), .read_data(iv_read));
  asn_ram #(.WIDTH(UNITS*HA_W), .DEPTH(NEURONS)) u_ha (
    .clk, .write(neuron_write), .write_address(neuron_address), .write_data(ha_write),
    .read_address(tag[8][B_A +: N_A]), .zero(tag[9][FRESH]), .read_data(ha_read));
  asn_rom #(.WIDTH(UNITS*B_W), .DEPTH(BIASES), .FILE(BIAS_FILE)) u_bias (
    .clk, .address(tag[9][0 +: B_A]), .data(bias));

  // ---- onset: steps that are left to wait, as the items pass clock 12 --------------------------
  logic waits; // clock 13
  if (ONSET > 0) begin : g_onset
    localparam int L_W = $clog2(ONSET + 1);
    logic [L_W-1:0] left;
    wire  [L_W-1:0] now = tag[12][FRESH] ? L_W'(ONSET) : left;
    always_ff @(posedge clk) begin
      if (valid[12] && tag[12][FINAL]) left <= (now == '0) ? '0 : now - 1'b1;
      waits <= now != '0;
    end
  end else begin : g_at_once
    assign waits = 1'b0;
  end

  // ---- lanes ---------------------------------------------------------------------------------
  localparam int S_W = ((V_W > B_W) ? V_W : B_W) + 1;
  localparam logic signed [V_W-1:0] LOWEST = {1'b1, {(V_W-1){1'b0}}};
  wire [UNITS-1:0] spikes, negative;
  for (genvar u = 0; u < UNITS; u++) begin : g_unit
    wire signed [V_W-1:0] v_old = iv_read[u*IV_W +: V_W];
    wire signed [I_W-1:0] i_old;
    /* verilator lint_off UNUSEDSIGNAL */
    wire signed [I_W-1:0] i_new; // not stored where the current is held
    /* verilator lint_on UNUSEDSIGNAL */
    wire signed [V_W-1:0] v_new;
    if (HELD) begin : g_held
      assign i_old = I_W'($signed(drive[u*D_W +: D_W]));
      assign iv_write[u*IV_W +: IV_W] = v_new;
    end else begin : g_stored
      assign i_old = iv_read[u*IV_W+V_W +: I_W];
      assign iv_write[u*IV_W +: IV_W] = {i_new, v_new};
    end
    asn_filter #(
      .HELD(HELD), .MULTIPLIER(MULTIPLIER), `ASN_PASS_DRIVE, `ASN_PASS_FILTER
    ) u_filter (
      .clk, .in_i(i_old), .in_v(v_old), .in_drive($signed(drive[u*D_W +: D_W])), .out_i(i_new), .out_v(v_new));

    // clock 11: largest potential of the window; clock 12: bias
    logic signed [V_W-1:0] largest;
    logic signed [S_W-1:0] s;
    wire signed [V_W-1:0] held = tag[10][FIRST] ? LOWEST : largest;
    wire signed [B_W-1:0] b = bias[u*B_W +: B_W];
    always_ff @(posedge clk) begin
      if (valid[10]) largest <= (tag[10][INSIDE] && v_new > held) ? v_new : held;
      s <= S_W'(largest) + S_W'(b);
    end

    asn_fire #(
      .MULTIPLIER(MULTIPLIER), .S_W(S_W), .S_F(V_F), .C_W(C_W), .C_F(C_F), `ASN_PASS_FIRE
    ) u_fire (
      .clk, .in_h(ha_read[u*HA_W+A_W +: H_W]), .in_a(ha_read[u*HA_W +: A_W]), .in_s(s), .in_wait(waits),
      .out_spike(spikes[u]), .out_negative(negative[u]),
      .out_h(ha_write[u*HA_W+A_W +: H_W]), .out_a(ha_write[u*HA_W +: A_W]));
  end

  assign out_valid  = neuron_write;
  assign out_final  = tag[16][FINAL];
  assign out_neuron = neuron_address;
  assign out_spikes = spikes;
  assign out_negative = negative;
endmodule
`default_nettype wire
