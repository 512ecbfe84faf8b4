// Weights and accumulators: LANES additions (with SIGNED: or subtractions) a clock, four clocks from work to memory. Work
// on a word that is still being added to waits. A sweep reads words (two clocks) and leaves zeros behind; after reset all
// words are set to zero.
`default_nettype none
module asn_accumulators #(
  parameter int WORDS   = 4,
  parameter int LANES   = 4,
  parameter int D_W     = 16,     // accumulator
  parameter int W_W     = 8,      // weight
  parameter int WEIGHTS = 256,    // words of the weight memory
  parameter     WEIGHT_FILE = "weights", // lane 0 lowest
  parameter bit SIGNED  = 0,      // some weights are subtracted
  localparam int W_A = (WORDS   > 1) ? $clog2(WORDS)   : 1,
  localparam int M_A = (WEIGHTS > 1) ? $clog2(WEIGHTS) : 1
) (
  input  wire                  clk,
  input  wire                  rst_n,
  input  wire                  work_valid,
  input  wire  [W_A-1:0]       work_word,
  input  wire  [M_A-1:0]       work_weights,
  input  wire                  work_negative, // with SIGNED: the weights are subtracted
  output logic                 work_ready,
  input  wire                  read,        // has precedence over work
  input  wire                  read_clear,
  input  wire  [W_A-1:0]       read_word,
  output logic [LANES*D_W-1:0] read_data,
  output logic                 ready        // cleared after reset
);
  // ---- clearing after reset ------------------------------------------------------------------
  logic [W_A-1:0] sweep;
  always_ff @(posedge clk)
    if (!rst_n) begin
      ready <= 1'b0; sweep <= '0;
    end else if (!ready) begin
      sweep <= sweep + 1'b1;
      ready <= sweep == W_A'(WORDS - 1);
    end

  // ---- words on their way: index = clocks after the request ----------------------------------
  logic [3:1] adding, clearing;
  logic [W_A-1:0] word1, word2, word3;
  wire hazard = ((adding[1] || clearing[1]) && word1 == work_word) || ((adding[2] || clearing[2]) && word2 == work_word)
             || ((adding[3] || clearing[3]) && word3 == work_word);
  assign work_ready = ready && !read && !hazard;
  wire [W_A-1:0] word0 = !ready ? sweep : read ? read_word : work_word;
  always_ff @(posedge clk) begin
    adding   <= {adding[2:1], work_valid && work_ready};
    clearing <= {clearing[2:1], !ready || (read && read_clear)};
    if (!rst_n) begin
      adding <= '0; clearing <= '0;
    end
    word1 <= word0; word2 <= word1; word3 <= word2;
  end

  // ---- memories and lanes --------------------------------------------------------------------
  wire  [LANES*W_W-1:0] weights;
  logic [LANES*D_W-1:0] sum;
  asn_rom #(.WIDTH(LANES*W_W), .DEPTH(WEIGHTS), .FILE(WEIGHT_FILE)) u_weights (
    .clk, .address(work_weights), .data(weights));
  asn_ram #(.WIDTH(LANES*D_W), .DEPTH(WORDS)) u_sums (
    .clk, .write(adding[3] || clearing[3]), .write_address(word3), .write_data(sum),
    .read_address(word0), .zero(1'b0), .read_data);
  logic negative2;                           // with the weights
  if (SIGNED) begin : g_signed
    logic negative1;
    always_ff @(posedge clk) begin
      negative1 <= work_negative;
      negative2 <= negative1;
    end
  end else begin : g_unsigned
    wire unused = &{1'b0, work_negative};
    assign negative2 = 1'b0;
  end
  for (genvar l = 0; l < LANES; l++) begin : g_lane
    wire signed [D_W-1:0] old = read_data[l*D_W +: D_W];
    wire signed [W_W-1:0] w   = weights[l*W_W +: W_W];
    always_ff @(posedge clk)
      if (clearing[2]) sum[l*D_W +: D_W] <= '0;
      else             sum[l*D_W +: D_W] <= old + (D_W'(w) ^ {D_W{negative2}}) + D_W'({1'b0, negative2});
  end
endmodule
`default_nettype wire
