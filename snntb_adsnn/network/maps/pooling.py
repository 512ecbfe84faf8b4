"""Average pooling, and max pooling, which is not linear."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from snntb_adsnn.network.edges import Band, PixelMap
from snntb_adsnn.network.maps.base import Convolution, Linear
from snntb_adsnn.network.maps.window import NO_PADDING, Window
from snntb_adsnn.network.node import Array, Node, Shape


@dataclass(frozen=True, eq=False)
class AveragePool2D(Linear):
    """Mean over a window; padded pixels do not count (Keras' rule)."""

    window: Window

    def output_shape(self) -> Shape:
        height, width, channels = self._image()
        return (*self.window.output_size(height, width), channels)

    @property
    def divisor(self) -> Array:
        """Number of real pixels under the window at each output pixel, shape (rows, columns, 1)."""
        height, width, _ = self.input_shapes[0]
        ones = self.window.pad(np.ones((1, height, width, 1)))
        return np.sum([ones[0][part] for _, part in self.window.taps(height, width)], axis=0)

    def edges(self) -> list[PixelMap]:
        height, width, channels = self.input_shapes[0]
        taps = self.window.pixels(height, width)
        outputs, mean = np.arange(len(taps)), (1 / self.divisor).reshape(-1)
        return [
            PixelMap.of(
                (taps[mean == value, tap], outputs[mean == value], Band.diagonal(np.full(channels, value)))
                for value in np.unique(mean)
                for tap in range(taps.shape[1])
            )
        ]

    def apply(self, *xs: Array) -> Array:
        x = self.window.pad(xs[0])
        y = np.zeros((len(x), *self.shape), x.dtype)
        for _, (rows, columns) in self.window.taps(*self.input_shapes[0][:2]):
            y += x[:, rows, columns]
        return y * (1 / self.divisor).astype(x.dtype)

    def count(self, downstream: Array) -> tuple[Array, ...]:
        return (self.window.scatter(downstream, self.input_shapes[0]),)

    def as_convolution(self) -> Convolution | None:
        window = self.window
        if window.padding != NO_PADDING or window.dilation != (1, 1):
            return None
        share = 1 / math.prod(window.size)
        kernel = np.ones((*window.size, 1, 1)) * np.eye(self.input_shapes[0][-1]) * share
        return Convolution(kernel, window.strides, NO_PADDING)

    @property
    def channelwise(self) -> bool:
        return True


@dataclass(frozen=True, eq=False)
class MaxPool2D(Node):
    """Maximum over a window. Not linear: a network holds it merged into neurons (``Neurons.pool``), or in the stem of
    its input, where no neurons are."""

    window: Window

    def output_shape(self) -> Shape:
        self._need(len(self.input_shapes[0]) == 3, "needs (height, width, channels)")
        height, width, channels = self.input_shapes[0]
        return (*self.window.output_size(height, width), channels)

    def apply(self, x: Array) -> Array:
        """Map (batch, *input_shape) to (batch, *shape); padded pixels never win."""
        height, width = x.shape[1:3]
        padded = self.window.pad(x, -np.inf)
        y: Array = np.max([padded[:, r, c] for _, (r, c) in self.window.taps(height, width)], axis=0)
        return y
