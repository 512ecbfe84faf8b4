"""Proofs about the RTL: C++ neuron = RTL neuron for all inputs, and stream properties (README.md)."""
