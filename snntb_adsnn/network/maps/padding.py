"""Zero padding."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from snntb_adsnn.network.edges import Band, PixelMap
from snntb_adsnn.network.maps.base import Convolution, Linear
from snntb_adsnn.network.maps.window import Padding, Window
from snntb_adsnn.network.node import Array, Shape


@dataclass(frozen=True, eq=False)
class ZeroPad2D(Linear):
    """Zeros around an image."""

    padding: Padding

    def output_shape(self) -> Shape:
        height, width, channels = self._image()
        return (height + sum(self.padding[0]), width + sum(self.padding[1]), channels)

    def edges(self) -> list[PixelMap]:
        height, width, channels = self.input_shapes[0]
        source = Window((1, 1), padding=self.padding).pixels(height, width)[:, 0]
        return [PixelMap.of([(source, np.arange(len(source)), Band.moved(np.arange(channels)))])]

    def apply(self, *xs: Array) -> Array:
        return np.pad(xs[0], ((0, 0), *self.padding, (0, 0)))

    def count(self, downstream: Array) -> tuple[Array, ...]:
        return (Window((1, 1), padding=self.padding).unpad(downstream[None])[0],)

    def as_convolution(self) -> Convolution:
        return Convolution(np.eye(self.input_shapes[0][-1])[None, None], (1, 1), self.padding)

    @property
    def channelwise(self) -> bool:
        return True
