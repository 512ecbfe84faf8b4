// Memory with one write and one read port. Reading takes two clocks (the memory, then a register: block RAM is slow at
// its output). What a read of the word being written returns is not defined; the users never do that.
`default_nettype none
module asn_ram #(
  parameter int WIDTH = 36,
  parameter int DEPTH = 512,
  localparam int A_W  = (DEPTH > 1) ? $clog2(DEPTH) : 1
) (
  input  wire             clk,
  input  wire             write,
  input  wire [A_W-1:0]   write_address,
  input  wire [WIDTH-1:0] write_data,
  input  wire [A_W-1:0]   read_address,
  input  wire             zero,         // with the memory's own output, one clock after the address: read zero instead
  output logic [WIDTH-1:0] read_data
);
  (* no_rw_check *) logic [WIDTH-1:0] memory [0:DEPTH-1];
  logic [WIDTH-1:0] raw;
  always_ff @(posedge clk) begin
    if (write) memory[write_address] <= write_data;
    raw <= memory[read_address];
`ifndef SYNTHESIS
    // what block RAM may return here differs between devices: simulate anything, so that a use of it shows
    if (write && write_address == read_address) raw <= 'x;
`endif
  end
  always_ff @(posedge clk)
    if (zero) read_data <= '0;
    else      read_data <= raw;
endmodule
`default_nettype wire
