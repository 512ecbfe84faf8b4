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
    Convolution,
    Linear,
    MaxPool2D,
    Node,
    Padding,
    Reshape,
    Scale,
    Shape,
    Window,
)
from snntb_adsnn.network.stem import Elementwise

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
        NetworkError: the network branches, computes something without neurons, or spikes of one population are not
            all alike.
    """
    if network.input.stem:
        curved = next(node.name for node in network.input.stem if isinstance(node, MaxPool2D | Elementwise))
        raise NetworkError(
            f"{curved} is computed from the input without neurons, but hardware stages begin with neurons. Put "
            "BatchNormalization and an AAN activation in front, as the paper does."
        )
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
    composed = Convolution(np.eye(channels)[None, None], (1, 1), NO_PADDING)
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


def _convolution(node: Linear) -> Convolution:
    """``node`` as a plain convolution."""
    found = node.as_convolution()
    if found is None:
        advice = "use padding='valid'" if hasattr(node, "window") else "rebuild the model without it"
        raise NetworkError(
            f"{node.name} ({type(node).__name__}) in front of neurons on an image has no hardware stage; {advice}."
        )
    return found


def _compose(first: Convolution, second: Convolution, source: Shape, node: Linear) -> Convolution:
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
    return Convolution(kernel, (s * second.strides[0], t * second.strides[1]), cast("Padding", padding))
