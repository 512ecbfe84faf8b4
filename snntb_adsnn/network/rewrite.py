"""Rewrites that turn a layer-by-layer graph into the form a spiking network has. Each keeps the analog function; the
last one rounds its constants. Max pooling has a file of its own (``pooling.py``)."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import fields, replace
from typing import Any

import numpy as np

from snntb_adsnn.network.maps import (
    Array,
    Conv2D,
    Dense,
    DepthwiseConv2D,
    Linear,
    Node,
    Reshape,
    Scale,
    ZeroPad2D,
)
from snntb_adsnn.network.neurons import Neurons, Readout

Graph = dict[str, Node]


def fresh_name(wanted: str, taken: Iterable[str]) -> str:
    """``wanted``, or with a number where it is taken."""
    taken = set(taken)
    name, number = wanted, 2
    while name in taken:
        name, number = f"{wanted}_{number}", number + 1
    return name


def readers(nodes: Graph, name: str) -> list[Node]:
    """The nodes that read ``name``."""
    return [node for node in nodes.values() if name in node.inputs]


def reconnect(node: Node, old: str, new: Node) -> Node:
    """``node``, reading ``new`` where it read ``old``."""
    pairs = [
        (new.name, new.shape) if source == old else (source, shape)
        for source, shape in zip(node.inputs, node.input_shapes, strict=True)
    ]
    return replace(node, inputs=tuple(p[0] for p in pairs), input_shapes=tuple(p[1] for p in pairs))


def prune(nodes: Graph) -> Graph:
    """Without the nodes that the read-out does not depend on."""
    needed = {node.name for node in nodes.values() if isinstance(node, Readout)}
    for node in reversed(nodes.values()):
        if node.name in needed:
            needed.update(node.inputs)
    first = next(iter(nodes))  # the input stays, so that a model that ignores it is refused by the network
    return {name: node for name, node in nodes.items() if name in needed or name == first}


# ---- constants -----------------------------------------------------------------------------------------------------


def move_constants_to_neurons(nodes: Graph, constants: dict[str, Array]) -> tuple[Graph, dict[str, Array]]:
    """Carry biases and batch-norm shifts through the linear maps to the neurons and the read-out, as their bias.

    Returns:
        graph; and by name of a population that pools, the constants that differ between the pixels which it reads, of
        its input's shape: no bias behind the pooling does the same (``stem.add_constants``).
    """
    values: dict[str, Array] = {}
    before_pooling: dict[str, Array] = {}
    result: Graph = {}
    for node in nodes.values():
        value = np.zeros((1, *node.shape))
        if isinstance(node, Linear):
            value = node.apply(*(values[source] for source in node.inputs)) + constants.get(node.name, 0.0)
        elif isinstance(node, Neurons | Readout):
            constant = _alike(values[node.inputs[0]][0])
            if isinstance(node, Neurons) and node.pool is not None and constant.ndim > 1:
                before_pooling[node.name] = constant
            else:
                node = replace(node, bias=constant)
        values[node.name] = value
        result[node.name] = node
    return result, before_pooling


def _alike(constant: Array) -> Array:
    """One number for each channel, where all pixels have the same; else ``constant``."""
    channels = constant.reshape(-1, constant.shape[-1])
    return channels[0] if np.allclose(channels, channels[:1], rtol=1e-12, atol=1e-12) else constant


# ---- folding -------------------------------------------------------------------------------------------------------


def fold_padding(nodes: Graph) -> Graph:
    """Merge zero padding into the convolutions that read it."""
    result = dict(nodes)
    for pad in nodes.values():
        following = readers(result, pad.name)
        if not isinstance(pad, ZeroPad2D) or not all(isinstance(n, Conv2D | DepthwiseConv2D) for n in following):
            continue
        source = result[pad.inputs[0]]
        for node in following:
            assert isinstance(node, Conv2D | DepthwiseConv2D)
            (top, bottom), (left, right) = node.window.padding
            padding = (
                (top + pad.padding[0][0], bottom + pad.padding[0][1]),
                (left + pad.padding[1][0], right + pad.padding[1][1]),
            )
            result[node.name] = replace(
                node,
                inputs=(source.name,),
                input_shapes=(source.shape,),
                window=replace(node.window, padding=padding),
            )
        del result[pad.name]
    return result


def fold_gains(nodes: Graph) -> Graph:
    """Multiply batch-norm gains into neighbouring weights where that is possible; else they stay as ``Scale``."""
    result = dict(nodes)
    for name in nodes:
        scale = result[name]  # what it reads may have been folded
        if isinstance(scale, Scale) and not _fold_up(result, scale):
            _fold_down(result, scale)
    return result


def _remove(nodes: Graph, name: str) -> None:
    """Take a node with one input out; its readers read that input instead."""
    source = nodes[nodes.pop(name).inputs[0]]
    for node in readers(nodes, name):
        nodes[node.name] = reconnect(node, name, source)


def _fold_up(nodes: Graph, scale: Scale) -> bool:
    """Into the weights of the layer before, seen through pooling, padding and the like."""
    source = nodes[scale.inputs[0]]
    while isinstance(source, Linear) and source.channelwise and len(readers(nodes, source.name)) == 1:
        source = nodes[source.inputs[0]]
    if not isinstance(source, Dense | Conv2D | DepthwiseConv2D) or len(readers(nodes, source.name)) != 1:
        return False
    factors = scale.factors
    if isinstance(source, DepthwiseConv2D):
        factors = factors.reshape(source.weights.shape[2:])
    nodes[source.name] = replace(source, weights=source.weights * factors)
    _remove(nodes, scale.name)
    return True


def _fold_down(nodes: Graph, scale: Scale) -> bool:
    """Into the weights of all layers behind, seen through pooling, padding and the like, and flattening."""
    found: list[tuple[Node, Array]] = []
    pending: list[tuple[Node, Array]] = [(n, scale.factors) for n in readers(nodes, scale.name)]
    while pending:
        node, factors = pending.pop()
        if isinstance(node, Dense | Conv2D | DepthwiseConv2D):
            found.append((node, factors))
            continue
        if isinstance(node, Reshape) and len(node.target) == 1:
            factors = np.tile(factors, math.prod(node.target) // len(factors))
        elif not (isinstance(node, Linear) and node.channelwise):
            return False
        pending += [(n, factors) for n in readers(nodes, node.name)]
    for node, factors in found:
        assert isinstance(node, Dense | Conv2D | DepthwiseConv2D)
        nodes[node.name] = replace(node, weights=_scale_inputs(node, factors))
    _remove(nodes, scale.name)
    return True


def _scale_inputs(node: Dense | Conv2D | DepthwiseConv2D, factors: Array) -> Array:
    if isinstance(node, Conv2D) and node.groups > 1:
        # output channel k of group g reads input channels g * inputs ...
        per_group = factors.reshape(node.groups, -1)
        outputs = node.weights.shape[3] // node.groups
        return node.weights * np.repeat(per_group, outputs, axis=0).T
    return node.weights * factors[:, None]


def round_constants(nodes: Graph, dtype: type[np.floating[Any]]) -> Graph:
    """Give all weights, gains and biases the type ``dtype``."""
    result: Graph = {}
    for node in nodes.values():
        chosen = [f.name for f in fields(node) if isinstance(node, Linear) or f.name == "bias"]
        arrays = {name: value for name in chosen if isinstance(value := getattr(node, name), np.ndarray)}
        rounded: dict[str, Any] = {
            name: array.astype(dtype, copy=False)
            for name, array in arrays.items()
            if np.issubdtype(array.dtype, np.floating)
        }
        result[node.name] = replace(node, **rounded)
    return result
