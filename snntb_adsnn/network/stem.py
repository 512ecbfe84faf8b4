"""The part of a network that only the input reaches, where it is not linear.

The input is held during a simulation, so that this part is constant: it is computed once, with no neurons, whatever
functions it holds (max pooling, tanh). ``take_stem`` makes it part of the ``Input``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from snntb_adsnn.errors import NetworkError
from snntb_adsnn.network.maps import Concatenate, Linear, MaxPool2D, Reshape
from snntb_adsnn.network.maps.part import Part
from snntb_adsnn.network.neurons import Input
from snntb_adsnn.network.node import Array, Node, Shape
from snntb_adsnn.network.rewrite import Graph, fresh_name, reconnect
from snntb_adsnn.registry import Registry

FUNCTIONS: Registry[str, Callable[[Array], Array]] = Registry("function of a held input")
"""Elementwise functions, by the names that Keras gives them."""
FUNCTIONS.add("tanh", np.tanh)
FUNCTIONS.add("sigmoid", lambda x: 0.5 * (1 + np.tanh(x / 2)))
FUNCTIONS.add("elu", lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))))
FUNCTIONS.add("softplus", lambda x: np.logaddexp(x, 0))
FUNCTIONS.add("softsign", lambda x: x / (1 + np.abs(x)))
FUNCTIONS.add("exponential", np.exp)
FUNCTIONS.add("swish", lambda x: x * 0.5 * (1 + np.tanh(x / 2)))
FUNCTIONS.add("silu", FUNCTIONS["swish"])
_SELU = 1.0507009873554805, 1.6732632423543772  # Klambauer et al. 2017, scale and alpha
FUNCTIONS.add("selu", lambda x: _SELU[0] * np.where(x > 0, x, _SELU[1] * np.expm1(np.minimum(x, 0))))


@dataclass(frozen=True, eq=False)
class Elementwise(Node):
    """A function of each element; ``function`` is a name in ``FUNCTIONS``."""

    function: str

    def output_shape(self) -> Shape:
        if self.function not in FUNCTIONS:
            raise NetworkError(f"{self.name}: the function {self.function!r} is unknown.")
        return self.input_shapes[0]

    def apply(self, x: Array) -> Array:
        """The function of x, shape (batch, *shape), in its type."""
        return FUNCTIONS[self.function](x).astype(x.dtype, copy=False)


@dataclass(frozen=True, eq=False)
class Shift(Node):
    """Adds ``value``, broadcastable to ``shape``."""

    value: Array

    def output_shape(self) -> Shape:
        return self.input_shapes[0]

    def apply(self, x: Array) -> Array:
        """x + value, in x's type."""
        return (x + self.value).astype(x.dtype, copy=False)


STEM = (Linear, MaxPool2D, Elementwise, Shift)
"""Kinds of nodes that a stem may hold behind its input."""


def held(nodes: Iterable[Node]) -> set[str]:
    """Names of the nodes that only the input reaches, and no neuron."""
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, Input) or (isinstance(node, STEM) and set(node.inputs) <= found):
            found.add(node.name)
    return found


def take_stem(nodes: Graph, constants: dict[str, Array]) -> tuple[Graph, dict[str, Array]]:
    """Move what is not linear, and only the input reaches, into the ``Input``, with all that leads there."""
    only_held = held(nodes.values())
    curved = [n for n in nodes.values() if n.name in only_held and isinstance(n, MaxPool2D | Elementwise)]
    if not curved:
        return nodes, constants
    raw = next(iter(nodes.values()))
    assert isinstance(raw, Input)
    inside = {node.name for node in curved}
    for node in reversed(nodes.values()):
        if node.name in inside:
            inside.update(node.inputs)
    read = {source for node in nodes.values() if node.name not in inside for source in node.inputs}
    bounds = [node for node in nodes.values() if node.name in inside & read]
    stem, computes = _shifted(nodes, inside, constants)
    rest = {name: node for name, node in nodes.items() if name not in inside}
    name = fresh_name(f"{raw.name}/held", nodes)
    result: Graph
    if len(bounds) == 1:
        size = bounds[0].shape
        new = Input(name, (), (), size, (*stem, _last(stem, computes[bounds[0].name])))
        result = {name: new}
        for node in rest.values():
            result[node.name] = reconnect(node, bounds[0].name, new)
    else:
        flat = [_flat(node, computes[node.name], nodes) for node in bounds]
        shapes = tuple(node.shape for node in flat)
        total = Concatenate(fresh_name(f"{raw.name}/together", nodes), tuple(node.name for node in flat), shapes)
        new = Input(name, (), (), total.shape, (*stem, *flat, total))
        starts = np.cumsum([0, *(math.prod(shape) for shape in shapes)])
        parts = {
            node.name: Part(node.name, (name,), (total.shape,), int(start), node.shape)
            for node, start in zip(bounds, starts, strict=False)
        }
        result = {name: new, **parts, **rest}
    return result, {key: value for key, value in constants.items() if key not in inside}


def _flat(node: Node, source: str, nodes: Graph) -> Node:
    """``source``, which has the value of ``node``, as a vector."""
    return Reshape(fresh_name(f"{node.name}/flat", nodes), (source,), (node.shape,), (math.prod(node.shape),))


def _last(stem: tuple[Node, ...], name: str) -> Node:
    """A node that ends the stem with the value of ``name``."""
    node = next(node for node in stem if node.name == name)
    return Reshape(fresh_name(f"{name}/end", (n.name for n in stem)), (name,), (node.shape,), node.shape)


def _shifted(nodes: Graph, inside: set[str], constants: dict[str, Array]) -> tuple[tuple[Node, ...], dict[str, str]]:
    """The nodes ``inside``, each followed by what is added to it; and by node, which of them has its value."""
    stem: Graph = {}
    computes: dict[str, str] = {}
    for original in (node for node in nodes.values() if node.name in inside):
        node = original
        for source in original.inputs:
            node = reconnect(node, source, stem[computes[source]])
        stem[node.name] = node
        computes[node.name] = node.name
        if node.name in constants:
            shift = Shift(fresh_name(f"{node.name}/shift", nodes), (node.name,), (node.shape,), constants[node.name])
            stem[shift.name] = shift
            computes[node.name] = shift.name
    return tuple(stem.values()), computes
