"""Testbenches: modules that cocotb loads inside the simulator."""
