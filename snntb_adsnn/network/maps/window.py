"""The geometry of convolutions and poolings."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from snntb_adsnn.errors import NetworkError
from snntb_adsnn.network.edges import Indices
from snntb_adsnn.network.node import Array, Shape

Pair = tuple[int, int]
Padding = tuple[Pair, Pair]  # ((top, bottom), (left, right))

NO_PADDING: Padding = ((0, 0), (0, 0))


def same_padding(size: Pair, kernel: Pair, strides: Pair, dilation: Pair = (1, 1)) -> Padding:
    """Keras' padding="same": output ceil(size/stride), the odd pixel at the bottom and right.

    Example:
        >>> same_padding((28, 27), (3, 3), (2, 2))
        ((0, 1), (1, 1))
    """

    def one(n: int, k: int, s: int, d: int) -> Pair:
        total = max((math.ceil(n / s) - 1) * s + (k - 1) * d + 1 - n, 0)
        return total // 2, total - total // 2

    return (
        one(size[0], kernel[0], strides[0], dilation[0]),
        one(size[1], kernel[1], strides[1], dilation[1]),
    )


@dataclass(frozen=True, eq=False)
class Window:
    """Geometry of a convolution or pooling: which input pixel each tap of each output pixel reads."""

    size: Pair
    strides: Pair = (1, 1)
    padding: Padding = NO_PADDING
    dilation: Pair = (1, 1)

    def __post_init__(self) -> None:
        if min(*self.size, *self.strides, *self.dilation) < 1 or min(map(min, self.padding)) < 0:
            raise NetworkError(f"{self}: sizes, strides and dilations must be at least 1, padding at least 0.")

    def output_size(self, height: int, width: int) -> Pair:
        """Height and width after this window.

        Raises:
            NetworkError: the window is larger than the padded input.

        Example:
            >>> Window((3, 3), strides=(2, 2), padding=((1, 1), (1, 1))).output_size(28, 27)
            (14, 14)
        """

        def one(n: int, axis: int) -> int:
            extent = (self.size[axis] - 1) * self.dilation[axis] + 1
            return (n + sum(self.padding[axis]) - extent) // self.strides[axis] + 1

        rows, columns = one(height, 0), one(width, 1)
        if min(rows, columns) < 1:
            raise NetworkError(f"a window of {self.size} does not fit an input of {height} x {width} pixels.")
        return rows, columns

    def pad(self, x: Array, value: float = 0.0) -> Array:
        """Pad images of shape (batch, height, width, channels)."""
        if self.padding == NO_PADDING:
            return x
        return np.pad(x, ((0, 0), *self.padding, (0, 0)), constant_values=value)

    def taps(self, height: int, width: int) -> list[tuple[Pair, tuple[slice, slice]]]:
        """For each tap (row, column) of the kernel, the slices of the padded input that it reads."""
        rows, columns = self.output_size(height, width)
        found = []
        for i in range(self.size[0]):
            for j in range(self.size[1]):
                top, left = i * self.dilation[0], j * self.dilation[1]
                found.append(
                    (
                        (i, j),
                        (
                            slice(top, top + (rows - 1) * self.strides[0] + 1, self.strides[0]),
                            slice(left, left + (columns - 1) * self.strides[1] + 1, self.strides[1]),
                        ),
                    )
                )
        return found

    def unpad(self, x: Array) -> Array:
        """Cut the padding off again."""
        (top, bottom), (left, right) = self.padding
        return x[:, top : x.shape[1] - bottom, left : x.shape[2] - right]

    def padded_shape(self, shape: Shape) -> Shape:
        """Shape (height, width, channels) after padding."""
        return (shape[0] + sum(self.padding[0]), shape[1] + sum(self.padding[1]), shape[2])

    def pixels(self, height: int, width: int) -> Indices:
        """Input pixel under each tap of each output pixel, -1 in the padding; shape (output pixels, taps)."""
        image = self.pad(np.arange(height * width).reshape(1, height, width, 1), -1)
        return np.stack([image[0, r, c, 0].reshape(-1) for _, (r, c) in self.taps(height, width)], axis=1)

    def scatter(self, values: Array, shape: Shape) -> Array:
        """Adjoint of summing over the window: add each output pixel's value to all pixels of ``shape`` that it reads;
        float64."""
        total = np.zeros((1, *self.padded_shape(shape)), np.float64)
        for _, (rows, columns) in self.taps(*shape[:2]):
            total[:, rows, columns] += values
        return self.unpad(total)[0]
