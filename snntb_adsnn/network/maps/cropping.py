"""Cropping of images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from snntb_adsnn.network.edges import Band, PixelMap
from snntb_adsnn.network.maps.base import Convolution, Linear
from snntb_adsnn.network.maps.window import NO_PADDING, Padding
from snntb_adsnn.network.node import Array, Shape


@dataclass(frozen=True, eq=False)
class Crop2D(Linear):
    """An image without ``margins``: rows at the top and bottom, columns at the left and right."""

    margins: Padding

    def output_shape(self) -> Shape:
        height, width, channels = self._image()
        rows, columns = height - sum(self.margins[0]), width - sum(self.margins[1])
        self._need(min(map(min, self.margins)) >= 0 and min(rows, columns) >= 1, f"{self.margins} leaves no pixel")
        return (rows, columns, channels)

    def _inside(self) -> tuple[slice, slice]:
        (top, _), (left, _) = self.margins
        return slice(top, top + self.shape[0]), slice(left, left + self.shape[1])

    def edges(self) -> list[PixelMap]:
        height, width, channels = self.input_shapes[0]
        source = np.arange(height * width).reshape(height, width)[self._inside()].reshape(-1)
        return [PixelMap.of([(source, np.arange(len(source)), Band.moved(np.arange(channels)))])]

    def apply(self, *xs: Array) -> Array:
        return xs[0][(slice(None), *self._inside())]

    def as_convolution(self) -> Convolution:
        (top, bottom), (left, right) = self.margins
        channels = self.shape[2]
        kernel = np.zeros((top + bottom + 1, left + right + 1, channels, channels))
        kernel[top, left] = np.eye(channels)  # the one tap that moves the image
        return Convolution(kernel, (1, 1), NO_PADDING)

    @property
    def channelwise(self) -> bool:
        return True
