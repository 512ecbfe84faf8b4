"""Reshapes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from snntb_adsnn.network.edges import Band, PixelMap, pixels
from snntb_adsnn.network.maps.base import Linear
from snntb_adsnn.network.node import Array, Shape


@dataclass(frozen=True, eq=False)
class Reshape(Linear):
    """Row-major reshape (Flatten, Reshape)."""

    target: Shape

    def output_shape(self) -> Shape:
        self._need(math.prod(self.target) == math.prod(self.input_shapes[0]), f"cannot become {self.target}")
        return self.target

    def edges(self) -> list[PixelMap]:
        """Channels of one pixel may spread over several pixels, or pixels join into one."""
        shape = self.input_shapes[0]
        before, after = shape[-1], self.shape[-1]
        if before == after:
            return [PixelMap.each(shape, Band.moved(np.arange(before)))]
        parts = []
        for pixel in range(pixels(shape)):
            target, channel = np.divmod(pixel * before + np.arange(before), after)
            for t in np.unique(target):
                band = Band.moved(np.where(target == t, channel, -1))
                parts.append((np.array([pixel]), np.array([t]), band))
        return [PixelMap.of(parts)]

    def apply(self, *xs: Array) -> Array:
        return xs[0].reshape(len(xs[0]), *self.target)

    def count(self, downstream: Array) -> tuple[Array, ...]:
        return (downstream.reshape(self.input_shapes[0]),)
