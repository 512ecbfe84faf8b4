// Turns spike masks into address events: a FIFO of masks that are not empty, and a serialiser.
//
// The entry with in_final also carries the tick that ends the time step; it is sent behind its events. With SIGNED an
// event is {negative, address}.
`default_nettype none
module asn_events #(
  parameter int UNITS   = 1,
  parameter int GROUPS  = 16,    // neurons / UNITS
  parameter int DEPTH   = 64,    // of the FIFO, a power of two
  parameter int FLIGHT  = 24,    // entries that may still come after room falls
  parameter bit SIGNED  = 0,     // spikes may be negative
  localparam int G_W    = (GROUPS > 1) ? $clog2(GROUPS) : 1,
  localparam int E_W    = (GROUPS * UNITS > 1) ? $clog2(GROUPS * UNITS) : 1,
  localparam int M_W    = E_W + 32'(SIGNED)
) (
  input  wire              clk,
  input  wire              rst_n,
  input  wire              in_valid,
  input  wire              in_final,
  input  wire              in_end,        // with in_final: the image ends
  input  wire  [G_W-1:0]   in_group,
  input  wire  [UNITS-1:0] in_spikes,
  input  wire  [UNITS-1:0] in_negative,   // of the spikes; with SIGNED
  output logic             room,
  output logic [M_W-1:0]   m_axis_tdata,
  output logic             m_axis_tlast,
  output logic             m_axis_tuser,
  output logic             m_axis_tvalid,
  input  wire              m_axis_tready
);
  // ---- FIFO ----------------------------------------------------------------------------------
  localparam int W   = 2 + G_W + (SIGNED ? 2 : 1) * UNITS;
  localparam int P_W = $clog2(DEPTH);
  (* no_rw_check *) logic [W-1:0] fifo [0:DEPTH-1];
  logic [P_W-1:0] head, tail;
  logic [P_W:0]   count;
  wire push = in_valid && (in_final || in_spikes != '0);
  wire pop;
  wire [W-1:0] front = fifo[head];
  wire [W-1:0] entry;
  logic [UNITS-1:0] negative;            // of the entry at work
  if (SIGNED) begin : g_signed
    assign entry = {in_negative, in_final, in_final && in_end, in_group, in_spikes};
    always_ff @(posedge clk) if (pop) negative <= front[W-1 -: UNITS];
  end else begin : g_unsigned
    wire unused = &{1'b0, in_negative};
    assign entry = {in_final, in_final && in_end, in_group, in_spikes};
    assign negative = '0;
  end
  always_ff @(posedge clk) if (push) fifo[tail] <= entry;
  always_ff @(posedge clk)
    if (!rst_n) begin
      head <= '0; tail <= '0; count <= '0; room <= 1'b0;
    end else begin
      if (push) tail <= tail + 1'b1;
      if (pop)  head <= head + 1'b1;
      count <= count + (P_W+1)'({1'b0, push}) - (P_W+1)'({1'b0, pop});
      room  <= count < (P_W+1)'(DEPTH - FLIGHT);
    end

  // ---- serialiser ----------------------------------------------------------------------------
  logic             busy, final_q, end_q;
  logic [G_W-1:0]   group;
  logic [UNITS-1:0] spikes;
  wire  [UNITS-1:0] rest = spikes & (spikes - 1'b1);
  wire  advance = busy && (!m_axis_tvalid || m_axis_tready);
  wire  tick    = spikes == '0;                       // only the tick is left of this entry
  wire  done    = advance && (tick || (rest == '0 && !final_q));
  assign pop = (count != '0) && (!busy || done);

  localparam int L_W = (UNITS > 1) ? $clog2(UNITS) : 1;
  logic [L_W-1:0] lane;
  always_comb begin
    lane = '0;
    for (int u = UNITS - 1; u >= 0; u--) if (spikes[u]) lane = L_W'(u);
  end
  always_ff @(posedge clk)
    if (!rst_n) begin
      busy <= 1'b0; m_axis_tvalid <= 1'b0;
    end else begin
      if (pop)       busy <= 1'b1;
      else if (done) busy <= 1'b0;
      if (advance)            m_axis_tvalid <= 1'b1;
      else if (m_axis_tready) m_axis_tvalid <= 1'b0;
    end
  always_ff @(posedge clk) begin
    if (pop)          {final_q, end_q, group, spikes} <= front[1+G_W+UNITS:0];
    else if (advance) spikes <= rest;
    if (advance) begin
      m_axis_tdata <= tick ? '0 : M_W'({negative[lane], E_W'(E_W'(group) * E_W'(UNITS)) + E_W'(lane)});
      m_axis_tlast <= tick;
      m_axis_tuser <= tick && end_q;
    end
  end
endmodule
`default_nettype wire
