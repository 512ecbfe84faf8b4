"""Training: feeding, layers that only training needs, checkpoints."""
