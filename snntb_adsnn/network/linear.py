"""Linear maps between neurons: what Keras layers without state become. Channels last, float32 weights, no biases.

Biases never live here: a network adds them at the neuron, unfiltered (see ``network.Neurons.bias``).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snntb_adsnn.errors import NetworkError

Array = NDArray[Any]
Shape = tuple[int, ...]
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


@dataclass(frozen=True, eq=False)
class Node:
    """A vertex of the network graph.

    Attributes:
        name: unique in its network.
        inputs: names of the nodes it reads.
        input_shapes: their shapes, without the batch axis.
        shape: its own output shape, computed on construction.
    """

    name: str
    inputs: tuple[str, ...]
    input_shapes: tuple[Shape, ...]
    shape: Shape = field(init=False)

    def __post_init__(self) -> None:
        if len(self.inputs) != len(self.input_shapes):
            raise NetworkError(f"{self.name}: {len(self.inputs)} inputs, but {len(self.input_shapes)} shapes.")
        for key, value in vars(self).items():
            if isinstance(value, np.ndarray):
                if not np.isfinite(value).all():
                    raise NetworkError(f"{self.name}: {key} holds NaN or infinite values; train or load it again.")
                value.flags.writeable = False
        object.__setattr__(self, "shape", self.output_shape())

    def output_shape(self) -> Shape:
        """Output shape from the input shapes; raises NetworkError where they do not fit."""
        raise NotImplementedError

    def _need(self, condition: bool, what: str) -> None:
        if not condition:
            raise NetworkError(f"{self.name} ({type(self).__name__}): {what}, but its input is {self.input_shapes}.")


@dataclass(frozen=True, eq=False)
class Linear(Node):
    """A node whose output is a linear function of its inputs."""

    def apply(self, *xs: Array) -> Array:
        """Map inputs of shape (batch, *input_shape) to (batch, *shape), in the inputs' dtype."""
        raise NotImplementedError

    def count(self, downstream: Array) -> tuple[Array, ...]:
        """Adjoint that counts synapses: given the number of additions that one event at each output costs, of shape
        ``shape``, the number that one event at each input costs, one array per input."""
        raise NotImplementedError

    @property
    def weighted(self) -> bool:
        """Whether the node has synaptic weights."""
        return False


def _images(node: Linear) -> tuple[int, int, int]:
    node._need(len(node.input_shapes) == 1 and len(node.input_shapes[0]) == 3, "needs (height, width, channels)")
    height, width, channels = node.input_shapes[0]
    return height, width, channels


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

    def apply(self, *xs: Array) -> Array:
        y: Array = xs[0] @ self.weights.astype(xs[0].dtype, copy=False)
        return y

    def count(self, downstream: Array) -> tuple[Array, ...]:
        return (np.full(self.input_shapes[0], downstream.sum(), np.float64),)

    @property
    def weighted(self) -> bool:
        return True


@dataclass(frozen=True, eq=False)
class Conv2D(Linear):
    """Cross-correlation, with weights of shape (rows, columns, input channels / groups, output channels)."""

    weights: Array
    window: Window
    groups: int = 1

    def output_shape(self) -> Shape:
        height, width, channels = _images(self)
        self._need(
            self.weights.ndim == 4
            and self.weights.shape[:2] == self.window.size
            and self.weights.shape[2] * self.groups == channels
            and self.weights.shape[3] % self.groups == 0,
            f"weights {self.weights.shape} in {self.groups} groups do not fit",
        )
        return (*self.window.output_size(height, width), int(self.weights.shape[3]))

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
        return (scatter(self.window, counts, self.input_shapes[0]),)

    @property
    def weighted(self) -> bool:
        return True


@dataclass(frozen=True, eq=False)
class DepthwiseConv2D(Linear):
    """One kernel per channel, with weights of shape (rows, columns, channels, multiplier).

    Output channel c * multiplier + k is kernel k of channel c.
    """

    weights: Array
    window: Window

    def output_shape(self) -> Shape:
        height, width, channels = _images(self)
        self._need(
            self.weights.ndim == 4 and self.weights.shape[:2] == self.window.size and self.weights.shape[2] == channels,
            f"weights {self.weights.shape} do not fit",
        )
        return (*self.window.output_size(height, width), channels * int(self.weights.shape[3]))

    def apply(self, *xs: Array) -> Array:
        x = self.window.pad(xs[0])
        weights = self.weights.astype(x.dtype, copy=False)
        y = np.zeros((len(x), *self.shape[:2], *weights.shape[2:]), x.dtype)
        for (i, j), (rows, columns) in self.window.taps(*self.input_shapes[0][:2]):
            y += x[:, rows, columns, :, None] * weights[i, j]
        return y.reshape(len(x), *self.shape)

    def count(self, downstream: Array) -> tuple[Array, ...]:
        counts = downstream.reshape(*self.shape[:2], *self.weights.shape[2:]).sum(-1)
        return (scatter(self.window, counts, self.input_shapes[0]),)

    @property
    def weighted(self) -> bool:
        return True


def scatter(window: Window, values: Array, input_shape: Shape) -> Array:
    """Adjoint of summing over a window: add each output pixel's value to all pixels it reads."""
    total = np.zeros((1, *window.padded_shape(input_shape)), np.float64)
    for _, (rows, columns) in window.taps(*input_shape[:2]):
        total[:, rows, columns] += values
    return window.unpad(total)[0]


@dataclass(frozen=True, eq=False)
class AveragePool2D(Linear):
    """Mean over a window; padded pixels do not count (Keras' rule)."""

    window: Window

    def output_shape(self) -> Shape:
        height, width, channels = _images(self)
        return (*self.window.output_size(height, width), channels)

    @property
    def divisor(self) -> Array:
        """Number of real pixels under the window at each output pixel, shape (rows, columns, 1)."""
        height, width, _ = self.input_shapes[0]
        ones = self.window.pad(np.ones((1, height, width, 1)))
        return np.sum([ones[0][part] for _, part in self.window.taps(height, width)], axis=0)

    def apply(self, *xs: Array) -> Array:
        x = self.window.pad(xs[0])
        y = np.zeros((len(x), *self.shape), x.dtype)
        for _, (rows, columns) in self.window.taps(*self.input_shapes[0][:2]):
            y += x[:, rows, columns]
        return y * (1 / self.divisor).astype(x.dtype)

    def count(self, downstream: Array) -> tuple[Array, ...]:
        return (scatter(self.window, downstream, self.input_shapes[0]),)


@dataclass(frozen=True, eq=False)
class MaxPool2D(Node):
    """Maximum over a window. Not linear: a network holds it only merged into neurons (``Neurons.pool``)."""

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


@dataclass(frozen=True, eq=False)
class ZeroPad2D(Linear):
    """Zeros around an image."""

    padding: Padding

    def output_shape(self) -> Shape:
        height, width, channels = _images(self)
        return (height + sum(self.padding[0]), width + sum(self.padding[1]), channels)

    def apply(self, *xs: Array) -> Array:
        return np.pad(xs[0], ((0, 0), *self.padding, (0, 0)))

    def count(self, downstream: Array) -> tuple[Array, ...]:
        return (Window((1, 1), padding=self.padding).unpad(downstream[None])[0],)


@dataclass(frozen=True, eq=False)
class Reshape(Linear):
    """Row-major reshape (Flatten, Reshape)."""

    target: Shape

    def output_shape(self) -> Shape:
        self._need(math.prod(self.target) == math.prod(self.input_shapes[0]), f"cannot become {self.target}")
        return self.target

    def apply(self, *xs: Array) -> Array:
        return xs[0].reshape(len(xs[0]), *self.target)

    def count(self, downstream: Array) -> tuple[Array, ...]:
        return (downstream.reshape(self.input_shapes[0]),)


@dataclass(frozen=True, eq=False)
class Scale(Linear):
    """One factor per channel (a batch normalization's gain)."""

    factors: Array

    def output_shape(self) -> Shape:
        self._need(self.factors.shape == self.input_shapes[0][-1:], f"needs {self.factors.shape} channels")
        return self.input_shapes[0]

    def apply(self, *xs: Array) -> Array:
        y: Array = xs[0] * self.factors.astype(xs[0].dtype, copy=False)
        return y

    def count(self, downstream: Array) -> tuple[Array, ...]:
        return (downstream,)


@dataclass(frozen=True, eq=False)
class Add(Linear):
    """Sum of its inputs (residual connections)."""

    def output_shape(self) -> Shape:
        self._need(len(self.inputs) > 1 and len(set(self.input_shapes)) == 1, "needs inputs of one shape")
        return self.input_shapes[0]

    def apply(self, *xs: Array) -> Array:
        return sum(xs[1:], start=xs[0])

    def count(self, downstream: Array) -> tuple[Array, ...]:
        return (downstream,) * len(self.inputs)


@dataclass(frozen=True, eq=False)
class Concatenate(Linear):
    """Joins its inputs along the last axis."""

    def output_shape(self) -> Shape:
        self._need(len({s[:-1] for s in self.input_shapes}) == 1, "needs inputs that differ in channels only")
        return (*self.input_shapes[0][:-1], sum(s[-1] for s in self.input_shapes))

    def apply(self, *xs: Array) -> Array:
        return np.concatenate(xs, axis=-1)

    def count(self, downstream: Array) -> tuple[Array, ...]:
        ends = np.cumsum([s[-1] for s in self.input_shapes])[:-1]
        return tuple(np.split(downstream, ends, axis=-1))
