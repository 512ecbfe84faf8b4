"""Training: nets, feeding, checkpoints."""
