"""Max pooling becomes part of neurons: the rewrite that moves it there."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from snntb_adsnn.errors import ConversionError
from snntb_adsnn.network.maps import (
    Array,
    Concatenate,
    Linear,
    MaxPool2D,
    Node,
    Padding,
    Reshape,
    Scale,
    ZeroPad2D,
)
from snntb_adsnn.network.neurons import Input, Neurons
from snntb_adsnn.network.rewrite import Graph, fresh_name, prune, readers, reconnect


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
    between an activation and the pooling step behind it first.

    Returns:
        graph, constants, and by population where its output stood before the rewrite.

    Raises:
        ConversionError: a max pooling that is next to no neurons.
    """
    constants = dict(constants)
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
            if before.pool is not None:
                raise ConversionError(
                    f"max pooling {node.name!r} follows another one; merge the two into one pooling layer."
                )
            alone = len(readers(nodes, before.name)) == 1
            merged = replace(before, name=before.name if alone else node.name, pool=node.window)
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
    for node in result.values():
        if isinstance(node, MaxPool2D):
            raise ConversionError(_not_next_to_neurons(node, result))
    return result, constants, {name: computes[name] for name in result if name in computes}


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


def _not_next_to_neurons(pool: MaxPool2D, nodes: Graph) -> str:
    """Why ``pool`` cannot be merged into neurons, and what to do."""
    source, between = nodes[pool.inputs[0]], False
    while isinstance(source, Linear) and not source.weighted and len(source.inputs) == 1:
        between = between or (isinstance(source, Scale) and bool((source.factors < 0).any()))
        source = nodes[source.inputs[0]]
    if isinstance(source, Input):
        return (
            f"max pooling {pool.name!r} is not next to an activation: it pools the input, where there are no neurons. "
            "Pool the images before they are given to the model, or use average pooling."
        )
    following = [n for n in readers(nodes, pool.name) if isinstance(n, Scale) and (n.factors < 0).any()]
    if following or (between and isinstance(source, Neurons)):
        return (
            f"max pooling {pool.name!r} is not next to an activation: the batch norm between them has negative gains, "
            "which turn the largest value into the smallest. Put the pooling directly before or behind the "
            "activation, or use average pooling."
        )
    return (
        f"max pooling {pool.name!r} is not next to an activation (AAN or ReLU), and only neurons can take the largest "
        "of several values. Put it directly before or behind an activation (docs/conversion.md says what may stand "
        "between), or use average pooling."
    )


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
