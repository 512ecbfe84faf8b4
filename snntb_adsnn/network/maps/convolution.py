"""Convolutions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from snntb_adsnn.network.edges import Band, PixelMap
from snntb_adsnn.network.maps.base import Convolution, Linear
from snntb_adsnn.network.maps.window import Pair, Window
from snntb_adsnn.network.node import Array, Shape


@dataclass(frozen=True, eq=False)
class Conv2D(Linear):
    """Cross-correlation, with weights of shape (rows, columns, input channels / groups, output channels)."""

    weights: Array
    window: Window
    groups: int = 1

    def output_shape(self) -> Shape:
        height, width, channels = self._image()
        self._need(
            self.weights.ndim == 4
            and self.weights.shape[:2] == self.window.size
            and self.weights.shape[2] * self.groups == channels
            and self.weights.shape[3] % self.groups == 0,
            f"weights {self.weights.shape} in {self.groups} groups do not fit",
        )
        return (*self.window.output_size(height, width), int(self.weights.shape[3]))

    def edges(self) -> list[PixelMap]:
        taps = self.window.pixels(*self.input_shapes[0][:2])
        kernels = self.weights.reshape(-1, *self.weights.shape[2:])
        bands = [_grouped(kernel, self.groups) for kernel in kernels]
        return [PixelMap.of([(taps[:, tap], np.arange(len(taps)), band) for tap, band in enumerate(bands)])]

    def apply(self, *xs: Array) -> Array:
        x = self.window.pad(xs[0])
        weights = self.weights.astype(x.dtype, copy=False)
        y = np.zeros((len(x), *self.shape), x.dtype)
        inputs, outputs = weights.shape[2], weights.shape[3] // self.groups
        for (i, j), (rows, columns) in self.window.taps(*self.input_shapes[0][:2]):
            for g in range(self.groups):
                y[..., g * outputs : (g + 1) * outputs] += (
                    x[:, rows, columns, g * inputs : (g + 1) * inputs]
                    @ weights[i, j, :, g * outputs : (g + 1) * outputs]
                )
        return y

    def count(self, downstream: Array) -> tuple[Array, ...]:
        per_group = downstream.reshape(*self.shape[:2], self.groups, -1).sum(-1)
        counts = np.repeat(per_group, self.weights.shape[2], axis=-1)
        return (self.window.scatter(counts, self.input_shapes[0]),)

    @property
    def weighted(self) -> bool:
        return True

    def as_convolution(self) -> Convolution:
        kernel = ungrouped(self.weights.astype(np.float64), self.groups)
        return Convolution(dilated(kernel, self.window.dilation), self.window.strides, self.window.padding)


def _grouped(kernel: Array, groups: int) -> Band:
    """One tap: weights (input channels / groups, output channels)."""
    if groups == 1:
        return Band.full(kernel)
    inputs, outputs = kernel.shape[0], kernel.shape[1] // groups
    rows = kernel.reshape(inputs, groups, outputs).transpose(1, 0, 2).reshape(groups * inputs, outputs)
    return Band(rows, np.repeat(np.arange(groups) * outputs, inputs))


def ungrouped(kernel: Array, groups: int) -> Array:
    """A kernel for all channels, with zeros where a group does not see the others'."""
    if groups == 1:
        return kernel
    *size, inputs, outputs = kernel.shape
    full = np.zeros((*size, inputs * groups, outputs))
    for g, part in enumerate(np.split(kernel, groups, axis=-1)):
        share = outputs // groups
        full[..., g * inputs : (g + 1) * inputs, g * share : (g + 1) * share] = part
    return full


def dilated(kernel: Array, dilation: Pair) -> Array:
    """A kernel of the full extent, with zeros between the taps."""
    rows, columns = ((n - 1) * d + 1 for n, d in zip(kernel.shape[:2], dilation, strict=True))
    spread = np.zeros((rows, columns, *kernel.shape[2:]))
    spread[:: dilation[0], :: dilation[1]] = kernel
    return spread
