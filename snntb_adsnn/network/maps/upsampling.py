"""Up-sampling by repeating pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from snntb_adsnn.network.edges import Band, PixelMap
from snntb_adsnn.network.maps.base import Linear
from snntb_adsnn.network.maps.window import Pair
from snntb_adsnn.network.node import Shape


@dataclass(frozen=True, eq=False)
class UpSample2D(Linear):
    """Every pixel repeated: ``factors`` rows and columns of it take its place (nearest neighbour)."""

    factors: Pair

    def output_shape(self) -> Shape:
        height, width, channels = self._image()
        self._need(min(self.factors) >= 1, f"the factors {self.factors} must be at least 1")
        return (height * self.factors[0], width * self.factors[1], channels)

    def edges(self) -> list[PixelMap]:
        height, width, channels = self.input_shapes[0]
        source = np.arange(height * width).reshape(height, width).repeat(self.factors[0], 0).repeat(self.factors[1], 1)
        return [PixelMap.of([(source.reshape(-1), np.arange(source.size), Band.moved(np.arange(channels)))])]

    @property
    def channelwise(self) -> bool:
        return True
