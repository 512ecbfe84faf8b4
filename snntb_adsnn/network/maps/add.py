"""Sums."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from snntb_adsnn.network.edges import Band, PixelMap
from snntb_adsnn.network.maps.base import Linear
from snntb_adsnn.network.node import Array, Shape


@dataclass(frozen=True, eq=False)
class Add(Linear):
    """Sum of its inputs (residual connections)."""

    def output_shape(self) -> Shape:
        self._need(len(self.inputs) > 1 and len(set(self.input_shapes)) == 1, "needs inputs of one shape")
        return self.input_shapes[0]

    def edges(self) -> list[PixelMap]:
        return [PixelMap.each(shape, Band.moved(np.arange(shape[-1]))) for shape in self.input_shapes]

    def apply(self, *xs: Array) -> Array:
        return sum(xs[1:], start=xs[0])

    def count(self, downstream: Array) -> tuple[Array, ...]:
        return (downstream,) * len(self.inputs)
