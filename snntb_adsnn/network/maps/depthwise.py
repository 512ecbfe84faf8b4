"""Depthwise convolutions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from snntb_adsnn.network.edges import Band, PixelMap
from snntb_adsnn.network.maps.base import Convolution, Linear
from snntb_adsnn.network.maps.convolution import dilated, ungrouped
from snntb_adsnn.network.maps.window import Window
from snntb_adsnn.network.node import Array, Shape


@dataclass(frozen=True, eq=False)
class DepthwiseConv2D(Linear):
    """One kernel per channel, with weights of shape (rows, columns, channels, multiplier).

    Output channel c * multiplier + k is kernel k of channel c.
    """

    weights: Array
    window: Window

    def output_shape(self) -> Shape:
        height, width, channels = self._image()
        self._need(
            self.weights.ndim == 4 and self.weights.shape[:2] == self.window.size and self.weights.shape[2] == channels,
            f"weights {self.weights.shape} do not fit",
        )
        return (*self.window.output_size(height, width), channels * int(self.weights.shape[3]))

    def edges(self) -> list[PixelMap]:
        taps = self.window.pixels(*self.input_shapes[0][:2])
        channels, multiplier = self.weights.shape[2:]
        first = np.arange(channels) * multiplier
        bands = [Band(kernel, first) for kernel in self.weights.reshape(-1, channels, multiplier)]
        return [PixelMap.of([(taps[:, tap], np.arange(len(taps)), band) for tap, band in enumerate(bands)])]

    def apply(self, *xs: Array) -> Array:
        x = self.window.pad(xs[0])
        weights = self.weights.astype(x.dtype, copy=False)
        y = np.zeros((len(x), *self.shape[:2], *weights.shape[2:]), x.dtype)
        for (i, j), (rows, columns) in self.window.taps(*self.input_shapes[0][:2]):
            y += x[:, rows, columns, :, None] * weights[i, j]
        return y.reshape(len(x), *self.shape)

    def count(self, downstream: Array) -> tuple[Array, ...]:
        counts = downstream.reshape(*self.shape[:2], *self.weights.shape[2:]).sum(-1)
        return (self.window.scatter(counts, self.input_shapes[0]),)

    @property
    def weighted(self) -> bool:
        return True

    def as_convolution(self) -> Convolution:
        channels = self.input_shapes[0][-1]
        kernel = ungrouped(self.weights.astype(np.float64).reshape(*self.window.size, 1, -1), channels)
        return Convolution(dilated(kernel, self.window.dilation), self.window.strides, self.window.padding)
