"""Accuracy over time, rates, operations, energy, bias correction."""
