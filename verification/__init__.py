"""Verification of the RTL: cocotb testbenches that pytest runs on Verilator."""
