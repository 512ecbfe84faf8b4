"""A network's linear maps as NIR primitives, which keep images channels-first. One writer for each kind of map."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from snntb_adsnn.errors import ConversionError
from snntb_adsnn.frontends.nir.needed import nir
from snntb_adsnn.network.maps import (
    NO_PADDING,
    Add,
    Array,
    AveragePool2D,
    Concatenate,
    Conv2D,
    Dense,
    DepthwiseConv2D,
    Padding,
    Reshape,
    Scale,
    Shape,
    Window,
)
from snntb_adsnn.network.maps.convolution import dilated
from snntb_adsnn.registry import Registry


@dataclass(frozen=True)
class Layout:
    """How NIR holds a node's values.

    Attributes:
        shape: the network's, (rows, columns, channels) or (features,).
        image: of a flattened image, its shape (rows, columns, channels); NIR flattens it channels-first.
    """

    shape: Shape
    image: Shape = ()

    @property
    def nir(self) -> Array:
        """The shape in NIR."""
        return np.array(self.shape if len(self.shape) == 1 else (self.shape[-1], *self.shape[:-1]))

    @property
    def order(self) -> Array:
        """For each feature of a vector in NIR, its place in the network's vector."""
        if not self.image:
            return np.arange(self.shape[0])
        return np.moveaxis(np.arange(self.shape[0]).reshape(self.image), -1, 0).reshape(-1)

    def out(self, values: Array, lead: int = 0) -> Array:
        """Values of the network's shape, or one for each channel, behind ``lead`` further axes, as NIR has them."""
        values = np.broadcast_to(values, (*values.shape[:lead], *self.shape))
        if len(self.shape) == 1:
            return values[..., self.order]
        return np.ascontiguousarray(np.moveaxis(values, -1, lead))

    def back(self, values: Array) -> Array:
        """The inverse, of values (images, *NIR's shape)."""
        if len(self.shape) == 1:
            return values[:, np.argsort(self.order)]
        return np.moveaxis(values, 1, -1)


Primitives = list[Any]
Writer = Callable[[Any, list[Layout]], Primitives]
"""From a map, whose class's name is the key, and the layouts of its inputs to a chain of NIR nodes; the first holds the
map's weights."""

WRITERS: Registry[str, Writer] = Registry("kind of map that NIR can express")
Reader = Callable[[Any, Window | None, list[Layout]], Array]
WEIGHTS: Registry[str, Reader] = Registry("kind of map whose weights NIR holds")
"""By the name of a map's class, how its weights are found again in the primitive: the inverse of its writer."""


@WRITERS.register("Dense")
def _dense(node: Dense, inputs: list[Layout]) -> Primitives:
    return [nir().Linear(np.ascontiguousarray(node.weights.T[:, inputs[0].order]))]


@WRITERS.register("Conv2D")
def _conv(node: Conv2D, inputs: list[Layout]) -> Primitives:
    return [convolution(node.weights.transpose(3, 2, 0, 1), node.window, node.groups)]


@WRITERS.register("DepthwiseConv2D")
def _depthwise(node: DepthwiseConv2D, inputs: list[Layout]) -> Primitives:
    rows, columns, channels, multiplier = node.weights.shape
    kernel = node.weights.transpose(2, 3, 0, 1).reshape(channels * multiplier, 1, rows, columns)
    return [convolution(kernel, node.window, channels)]


@WRITERS.register("AveragePool2D")
def _average(node: AveragePool2D, inputs: list[Layout]) -> Primitives:
    window, channels = node.window, node.shape[-1]
    if window.padding == NO_PADDING and window.dilation == (1, 1):
        return [nir().AvgPool2d(np.array(window.size), np.array(window.strides), np.array((0, 0)))]
    # padded pixels do not count, which NIR's own pooling leaves open
    sums = convolution(np.ones((channels, 1, *window.size), np.float32), window, channels)
    return [sums, nir().Scale(Layout(node.shape).out(1 / node.divisor))]


@WRITERS.register("Scale")
def _scale(node: Scale, inputs: list[Layout]) -> Primitives:
    return [nir().Scale(inputs[0].out(node.factors))]


@WRITERS.register("Add")
def _add(node: Add, inputs: list[Layout]) -> Primitives:
    return [same(inputs[0])]  # NIR adds what comes in


@WRITERS.register("Reshape")
def _reshape(node: Reshape, inputs: list[Layout]) -> Primitives:
    if len(node.shape) != 1:
        raise ConversionError(f"layer {node.name!r} makes a vector an image again, for which NIR has no primitive.")
    return [nir().Flatten(input_type={"input": inputs[0].nir}, start_dim=0, end_dim=-1)]


@WEIGHTS.register("Dense")
def _dense_weights(primitive: Any, window: Window | None, inputs: list[Layout]) -> Array:
    return np.asarray(primitive.weight)[:, np.argsort(inputs[0].order)].T


@WEIGHTS.register("Conv2D")
def _conv_weights(primitive: Any, window: Window | None, inputs: list[Layout]) -> Array:
    assert window is not None
    return narrowed(np.asarray(primitive.weight), window).transpose(2, 3, 1, 0)


@WEIGHTS.register("DepthwiseConv2D")
def _depthwise_weights(primitive: Any, window: Window | None, inputs: list[Layout]) -> Array:
    assert window is not None
    kernel = narrowed(np.asarray(primitive.weight), window)
    return kernel.reshape(inputs[0].shape[-1], -1, *kernel.shape[2:]).transpose(2, 3, 0, 1)


def convolution(kernel: Array, window: Window, groups: int) -> Any:
    """A Conv2d of weights (outputs, inputs / groups, rows, columns). NIR pads both sides alike: where a window does
    not, zeros widen the kernel."""
    padding, dilation = window.padding, window.dilation
    if any(first != last for first, last in padding):
        kernel = dilated(kernel.transpose(2, 3, 0, 1), dilation).transpose(2, 3, 0, 1).astype(kernel.dtype)
        kernel, padding, dilation = _widened(kernel, padding), tuple((max(pair),) * 2 for pair in padding), (1, 1)
    return nir().Conv2d(
        input_shape=None,  # nir takes the shape of grouped kernels for that of the input
        weight=np.ascontiguousarray(kernel),
        stride=tuple(window.strides),
        padding=(padding[0][0], padding[1][0]),
        dilation=tuple(dilation),
        groups=groups,
        bias=np.zeros(len(kernel), kernel.dtype),
    )


def _widened(kernel: Array, padding: Padding) -> Array:
    """Zeros before and behind the taps, as many as make the padding of both sides equal."""
    more = [(max(last - first, 0), max(first - last, 0)) for first, last in padding]
    return np.pad(kernel, ((0, 0), (0, 0), *more))


def narrowed(weight: Array, window: Window) -> Array:
    """The kernel in a Conv2d that ``convolution`` made."""
    if all(first == last for first, last in window.padding):
        return weight
    starts = [max(last - first, 0) for first, last in window.padding]
    ends = [(size - 1) * d + 1 for size, d in zip(window.size, window.dilation, strict=True)]
    parts = [slice(s, s + e, d) for s, e, d in zip(starts, ends, window.dilation, strict=True)]
    return weight[:, :, parts[0], parts[1]]


def same(layout: Layout) -> Any:
    """A node that passes on the sum of what comes in."""
    return nir().Scale(np.ones(tuple(layout.nir), np.float32))


def embeddings(node: Concatenate) -> Primitives:
    """For each input of a concatenation, the node that puts it in its place among zeros."""
    total, start, found = node.shape[-1], 0, []
    for shape in node.input_shapes:
        block = np.eye(total, shape[-1], -start, np.float32)
        start += shape[-1]
        if len(shape) == 1:
            found.append(nir().Linear(block))
        else:
            found.append(convolution(block[:, :, None, None], Window((1, 1)), 1))
    return found
