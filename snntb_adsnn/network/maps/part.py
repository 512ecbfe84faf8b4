"""A part of a vector: one input of several, which a network takes together."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from snntb_adsnn.network.edges import Band, PixelMap, pixels
from snntb_adsnn.network.maps.base import Linear
from snntb_adsnn.network.node import Array, Shape


@dataclass(frozen=True, eq=False)
class Part(Linear):
    """The elements of a vector from ``start`` on, as an array of shape ``target``."""

    start: int
    target: Shape

    def output_shape(self) -> Shape:
        self._need(len(self.input_shapes[0]) == 1, "needs a vector")
        self._need(0 <= self.start <= self.input_shapes[0][0] - math.prod(self.target), f"has no {self.target} there")
        return self.target

    @property
    def _range(self) -> slice:
        return slice(self.start, self.start + math.prod(self.target))

    def edges(self) -> list[PixelMap]:
        channels, place = self.target[-1], np.full(self.input_shapes[0], -1)
        place[self._range] = np.arange(math.prod(self.target))
        parts = []
        for pixel in range(pixels(self.target)):
            here = place // channels == pixel
            band = Band.moved(np.where(here & (place >= 0), place % channels, -1))
            parts.append((np.array([0]), np.array([pixel]), band))
        return [PixelMap.of(parts)]

    def apply(self, *xs: Array) -> Array:
        return xs[0][:, self._range].reshape(len(xs[0]), *self.target)

    def count(self, downstream: Array) -> tuple[Array, ...]:
        costs = np.zeros(self.input_shapes[0])
        costs[self._range] = downstream.reshape(-1)
        return (costs,)
