"""PyTorch: modules, what ``torch.export`` made of them, the activation AAN. Importing this imports no torch."""
