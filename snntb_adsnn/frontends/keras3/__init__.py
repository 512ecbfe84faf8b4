"""Keras 3: models of the package ``keras``, on any of its backends."""
