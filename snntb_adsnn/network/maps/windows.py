"""Maps that max pooling is made of where no neuron is near: max(x) = x_0 + max(x - x_0), whose last term is never
negative. ``x_0`` is one pixel of the window (``Pick2D``); ``Differences2D`` gives x - x_0 for all of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from snntb_adsnn.network.edges import Band, Indices, PixelMap
from snntb_adsnn.network.maps.base import Linear
from snntb_adsnn.network.maps.window import Window
from snntb_adsnn.network.node import Array, Shape


def _first(taps: Indices) -> Indices:
    """Of each window, the first pixel that is not padding."""
    return taps[np.arange(len(taps)), np.argmax(taps >= 0, axis=1)]


@dataclass(frozen=True, eq=False)
class Pick2D(Linear):
    """One pixel of each window: the first that is not padding."""

    window: Window

    def output_shape(self) -> Shape:
        height, width, channels = self._image()
        rows, columns = self.window.output_size(height, width)
        self._need(bool((self.window.pixels(height, width) >= 0).any(axis=1).all()), "a window holds padding only")
        return (rows, columns, channels)

    def edges(self) -> list[PixelMap]:
        height, width, channels = self.input_shapes[0]
        source = _first(self.window.pixels(height, width))
        return [PixelMap.of([(source, np.arange(len(source)), Band.moved(np.arange(channels)))])]

    def apply(self, *xs: Array) -> Array:
        height, width, channels = self.input_shapes[0]
        flat = xs[0].reshape(len(xs[0]), -1, channels)
        return flat[:, _first(self.window.pixels(height, width))].reshape(-1, *self.shape)

    @property
    def channelwise(self) -> bool:
        return True


@dataclass(frozen=True, eq=False)
class Differences2D(Linear):
    """All pixels of each window, less the one that ``Pick2D`` takes: an image in which each window is a tile of its
    own, of ``window.size`` pixels. Padding gives 0, which is also the difference of that one pixel."""

    window: Window

    def output_shape(self) -> Shape:
        height, width, channels = self._image()
        rows, columns = self.window.output_size(height, width)
        return (rows * self.window.size[0], columns * self.window.size[1], channels)

    @property
    def tiles(self) -> Window:
        """The window under which the result is pooled."""
        return Window(self.window.size, self.window.size)

    def _pixels(self) -> tuple[Indices, Indices]:
        """By pixel of the output, the pixel of the input there, -1 for padding, and the one that is taken from it."""
        height, width, _ = self.input_shapes[0]
        taps = self.window.pixels(height, width)
        rows, columns = self.window.output_size(height, width)

        def placed(values: Indices) -> Indices:
            tiled = values.reshape(rows, columns, *self.window.size)
            return tiled.transpose(0, 2, 1, 3).reshape(-1)

        return placed(taps), placed(np.broadcast_to(_first(taps)[:, None], taps.shape))

    def edges(self) -> list[PixelMap]:
        channels = self.input_shapes[0][2]
        here, taken = self._pixels()
        other = (here >= 0) & (here != taken)
        targets = np.flatnonzero(other)
        plus, minus = np.ones(channels, np.float32), -np.ones(channels, np.float32)
        return [
            PixelMap.of([(here[other], targets, Band.diagonal(plus)), (taken[other], targets, Band.diagonal(minus))])
        ]

    def apply(self, *xs: Array) -> Array:
        flat = xs[0].reshape(len(xs[0]), -1, self.input_shapes[0][2])
        here, taken = self._pixels()
        y = flat[:, np.where(here >= 0, here, taken)] - flat[:, taken]
        return y.reshape(len(flat), *self.shape)

    @property
    def channelwise(self) -> bool:
        return True
