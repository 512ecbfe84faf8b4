// Assigns a signed value to a fixed-point type as ap_fixed does: drop SHIFT low bits with a rounding mode, then
// saturate or wrap. Combinational.
`default_nettype none
module asn_cast #(
  parameter int IN_W     = 32,
  parameter int SHIFT    = 0,  // fraction bits that the type does not have
  parameter int OUT_W    = 18,
  parameter bit SIGNED   = 1,  // of the type; the result is OUT_W raw bits
  parameter bit SATURATE = 1,
  // 0 TRN (to -inf), 1 TRN_ZERO, 2 RND (nearest, ties up), 3 RND_ZERO, 4 RND_INF, 5 RND_MIN_INF, 6 RND_CONV
  parameter int ROUNDING = 0
) (
  input  wire signed [IN_W-1:0] x,
  output wire        [OUT_W-1:0] y
);
  // one bit for the carry of rounding up, one so that an unsigned result has a sign bit above it
  localparam int R_W = ((IN_W - SHIFT > OUT_W) ? IN_W - SHIFT : OUT_W) + 2;

  wire signed [R_W-1:0] rounded;
  if (SHIFT == 0 || ROUNDING == 0) begin : g_floor
    assign rounded = R_W'(x >>> SHIFT);
  end else begin : g_round
    localparam int S = (SHIFT < IN_W) ? SHIFT : IN_W;
    wire half  = (SHIFT > IN_W) ? x[IN_W-1] : x[S-1];
    wire neg   = x[IN_W-1];
    wire rest;  // any bit below the half
    if (SHIFT > IN_W)   begin : g_all  assign rest = |x; end
    else if (S > 1)     begin : g_some assign rest = |x[S-2:0]; end
    else                begin : g_none assign rest = 1'b0; end
    wire signed [R_W-1:0] floored = R_W'(x >>> SHIFT);
    wire up = (ROUNDING == 1) ? neg && (half || rest)
            : (ROUNDING == 2) ? half
            : (ROUNDING == 3) ? half && (rest || neg)
            : (ROUNDING == 4) ? half && (rest || !neg)
            : (ROUNDING == 5) ? half && rest
            :                   half && (rest || floored[0]);
    assign rounded = floored + R_W'({1'b0, up});
  end

  wire [R_W-1:0] bits = rounded;
  if (!SATURATE || IN_W - SHIFT < OUT_W) begin : g_wrap
    // a narrower value, or one whose high bits are dropped; unsigned types still need the clamp at zero
    if (SATURATE && !SIGNED) begin : g_clamp
      assign y = bits[R_W-1] ? '0 : bits[OUT_W-1:0];
    end else begin : g_plain
      assign y = bits[OUT_W-1:0];
    end
  end else if (SIGNED) begin : g_signed
    wire fits = (bits[R_W-1:OUT_W-1] == '0) || (&bits[R_W-1:OUT_W-1]);
    assign y = fits ? bits[OUT_W-1:0] : {bits[R_W-1], {(OUT_W-1){!bits[R_W-1]}}};
  end else begin : g_unsigned
    wire over = |bits[R_W-2:OUT_W];
    assign y = bits[R_W-1] ? '0 : over ? '1 : bits[OUT_W-1:0];
  end
endmodule
`default_nettype wire
