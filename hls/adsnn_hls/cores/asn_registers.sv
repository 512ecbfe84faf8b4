// Registers of the accelerator behind AXI4-Lite; docs/rtl.md lists them. One access at a time, no error responses:
// unknown addresses read zero, and writing them changes nothing.
`default_nettype none
module asn_registers #(
  parameter int STEPS  = 50,        // values of the registers after reset
  parameter int MARGIN = 0
) (
  input  wire         clk,
  input  wire         rst_n,
  input  wire  [5:0]  s_axil_awaddr,
  input  wire         s_axil_awvalid,
  output logic        s_axil_awready,
  input  wire  [31:0] s_axil_wdata,
  input  wire  [3:0]  s_axil_wstrb,
  input  wire         s_axil_wvalid,
  output logic        s_axil_wready,
  output logic [1:0]  s_axil_bresp,
  output logic        s_axil_bvalid,
  input  wire         s_axil_bready,
  input  wire  [5:0]  s_axil_araddr,
  input  wire         s_axil_arvalid,
  output logic        s_axil_arready,
  output logic [31:0] s_axil_rdata,
  output logic [1:0]  s_axil_rresp,
  output logic        s_axil_rvalid,
  input  wire         s_axil_rready,
  output logic        core_rst_n,
  output logic [15:0] steps,
  output logic [31:0] margin,
  input  wire         result,       // a step's result is taken
  input  wire         decision      // with result: it is an image's decision
);
  localparam logic [31:0] ID = 32'h4153_4e31; // "ASN1"
  assign s_axil_bresp = 2'b00;
  assign s_axil_rresp = 2'b00;

  // ---- writing: address and data are taken together ------------------------------------------
  logic stopped;
  wire write = s_axil_awvalid && s_axil_wvalid && !s_axil_bvalid;
  assign s_axil_awready = write;
  assign s_axil_wready  = write;
  wire [31:0] mask = {{8{s_axil_wstrb[3]}}, {8{s_axil_wstrb[2]}}, {8{s_axil_wstrb[1]}}, {8{s_axil_wstrb[0]}}};
  wire [15:0] new_steps = (steps & ~mask[15:0]) | (s_axil_wdata[15:0] & mask[15:0]);
  always_ff @(posedge clk)
    if (!rst_n) begin
      s_axil_bvalid <= 1'b0; stopped <= 1'b0; steps <= 16'(STEPS); margin <= 32'(MARGIN);
    end else begin
      if (write)              s_axil_bvalid <= 1'b1;
      else if (s_axil_bready) s_axil_bvalid <= 1'b0;
      if (write) case (s_axil_awaddr[5:2])
        4'd1: if (s_axil_wstrb[0]) stopped <= s_axil_wdata[0];
        4'd2: steps  <= (new_steps == '0) ? 16'd1 : new_steps;
        4'd3: margin <= (margin & ~mask) | (s_axil_wdata & mask);
        default: ;
      endcase
    end
  always_ff @(posedge clk) core_rst_n <= rst_n && !stopped;

  // ---- counters ------------------------------------------------------------------------------
  logic [31:0] clock, last_clock, interval, images, results;
  always_ff @(posedge clk)
    if (!core_rst_n) begin
      clock <= '0; last_clock <= '0; interval <= '0; images <= '0; results <= '0;
    end else begin
      clock <= clock + 32'd1;
      if (result) results <= results + 32'd1;
      if (result && decision) begin
        images     <= images + 32'd1;
        interval   <= clock - last_clock;
        last_clock <= clock;
      end
    end

  // ---- reading -------------------------------------------------------------------------------
  assign s_axil_arready = !s_axil_rvalid;
  always_ff @(posedge clk)
    if (!rst_n) s_axil_rvalid <= 1'b0;
    else if (s_axil_arvalid && s_axil_arready) s_axil_rvalid <= 1'b1;
    else if (s_axil_rready) s_axil_rvalid <= 1'b0;
  always_ff @(posedge clk)
    if (s_axil_arvalid && s_axil_arready) case (s_axil_araddr[5:2])
      4'd0: s_axil_rdata <= ID;
      4'd1: s_axil_rdata <= {31'd0, stopped};
      4'd2: s_axil_rdata <= {16'd0, steps};
      4'd3: s_axil_rdata <= margin;
      4'd4: s_axil_rdata <= images;
      4'd5: s_axil_rdata <= results;
      4'd6: s_axil_rdata <= interval;
      default: s_axil_rdata <= '0;
    endcase
  wire unused = &{1'b0, s_axil_awaddr[1:0], s_axil_araddr[1:0]};
endmodule
`default_nettype wire
