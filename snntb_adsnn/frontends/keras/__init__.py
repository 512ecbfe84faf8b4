"""Keras 2: models, layers, the activation AAN."""
