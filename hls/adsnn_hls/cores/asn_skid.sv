// AXI4-Stream register in both directions: neither valid nor ready passes through, so that stages do not form one long
// path. One clock of latency, full throughput.
`default_nettype none
module asn_skid #(
  parameter int WIDTH = 8
) (
  input  wire              clk,
  input  wire              rst_n,
  input  wire  [WIDTH-1:0] s_data,
  input  wire              s_valid,
  output logic             s_ready,
  output logic [WIDTH-1:0] m_data,
  output logic             m_valid,
  input  wire              m_ready
);
  logic             kept_valid;  // came while the output was not taken
  logic [WIDTH-1:0] kept;
  wire free = !m_valid || m_ready;
  assign s_ready = !kept_valid;
  always_ff @(posedge clk)
    if (!rst_n) begin
      m_valid <= 1'b0; kept_valid <= 1'b0;
    end else if (free) begin
      m_valid <= kept_valid || s_valid;
      kept_valid <= 1'b0;
    end else if (s_valid) kept_valid <= 1'b1;
  always_ff @(posedge clk) begin
    if (free)     m_data <= kept_valid ? kept : s_data;
    if (s_ready)  kept <= s_data;
  end
endmodule
`default_nettype wire
