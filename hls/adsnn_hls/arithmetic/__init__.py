"""Fixed-point types, and the arithmetic of one step that the stages share: in NumPy, and compiled (``kernels``)."""

from adsnn_hls.arithmetic.types import OVERFLOWS, ROUNDINGS, FixedType, Words, integer_bits

__all__ = ["OVERFLOWS", "ROUNDINGS", "FixedType", "Words", "integer_bits"]
