"""Some of the channels of an image, or some elements of a vector."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from snntb_adsnn.network.edges import Band, PixelMap
from snntb_adsnn.network.maps.base import Linear
from snntb_adsnn.network.node import Array, Shape


@dataclass(frozen=True, eq=False)
class Channels(Linear):
    """Of every pixel the ``number`` channels from ``start`` on."""

    start: int
    number: int

    def output_shape(self) -> Shape:
        *rest, channels = self.input_shapes[0]
        self._need(0 <= self.start < self.start + self.number <= channels, f"{channels} channels do not hold these")
        return (*rest, self.number)

    @property
    def _range(self) -> slice:
        return slice(self.start, self.start + self.number)

    def edges(self) -> list[PixelMap]:
        place = np.full(self.input_shapes[0][-1], -1)
        place[self._range] = np.arange(self.number)
        return [PixelMap.each(self.shape, Band.moved(place))]

    def apply(self, *xs: Array) -> Array:
        return xs[0][..., self._range]
