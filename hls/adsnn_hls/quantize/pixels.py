"""How input words come from the sensor."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from adsnn_hls.arithmetic import FixedType
from snntb_adsnn.errors import ParameterError


@dataclass(frozen=True)
class PixelFormat:
    """How input words come from the sensor: network input = scale * word + offset.

    Attributes:
        bits: unsigned word length.
        scale: default: 8-bit pixels stand for 0 to 1.
        offset: added.
    """

    bits: int = 8
    scale: float = 1 / 255
    offset: float = 0.0

    def __post_init__(self) -> None:
        if not 1 <= self.bits <= 16 or not (math.isfinite(self.scale) and self.scale > 0):
            raise ParameterError(f"{self}: 1 to 16 bits and a finite scale above 0 are needed.")
        if not math.isfinite(self.offset):
            raise ParameterError(f"{self}: the offset must be finite.")

    @classmethod
    def of(cls, x: Any, bits: int = 8) -> PixelFormat:
        """The format for data ``x``: 0 to 1 where they lie in it (images), else from their smallest to largest."""
        low, high = float(np.min(x)), float(np.max(x))
        if low < 0 or high > 1:
            return cls(bits, max(high - low, 1e-9) / (2**bits - 1), low)
        return cls(bits, 1 / (2**bits - 1))

    @property
    def type(self) -> FixedType:
        """Type of an input word."""
        return FixedType(self.bits, self.bits, signed=False)
