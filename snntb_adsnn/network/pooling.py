"""Max pooling becomes part of neurons: the rewrite that moves it there."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from snntb_adsnn.network.maps import (
    NO_PADDING,
    Add,
    Array,
    AveragePool2D,
    Concatenate,
    MaxPool2D,
    Node,
    Padding,
    Reshape,
    Scale,
    Window,
    ZeroPad2D,
)
from snntb_adsnn.network.maps.windows import Differences2D, Pick2D
from snntb_adsnn.network.neurons import Neurons
from snntb_adsnn.network.rewrite import Graph, fresh_name, prune, readers, reconnect
from snntb_adsnn.network.stem import held
from snntb_adsnn.neuron import ASNParameters
from snntb_adsnn.neuron.transfer import GRADED


class Source(NamedTuple):
    """Where the analog output of a population stands in the graph before the rewrite.

    Attributes:
        node: its name there.
        pooled: whether it stands there max-pooled; ``False``: what stands there, max-pooled as the population pools, is
            its output (the transfer function grows with S).
    """

    node: str
    pooled: bool = True


def merge_max_pooling(nodes: Graph, constants: dict[str, Array]) -> tuple[Graph, dict[str, Array], dict[str, Source]]:
    """Move every max pooling into the neurons before or behind it.

    Behind an activation: the transfer function grows with S, so pooling its output equals pooling S. Before it, with a
    batch norm of gains of at least 0 between: the same. Batch norms of such gains, concatenation and zero padding
    between an activation and the pooling step behind it first. Windows of one pixel are linear. Where no neuron is
    near, a population is put there. What only the input reaches stays, for the stem.

    Returns:
        graph, constants, and by population where its output stood before the rewrite.
    """
    constants = dict(constants)
    nodes = {name: _sampled(node) if isinstance(node, MaxPool2D) else node for name, node in nodes.items()}
    nodes = _reshape_behind_neurons(_next_to_neurons(nodes, constants))
    result: Graph = {}
    computes: dict[str, Source] = {}
    became: dict[str, str] = {}  # names that changed
    for original in nodes.values():
        node = original
        for source in node.inputs:
            if source in became:
                node = reconnect(node, source, result[became[source]])
        before = result[node.inputs[0]] if isinstance(node, MaxPool2D) else None
        if isinstance(node, MaxPool2D) and isinstance(before, Neurons):
            window = node.window if before.pool is None else _composed(before.pool, node.window)
            if window is None:
                result[node.name] = node
                continue
            alone = len(readers(nodes, before.name)) == 1
            merged = replace(before, name=before.name if alone else node.name, pool=window)
            if node.name.endswith(_MOVED):  # there is no such value in the model
                computes[merged.name] = Source(computes[before.name].node, pooled=False)
            else:
                computes[merged.name] = Source(node.name)
            result.pop(merged.name, None)
            result[merged.name] = merged
            became[node.name] = merged.name
            continue
        if isinstance(node, Neurons):
            node = _pull_pool(node, result, constants)
            computes[node.name] = Source(node.name)
        result[node.name] = node
    result = prune(result)
    result = _with_populations(result)
    return result, constants, {name: computes[name] for name in result if name in computes}


def _sampled(pool: MaxPool2D) -> Node:
    """A pooling of single pixels leaves pixels out, which is linear."""
    if pool.window.size != (1, 1) or pool.window.padding != NO_PADDING:
        return pool
    return AveragePool2D(pool.name, pool.inputs, pool.input_shapes, pool.window)


def _composed(first: Window, second: Window) -> Window | None:
    """The window of two max poolings, one behind the other; ``None`` where there is no such window."""
    plain = second.padding == NO_PADDING and first.dilation == second.dilation == (1, 1)
    if not plain or any(s > k for s, k in zip(first.strides, first.size, strict=True)):
        return None
    size = tuple(k + (n - 1) * s for k, n, s in zip(first.size, second.size, first.strides, strict=True))
    strides = tuple(a * b for a, b in zip(first.strides, second.strides, strict=True))
    return Window((size[0], size[1]), (strides[0], strides[1]), first.padding)


def _with_populations(nodes: Graph) -> Graph:
    """Put neurons where a max pooling is next to none: max(x) = x_0 + relu(max(x - x_0)), which is exact (``windows``).

    They spike graded, for their values may have any size.
    """
    only_held, like = held(nodes.values()), next((n for n in nodes.values() if isinstance(n, Neurons)), None)
    result: Graph = {}
    for pool in nodes.values():
        if not isinstance(pool, MaxPool2D) or pool.name in only_held or like is None:
            result[pool.name] = pool
            continue
        names = [fresh_name(f"{pool.name}/{end}", {**nodes, **result}) for end in ("pixel", "differences", "largest")]
        pixel = Pick2D(names[0], pool.inputs, pool.input_shapes, pool.window)
        apart = Differences2D(names[1], pool.inputs, pool.input_shapes, pool.window)
        kept = like.parameters
        neurons = Neurons(
            names[2],
            (apart.name,),
            (apart.shape,),
            np.zeros(apart.shape[-1:], np.float32),
            ASNParameters(tau_beta=kept.tau_beta, dt=kept.dt),
            GRADED,
            apart.tiles,
        )
        total = Add(pool.name, (pixel.name, neurons.name), (pixel.shape, neurons.shape))
        result |= {node.name: node for node in (pixel, apart, neurons, total)}
    return result


_MOVED = "/moved"
"""End of the names of max poolings that stand elsewhere than in the model."""


def _next_to_neurons(nodes: Graph, constants: dict[str, Array]) -> Graph:
    """Move max pooling through what stands between it and the neurons before it, where the result is the same."""
    result: Graph = {}
    for node in nodes.values():
        result[node.name] = node
        if not isinstance(node, MaxPool2D):
            continue
        source = result[node.inputs[0]]
        if not isinstance(source, Neurons) and _moves(node, source, result):
            del result[node.name]
            _move(node, node.name, source, result, constants)
    return prune(result)


def _moves(pool: MaxPool2D, source: Node, nodes: Graph) -> bool:
    """Whether ``pool`` behind ``source`` is the same as somewhere before, directly behind neurons."""
    if isinstance(source, Neurons):
        return source.pool is None
    if isinstance(source, Scale) and (source.factors < 0).any():
        return False
    if isinstance(source, ZeroPad2D):
        # outputs are at least 0, and every window holds one of them: a zero never wins
        both = _together(source, pool)
        small = all(max(sides) < size for sides, size in zip(both, pool.window.size, strict=True))
        return small and pool.window.dilation == (1, 1) and isinstance(nodes[source.inputs[0]], Neurons)
    if isinstance(source, Scale | Concatenate):
        return all(_moves(pool, nodes[name], nodes) for name in source.inputs)
    return False


def _together(pad: ZeroPad2D, pool: MaxPool2D) -> Padding:
    """The padding of both."""
    (top, bottom), (left, right) = pad.padding
    (up, down), (west, east) = pool.window.padding
    return (top + up, bottom + down), (left + west, right + east)


def _move(pool: MaxPool2D, name: str, source: Node, nodes: Graph, constants: dict[str, Array]) -> Node:
    """Add the node ``name``: ``pool`` of ``source``, pooled as early as possible."""
    new: Node
    if isinstance(source, ZeroPad2D | Neurons):
        name = name if name == pool.name else f"{fresh_name(name, nodes)}{_MOVED}"
        window = replace(pool.window, padding=_together(source, pool)) if isinstance(source, ZeroPad2D) else pool.window
        before = nodes[source.inputs[0]] if isinstance(source, ZeroPad2D) else source
        new = replace(pool, name=name, inputs=(before.name,), input_shapes=(before.shape,), window=window)
    else:
        parts = [_move(pool, f"{name}/{i}", nodes[s], nodes, constants) for i, s in enumerate(source.inputs)]
        inputs, shapes = tuple(part.name for part in parts), tuple(part.shape for part in parts)
        new = replace(source, name=name, inputs=inputs, input_shapes=shapes)
        if source.name in constants:
            constants[name] = constants[source.name]
    nodes[new.name] = new
    return new


def _reshape_behind_neurons(nodes: Graph) -> Graph:
    """Move reshapes that stand between a max pooling and neurons (global pooling) behind the neurons."""
    result: Graph = {}
    became: dict[str, str] = {}  # a node whose reshape now stands behind it, and that reshape
    for node in nodes.values():
        for source in node.inputs:
            if source in became:
                node = reconnect(node, source, result[became[source]])
        before = result[node.inputs[0]] if isinstance(node, Scale | Neurons) else None
        if isinstance(before, Reshape) and _is_pooled(before, result):
            node = reconnect(node, before.name, result[before.inputs[0]])
            result[node.name] = node
            name = fresh_name(f"{before.name}/behind", {**nodes, **result})
            became[node.name] = name
            node = replace(before, name=name, inputs=(node.name,), input_shapes=(node.shape,))
        result[node.name] = node
    return result


def _is_pooled(reshape: Reshape, nodes: Graph) -> bool:
    """Whether ``reshape`` keeps the channels of a max pooling, seen through batch-norm gains."""
    source = nodes[reshape.inputs[0]]
    while isinstance(source, Scale):
        source = nodes[source.inputs[0]]
    return isinstance(source, MaxPool2D) and reshape.target[-1] == source.shape[-1]


def _pull_pool(neurons: Neurons, nodes: Graph, constants: dict[str, Array]) -> Neurons:
    """Take over a max pooling that stands before ``neurons``, alone or behind batch-norm gains of at least 0."""
    gains: list[Scale] = []
    source = nodes[neurons.inputs[0]]
    while isinstance(source, Scale) and (source.factors >= 0).all():
        gains.append(source)
        source = nodes[source.inputs[0]]
    if not isinstance(source, MaxPool2D):
        return neurons
    before: Node = nodes[source.inputs[0]]
    for gain in reversed(gains):
        moved = replace(
            gain,
            name=fresh_name(f"{gain.name}/before_pool", nodes),
            inputs=(before.name,),
            input_shapes=(before.shape,),
        )
        if gain.name in constants:
            constants[moved.name] = constants[gain.name]
        nodes[moved.name] = before = moved
    return replace(neurons, inputs=(before.name,), input_shapes=(before.shape,), pool=source.window)
