"""Fully connected layers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from snntb_adsnn.network.edges import Band, PixelMap
from snntb_adsnn.network.maps.base import Linear
from snntb_adsnn.network.node import Array, Shape


@dataclass(frozen=True, eq=False)
class Dense(Linear):
    """y = x W, with weights of shape (inputs, outputs)."""

    weights: Array

    def output_shape(self) -> Shape:
        self._need(
            self.weights.ndim == 2 and self.input_shapes == ((self.weights.shape[0],),),
            f"needs one axis of {self.weights.shape[0]} features (Flatten or global pooling in front makes it one)",
        )
        return (int(self.weights.shape[1]),)

    def edges(self) -> list[PixelMap]:
        return [PixelMap.each(self.input_shapes[0], Band.full(self.weights))]

    def apply(self, *xs: Array) -> Array:
        y: Array = xs[0] @ self.weights.astype(xs[0].dtype, copy=False)
        return y

    def count(self, downstream: Array) -> tuple[Array, ...]:
        return (np.full(self.input_shapes[0], downstream.sum(), np.float64),)

    @property
    def weighted(self) -> bool:
        return True
