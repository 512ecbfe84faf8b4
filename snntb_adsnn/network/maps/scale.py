"""Gains."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from snntb_adsnn.network.edges import Band, PixelMap
from snntb_adsnn.network.maps.base import Convolution, Linear
from snntb_adsnn.network.maps.window import NO_PADDING
from snntb_adsnn.network.node import Array, Shape


@dataclass(frozen=True, eq=False)
class Scale(Linear):
    """One factor per channel (a batch normalization's gain)."""

    factors: Array

    def output_shape(self) -> Shape:
        self._need(self.factors.shape == self.input_shapes[0][-1:], f"needs {self.factors.shape} channels")
        return self.input_shapes[0]

    def edges(self) -> list[PixelMap]:
        return [PixelMap.each(self.input_shapes[0], Band.diagonal(self.factors))]

    def apply(self, *xs: Array) -> Array:
        y: Array = xs[0] * self.factors.astype(xs[0].dtype, copy=False)
        return y

    def count(self, downstream: Array) -> tuple[Array, ...]:
        return (downstream,)

    def as_convolution(self) -> Convolution | None:
        if len(self.shape) != 3:
            return None
        return Convolution(np.diag(self.factors.astype(np.float64))[None, None], (1, 1), NO_PADDING)
