"""Concatenation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from snntb_adsnn.network.edges import Band, PixelMap
from snntb_adsnn.network.maps.base import Linear
from snntb_adsnn.network.node import Array, Shape


@dataclass(frozen=True, eq=False)
class Concatenate(Linear):
    """Joins its inputs along the last axis."""

    def output_shape(self) -> Shape:
        self._need(len({s[:-1] for s in self.input_shapes}) == 1, "needs inputs that differ in channels only")
        return (*self.input_shapes[0][:-1], sum(s[-1] for s in self.input_shapes))

    def edges(self) -> list[PixelMap]:
        starts = np.cumsum([0, *(shape[-1] for shape in self.input_shapes)])[:-1]
        return [
            PixelMap.each(shape, Band.moved(start + np.arange(shape[-1])))
            for shape, start in zip(self.input_shapes, starts, strict=True)
        ]

    def apply(self, *xs: Array) -> Array:
        return np.concatenate(xs, axis=-1)

    def count(self, downstream: Array) -> tuple[Array, ...]:
        ends = np.cumsum([s[-1] for s in self.input_shapes])[:-1]
        return tuple(np.split(downstream, ends, axis=-1))
