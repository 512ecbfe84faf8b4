"""What a NIR graph computes at equilibrium, in NumPy, channels-first: the oracle of conversions from NIR.

A neuron's output is its mean number of spikes in a step; an LIF's or CubaLIF's own equation does not count where its
metadata says that it is an ASN. It shares no code with the maps that the graph is converted to.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from snntb_adsnn.errors import ConversionError
from snntb_adsnn.frontends.nir.approximation import height
from snntb_adsnn.frontends.nir.metadata import MODEL, image_of, numbers_of, parameters_of, text
from snntb_adsnn.network.maps import Array
from snntb_adsnn.neuron.transfer import transfer
from snntb_adsnn.registry import Registry

RULES: Registry[str, Callable[[Any, Array], Array]] = Registry("NIR node")
"""By the name of a node's class, its output for inputs (images, *shape) in float64."""


def is_asn(node: Any) -> bool:
    """Whether a node's metadata say that it is a population of adaptive spiking neurons."""
    return text(node.metadata.get("model", "")) == MODEL


def in_order(graph: Any) -> list[str]:
    """Names of the nodes, each after those that it reads.

    Raises:
        ConversionError: the graph has a loop, or an edge that leads nowhere.
    """
    edges = [(text(a), text(b)) for a, b in graph.edges]
    if lost := {name for edge in edges for name in edge} - set(graph.nodes):
        raise ConversionError(f"the NIR graph has edges to nodes that it does not have: {', '.join(sorted(lost))}.")
    waiting = {name: {a for a, b in edges if b == name} for name in graph.nodes}
    found: list[str] = []
    while waiting:
        ready = [name for name, sources in waiting.items() if sources <= set(found)]
        if not ready:
            raise ConversionError(
                f"the NIR graph has a loop through {sorted(waiting)[0]!r}; only feed-forward networks are converted."
            )
        found += ready
        for name in ready:
            del waiting[name]
    return found


def sources_of(graph: Any, name: str) -> list[str]:
    """Names of the nodes that a node reads."""
    return [text(a) for a, b in graph.edges if text(b) == name]


def evaluate(graph: Any, x: Array) -> dict[str, Array]:
    """By node that the input reaches, its output at equilibrium for inputs of shape (images, *the input's shape)."""
    values: dict[str, Array] = {}
    for name in in_order(graph):
        node, sources = graph.nodes[name], sources_of(graph, name)
        if type(node).__name__ == "Input":
            values[name] = x.astype(np.float64)
        elif sources and all(source in values for source in sources):
            total = sum((values[source] for source in sources[1:]), start=values[sources[0]])
            values[name] = _neurons(node, total) if is_asn(node) else RULES.find(type(node).__name__)(node, total)
    return values


def result(graph: Any, values: Mapping[str, Array]) -> Array:
    """What the graph's one output holds, of ``evaluate``'s values.

    Raises:
        ConversionError: there is another number of outputs.
    """
    names = [name for name, node in graph.nodes.items() if type(node).__name__ == "Output"]
    if len(names) != 1 or names[0] not in values:
        raise ConversionError(f"the NIR graph has {len(names)} outputs, and needs one that its input reaches.")
    return values[names[0]]


def population(node: Any) -> tuple[Array, Array]:
    """Of a population of ASNs, each neuron's m_f, and the mean current of a spike in every step; in NIR's layout."""
    p, form = parameters_of(node.metadata), text(node.metadata.get("form", "exact"))
    m_f = _by_neuron(node, "m_f", p.m_f)
    currents = np.empty(m_f.shape)
    for value in np.unique(m_f):
        currents[m_f == value] = height(p.with_m_f(float(value)), form) / (1 - p.k_beta)
    return m_f, currents * _by_neuron(node, "scale", 1.0)


def _by_neuron(node: Any, field: str, default: float) -> Array:
    """What the metadata give for each neuron, or for each channel or pixel, in NIR's layout."""
    shape = node.v_threshold.shape
    values = numbers_of(node.metadata.get(f"array_{field}", default), f"array_{field}")
    if values.ndim:
        whole = (*shape[1:], shape[0])
        image = image_of(node.metadata, whole)
        values = np.broadcast_to(values, whole if len(shape) > 1 else shape).reshape(image)
        values = np.moveaxis(values, -1, 0)
    return np.broadcast_to(values.reshape(-1) if values.ndim else values, math.prod(shape)).reshape(shape)


def _neurons(node: Any, total: Array) -> Array:
    """Mean number of spikes in a step."""
    p, form = parameters_of(node.metadata), text(node.metadata.get("form", "exact"))
    S = node.v_leak + node.r * getattr(node, "w_in", 1.0) * total
    m_f, currents = population(node)
    y = np.empty_like(S)
    for value in np.unique(m_f):
        y[:, m_f == value] = transfer(S[:, m_f == value], p.with_m_f(float(value)), form)
    return y / currents


@RULES.register("Output")
def _output(node: Any, x: Array) -> Array:
    return x


@RULES.register("Linear")
def _linear(node: Any, x: Array) -> Array:
    return x @ np.asarray(node.weight, np.float64).T


@RULES.register("Affine")
def _affine(node: Any, x: Array) -> Array:
    return _linear(node, x) + node.bias


@RULES.register("Scale")
def _scale(node: Any, x: Array) -> Array:
    return x * node.scale


@RULES.register("LI")
def _leaky(node: Any, x: Array) -> Array:
    return node.v_leak + node.r * x


@RULES.register("Flatten")
def _flatten(node: Any, x: Array) -> Array:
    first, last = 1 + int(node.start_dim), int(node.end_dim)
    last = last + x.ndim if last < 0 else last + 1
    return x.reshape(*x.shape[:first], -1, *x.shape[last + 1 :])


@RULES.register("Conv2d")
def _conv2d(node: Any, x: Array) -> Array:
    weight, groups = np.asarray(node.weight, np.float64), int(node.groups)
    seen = windows(x, weight.shape[2:], pair(node.stride), paddings(node, weight.shape[2:]), pair(node.dilation))
    parts = [
        np.einsum("ncijkl,ockl->noij", share, kernels, optimize=True)
        for share, kernels in zip(np.split(seen, groups, 1), np.split(weight, groups), strict=True)
    ]
    return np.concatenate(parts, 1) + np.asarray(node.bias)[:, None, None]


@RULES.register("Conv1d")
def _conv1d(node: Any, x: Array) -> Array:
    weight, groups = np.asarray(node.weight, np.float64)[:, :, None], int(node.groups)
    ((first, last),) = paddings(node, weight.shape[3:])
    steps, dilation = (1, int(node.stride)), (1, int(node.dilation))
    seen = windows(x[:, :, None], weight.shape[2:], steps, [(0, 0), (first, last)], dilation)
    parts = [
        np.einsum("ncijkl,ockl->noij", share, kernels, optimize=True)
        for share, kernels in zip(np.split(seen, groups, 1), np.split(weight, groups), strict=True)
    ]
    return np.concatenate(parts, 1)[:, :, 0] + np.asarray(node.bias)[:, None]


@RULES.register("SumPool2d")
def _sums(node: Any, x: Array) -> Array:
    size = pair(node.kernel_size)
    return windows(x, size, pair(node.stride), [(p, p) for p in pair(node.padding)], (1, 1)).sum((-2, -1))


@RULES.register("AvgPool2d")
def _means(node: Any, x: Array) -> Array:
    """The mean; or the maximum, where the metadata says that the node stands for one."""
    if "maximum" in node.metadata:
        size, strides, padding, dilation = json.loads(text(node.metadata["maximum"]))
        return windows(x, size, strides, padding, dilation, -np.inf).max((-2, -1))
    return _sums(node, x) / math.prod(pair(node.kernel_size))


def windows(x: Array, size: Any, strides: Any, padding: Any, dilation: Any, fill: float = 0.0) -> Array:
    """What each window sees: shape (images, channels, rows, columns, *size)."""
    x = np.pad(x, [(0, 0), (0, 0), *map(tuple, padding)], constant_values=fill)
    extent = tuple((n - 1) * d + 1 for n, d in zip(size, dilation, strict=True))
    seen = np.lib.stride_tricks.sliding_window_view(x, extent, axis=(2, 3))
    return seen[:, :, :: strides[0], :: strides[1], :: dilation[0], :: dilation[1]]


def pair(value: Any) -> tuple[int, int]:
    """One number for both axes, or two."""
    values = np.broadcast_to(np.asarray(value), 2)
    return int(values[0]), int(values[1])


def paddings(node: Any, size: tuple[int, ...]) -> list[tuple[int, int]]:
    """Zeros before and behind each axis of a convolution with kernels of ``size``."""
    padding = node.padding
    if isinstance(padding, str | bytes):
        if text(padding) == "valid":
            return [(0, 0)] * len(size)
        whole = [(n - 1) * d for n, d in zip(size, np.broadcast_to(node.dilation, len(size)), strict=True)]
        return [(int(total) // 2, int(total) - int(total) // 2) for total in whole]
    return [(int(p), int(p)) for p in np.broadcast_to(padding, len(size))]
