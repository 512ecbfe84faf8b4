"""Zeros between pixels: what a transposed convolution begins with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from snntb_adsnn.network.edges import Band, PixelMap
from snntb_adsnn.network.maps.base import Linear
from snntb_adsnn.network.maps.window import Pair
from snntb_adsnn.network.node import Array, Shape


@dataclass(frozen=True, eq=False)
class Spread2D(Linear):
    """An image with zeros between its pixels: pixel (r, c) moves to (``strides[0]`` * r, ``strides[1]`` * c)."""

    strides: Pair

    def output_shape(self) -> Shape:
        height, width, channels = self._image()
        self._need(min(self.strides) >= 1, f"the strides {self.strides} must be at least 1")
        return ((height - 1) * self.strides[0] + 1, (width - 1) * self.strides[1] + 1, channels)

    def edges(self) -> list[PixelMap]:
        height, width, channels = self.input_shapes[0]
        rows, columns = np.divmod(np.arange(height * width), width)
        target = rows * self.strides[0] * self.shape[1] + columns * self.strides[1]
        return [PixelMap.of([(np.arange(height * width), target, Band.moved(np.arange(channels)))])]

    def apply(self, *xs: Array) -> Array:
        y = np.zeros((len(xs[0]), *self.shape), xs[0].dtype)
        y[:, :: self.strides[0], :: self.strides[1]] = xs[0]
        return y

    @property
    def channelwise(self) -> bool:
        return True
