"""Hardware for converted networks: fixed point, a golden model, C++ through hls4ml, SystemVerilog."""
