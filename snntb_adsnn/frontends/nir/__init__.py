"""NIR, the Neuromorphic Intermediate Representation: networks written to graphs, and read back (docs/nir.md)."""
