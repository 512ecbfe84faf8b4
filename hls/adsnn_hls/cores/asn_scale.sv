// Product of a signed value and a constant, by a multiplier or by shifts and additions. Combinational.
`default_nettype none
module asn_scale #(
  parameter int IN_W       = 18,
  parameter int FACTOR     = 1,  // not negative
  parameter int FACTOR_W   = 12, // bits that hold it
  parameter bit MULTIPLIER = 1,
  localparam int OUT_W     = IN_W + FACTOR_W
) (
  input  wire signed [IN_W-1:0]  x,
  output wire signed [OUT_W-1:0] y
);
  if (MULTIPLIER) begin : g_multiply
    localparam logic signed [FACTOR_W:0] K = (FACTOR_W + 1)'(FACTOR);
    assign y = OUT_W'(x) * OUT_W'(K);
  end else begin : g_shift
    // canonical signed digits: 3n - n spelled with the bits in which 3n and n differ
    localparam logic [FACTOR_W+1:0] N1 = (FACTOR_W + 2)'(FACTOR);
    localparam logic [FACTOR_W+1:0] N3 = (FACTOR_W + 2)'(3 * FACTOR);
    localparam logic [FACTOR_W:0] PLUS  = (FACTOR_W + 1)'((N3 & ~N1) >> 1);
    localparam logic [FACTOR_W:0] MINUS = (FACTOR_W + 1)'((N1 & ~N3) >> 1);
    logic signed [OUT_W:0] sum;
    always_comb begin
      sum = '0;
      for (int i = 0; i <= FACTOR_W; i++) begin
        if (PLUS[i])  sum = sum + ((OUT_W + 1)'(x) <<< i);
        if (MINUS[i]) sum = sum - ((OUT_W + 1)'(x) <<< i);
      end
    end
    assign y = OUT_W'(sum);
  end
endmodule
`default_nettype wire
