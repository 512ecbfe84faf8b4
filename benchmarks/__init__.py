"""Measurements: ratios in one run, never absolute promises (machines are noisy)."""
