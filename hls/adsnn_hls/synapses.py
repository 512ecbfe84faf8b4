"""The linear nodes between two populations as one dense matrix or one convolution: what a hardware stage can hold.

Average pooling, gains and padding are linear, so they fold into the weights of the stage without a rounding: pooling
behind a convolution widens its kernel and its stride, which costs fewer additions than pooling would.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import cast

import numpy as np

from snntb_adsnn.errors import NetworkError
from snntb_adsnn.network import Neurons, Readout, SpikingNetwork
from snntb_adsnn.network.maps import (
    NO_PADDING,
    Array,
    AveragePool2D,
    Conv2D,
    DepthwiseConv2D,
    Linear,
    Node,
    Padding,
    Pair,
    Reshape,
    Scale,
    Shape,
    Window,
    ZeroPad2D,
)

LARGEST_MATRIX = 1 << 26
"""Largest number of weights of one stage."""


@dataclass(frozen=True, eq=False)
class Synapses:
    """Weights of one stage, float64, without spike heights.

    Attributes:
        weights: (inputs, outputs), or with a window (rows, columns, input channels, output channels).
        window: of a convolution, or ``None``.
    """

    weights: Array
    window: Window | None = None


@dataclass(frozen=True, eq=False)
class Link:
    """A population or the read-out, and the linear nodes that lead to it from the population before."""

    target: Neurons | Readout
    path: tuple[Linear, ...]
    source_shape: Shape


def chain(network: SpikingNetwork) -> tuple[Link, ...]:
    """The network as a chain of populations; the last link leads to the read-out.

    Raises:
        NetworkError: the network branches, or spikes of one population are not all alike.
    """
    links: list[Link] = []
    path: list[Linear] = []
    before: Node = network.input
    source_shape = network.input.shape
    for node in network.nodes[1:]:
        if len(node.inputs) != 1:
            raise NetworkError(
                f"{node.name} ({type(node).__name__}) joins {' and '.join(node.inputs)}, but hardware stages form a "
                "chain in which each layer reads one other; use a network without skip connections."
            )
        if node.inputs[0] != before.name:
            raise NetworkError(
                f"{node.name} reads {node.inputs[0]!r}, which another layer reads as well, but hardware stages form a "
                "chain; use a network without branches."
            )
        if isinstance(node, Neurons) and (node.graded or node.m_f is not None):
            kind = "graded spikes (ReLU)" if node.graded else "a precision of each neuron"
            raise NetworkError(
                f"{node.name} has {kind}, but in hardware all spikes of a layer add the same weights; use AAN "
                "activations with one m_f a layer."
            )
        if isinstance(node, Linear):
            path.append(node)
        else:
            links.append(Link(cast("Neurons | Readout", node), tuple(path), source_shape))
            path, source_shape = [], node.shape
        before = node
    return tuple(links)


def input_gain(link: Link) -> Array:
    """Factor from each input value to the current of the first population: shape (channels,) or the input's shape.

    Raises:
        NetworkError: something else than batch-norm gains stands before the first population.
    """
    gain = np.ones(link.source_shape)
    for node in link.path:
        if not isinstance(node, Scale | Reshape):
            raise NetworkError(
                f"{node.name} ({type(node).__name__}) reads the analog input, but the hardware's first layer has one "
                "neuron for each input value. Put BatchNormalization and an AAN activation in front, as the paper does."
            )
        gain = node.apply(gain[None])[0]
    gain = gain.reshape(link.target.input_shapes[0])
    channels = gain.reshape(-1, gain.shape[-1])
    return channels[0] if (channels == channels[0]).all() else gain


def synapses(link: Link) -> Synapses:
    """The weights of ``link``, its linear nodes multiplied together.

    Raises:
        NetworkError: a node that cannot be part of a stage; names it, the reason and a way out.
    """
    shape = link.target.input_shapes[0]
    if len(shape) == 1:
        return Synapses(_matrix(link, shape[0]))
    if len(link.source_shape) != 3:
        raise NetworkError(
            f"{link.target.name}: a dense layer that makes an image of {shape} has no hardware stage; keep its neurons "
            "flat."
        )
    channels = link.source_shape[2]
    composed = _Conv(np.eye(channels)[None, None], (1, 1), NO_PADDING)
    for node in link.path:
        composed = _compose(composed, _convolution(node), link.source_shape, node)
    window = Window((composed.kernel.shape[0], composed.kernel.shape[1]), composed.strides, composed.padding)
    return Synapses(composed.kernel, window)


def _matrix(link: Link, outputs: int) -> Array:
    """The path applied to each unit vector."""
    inputs = math.prod(link.source_shape)
    if inputs * outputs > LARGEST_MATRIX:
        raise NetworkError(
            f"{link.target.name}: {inputs} x {outputs} dense weights are more than {LARGEST_MATRIX}; put a pooling "
            "layer in front."
        )
    rows = []
    for start in range(0, inputs, 256):
        unit = np.eye(min(256, inputs - start), inputs, start).reshape(-1, *link.source_shape)
        for node in link.path:
            unit = node.apply(unit)
        rows.append(unit)
    return np.concatenate(rows)


# ---- convolutions --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Conv:
    kernel: Array  # (rows, columns, input channels, output channels)
    strides: Pair
    padding: Padding


def _convolution(node: Linear) -> _Conv:
    """``node`` as a plain convolution."""
    if isinstance(node, Conv2D):
        kernel = _ungrouped(node.weights.astype(np.float64), node.groups)
        return _Conv(_dilated(kernel, node.window.dilation), node.window.strides, node.window.padding)
    channels = node.input_shapes[0][-1]
    if isinstance(node, DepthwiseConv2D):
        kernel = _ungrouped(node.weights.astype(np.float64).reshape(*node.window.size, 1, -1), channels)
        return _Conv(_dilated(kernel, node.window.dilation), node.window.strides, node.window.padding)
    if isinstance(node, AveragePool2D) and node.window.padding == NO_PADDING and node.window.dilation == (1, 1):
        share = 1 / math.prod(node.window.size)
        return _Conv(np.ones((*node.window.size, 1, 1)) * np.eye(channels) * share, node.window.strides, NO_PADDING)
    if isinstance(node, Scale):
        return _Conv(np.diag(node.factors.astype(np.float64))[None, None], (1, 1), NO_PADDING)
    if isinstance(node, ZeroPad2D):
        return _Conv(np.eye(channels)[None, None], (1, 1), node.padding)
    advice = "use padding='valid'" if isinstance(node, AveragePool2D) else "rebuild the model without it"
    raise NetworkError(
        f"{node.name} ({type(node).__name__}) in front of neurons on an image has no hardware stage; {advice}."
    )


def _ungrouped(kernel: Array, groups: int) -> Array:
    """Zeros where a group does not see the others' channels."""
    if groups == 1:
        return kernel
    *size, inputs, outputs = kernel.shape
    full = np.zeros((*size, inputs * groups, outputs))
    for g, part in enumerate(np.split(kernel, groups, axis=-1)):
        share = outputs // groups
        full[..., g * inputs : (g + 1) * inputs, g * share : (g + 1) * share] = part
    return full


def _dilated(kernel: Array, dilation: Pair) -> Array:
    rows, columns = ((n - 1) * d + 1 for n, d in zip(kernel.shape[:2], dilation, strict=True))
    spread = np.zeros((rows, columns, *kernel.shape[2:]))
    spread[:: dilation[0], :: dilation[1]] = kernel
    return spread


def _compose(first: _Conv, second: _Conv, source: Shape, node: Linear) -> _Conv:
    """``second`` after ``first``; ``first`` reads ``source``, ``second`` comes from ``node``."""
    identity = first.kernel.shape[:2] == (1, 1) and first.strides == (1, 1) and first.padding == NO_PADDING
    # non-overlapping windows that cover their input: what lies outside the result comes from outside the input
    tiles = (
        first.kernel.shape[:2] == first.strides
        and first.padding == NO_PADDING
        and all(n == m * k for n, m, k in zip(source, node.input_shapes[0], first.strides, strict=False))
    )
    if second.padding != NO_PADDING and not (identity or tiles):
        raise NetworkError(
            f"{node.name} pads with zeros the result of another linear layer, which one hardware stage cannot do; put "
            "an AAN activation between the two or use padding='valid'."
        )
    (a, b), (s, t) = first.kernel.shape[:2], first.strides
    c, d = second.kernel.shape[:2]
    kernel = np.zeros(((c - 1) * s + a, (d - 1) * t + b, first.kernel.shape[2], second.kernel.shape[3]))
    for i in range(c):
        for j in range(d):
            kernel[i * s : i * s + a, j * t : j * t + b] += first.kernel @ second.kernel[i, j]
    padding = tuple(
        (outer[0] * step + inner[0], outer[1] * step + inner[1])
        for inner, outer, step in zip(first.padding, second.padding, (s, t), strict=True)
    )
    return _Conv(kernel, (s * second.strides[0], t * second.strides[1]), cast("Padding", padding))
