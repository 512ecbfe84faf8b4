"""A network under construction: what front ends fill, and how it becomes a ``SpikingNetwork``. It knows no framework.

A front end adds a node for each thing that a layer computes, in an order in which every node comes after its inputs:
``Input``, linear maps, ``MaxPool2D``, ``Neurons`` for each activation, an ``Ending`` (``Softmax``) at the end of an
output only. ``finish`` then merges max pooling into the neurons, carries constants to them and folds gains into
weights.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from snntb_adsnn.errors import ConversionError
from snntb_adsnn.network import rewrite
from snntb_adsnn.network.graph import SpikingNetwork
from snntb_adsnn.network.maps import Array, Concatenate, MaxPool2D, Node, Reshape, Shape
from snntb_adsnn.network.maps.cropping import Crop2D
from snntb_adsnn.network.maps.part import Part
from snntb_adsnn.network.maps.permutation import Permute
from snntb_adsnn.network.maps.upsampling import UpSample2D
from snntb_adsnn.network.neurons import Input, Neurons, Readout
from snntb_adsnn.network.outputs import ACTIVATIONS, Output
from snntb_adsnn.network.pooling import Source, merge_max_pooling
from snntb_adsnn.network.stem import Elementwise, add_constants, held, take_stem
from snntb_adsnn.neuron import ASNParameters


@dataclass(frozen=True, eq=False)
class Ending(Node, listed=False):
    """Marks an activation that only the read-out computes (``outputs.ACTIVATIONS``): it stands where the model ends;
    behind it only what moves values (reshape, permutation, cropping)."""

    activation: str

    def output_shape(self) -> Shape:
        return self.input_shapes[0]


@dataclass(frozen=True, eq=False)
class Softmax(Ending, listed=False):
    """Marks a softmax."""

    activation: str = "softmax"


_MOVES = (Reshape, Permute, Crop2D, UpSample2D)
"""Maps whose values are values of their input: an activation of each value may change places with them."""


def _keep_rows(moves: Sequence[Node], row: int) -> bool:
    """Whether ``row`` values side by side on the last axis still stand side by side after ``moves``, in order."""
    for move in moves:
        if isinstance(move, Reshape):  # row-major, so that rows stay rows
            continue
        before = move.input_shapes[0]
        if before[-1] != row or (isinstance(move, Permute) and move.axes[-1] != len(before) - 1):
            return False
    return True


@dataclass
class Draft:
    """A graph under construction.

    Attributes:
        nodes: by name, in topological order; may hold ``MaxPool2D`` and ``Ending``.
        constants: what is added after a node (biases, batch-norm shifts), broadcastable to its shape.
        tensors: by node, what the framework calls the same value (a Keras tensor), where it has it.
    """

    nodes: dict[str, Node] = field(default_factory=dict)
    constants: dict[str, Array] = field(default_factory=dict)
    tensors: dict[str, Any] = field(default_factory=dict)

    def add(self, node: Node, constant: Array | None = None) -> str:
        """Append ``node`` and what is added to its output; returns its name."""
        self.nodes[node.name] = node
        if constant is not None and np.any(constant):
            self.constants[node.name] = np.asarray(constant, np.float64)
        return node.name

    def add_inputs(self, parts: tuple[tuple[str, Shape], ...]) -> list[str]:
        """Add the model's inputs, by name and shape; several become parts of one. Returns their nodes."""
        if len(parts) == 1:
            ((name, shape),) = parts
            return [self.add(Input(name, (), (), shape))]
        sizes = [math.prod(shape) for _, shape in parts]
        whole = Input(rewrite.fresh_name("inputs", (name for name, _ in parts)), (), (), (sum(sizes),), (), parts)
        self.add(whole)
        starts = [sum(sizes[:i]) for i in range(len(sizes))]
        return [
            self.add(Part(name, (whole.name,), (whole.shape,), start, shape))
            for (name, shape), start in zip(parts, starts, strict=True)
        ]

    def is_held(self, name: str) -> bool:
        """Whether only the input reaches node ``name``, which is constant during a simulation then."""
        return name in held(self.nodes.values())

    def finish(
        self, outputs: str | Mapping[str, str], readout_tau_phi: float, dtype: type[np.floating[Any]]
    ) -> tuple[SpikingNetwork, Mapping[str, Source]]:
        """The network, and by population the draft's node whose value it computes (``pooling.Source``).

        Args:
            outputs: the node that the model ends with, or the nodes by the names of its outputs; a read-out is put
                behind them.
            readout_tau_phi: smoothing time constant of the read-out, ms.
            dtype: of the weights and biases.

        Raises:
            ConversionError, NetworkError: the graph cannot become a spiking network.
        """
        self._read_out({"": outputs} if isinstance(outputs, str) else outputs, readout_tau_phi)
        with np.errstate(over="ignore", invalid="ignore"):  # the check of the conversion names what is not finite
            return self._rewritten(dtype)

    def _rewritten(self, dtype: type[np.floating[Any]]) -> tuple[SpikingNetwork, Mapping[str, Source]]:
        nodes, constants, computes = merge_max_pooling(self.nodes, self.constants)
        nodes, constants = take_stem(nodes, constants)
        nodes, before_pooling = rewrite.move_constants_to_neurons(nodes, constants)
        nodes = add_constants(nodes, before_pooling)
        nodes = rewrite.fold_padding(nodes)
        nodes = rewrite.fold_gains(nodes)
        nodes = rewrite.round_constants(nodes, dtype)
        return SpikingNetwork(tuple(nodes.values())), computes

    def _read_out(self, outputs: Mapping[str, str], tau_phi: float) -> None:
        """Put the read-out behind the nodes that the model ends with, in place of their activations."""
        name = rewrite.fresh_name("readout", self.nodes)
        ends = [self._end(output) for output in outputs.values()]
        parts = tuple(
            Output(label or name, self.nodes[node].shape, activation, row=row)
            for label, (node, activation, row) in zip(outputs, ends, strict=True)
        )
        source = self._side_by_side([node for node, *_ in ends])
        plain = len(parts) == 1 and len(parts[0].shape) == 1 and not parts[0].row
        shape = self.nodes[source].shape
        readout = Readout(
            name,
            (source,),
            (shape,),
            np.zeros(shape, np.float32),
            tau_phi=tau_phi,
            activation=parts[0].activation if len(parts) == 1 else "linear",
            parts=() if plain else parts,
        )
        needed = rewrite.prune({**self.nodes, name: readout})
        parameters = self._check(needed, [node for node, *_ in ends])
        needed[name] = replace(readout, tau_beta=parameters.tau_beta, dt=parameters.dt)
        self.nodes = needed

    def _end(self, output: str) -> tuple[str, str, int]:
        """The node whose values the read-out takes for an output, the activation that it applies to them, and of how
        many values each, where that is not the last axis (``Output.row``)."""
        moves, node = [], self.nodes[output]
        while isinstance(node, _MOVES) and node.name not in self.constants:
            moves.append(node)
            node = self.nodes[node.inputs[0]]
        graded = isinstance(node, Neurons) and node.graded
        activation = node.activation if isinstance(node, Ending) else "relu" if graded else "linear"
        row = 0 if ACTIVATIONS[activation].elementwise else node.shape[-1]
        if activation == "linear" or (row and not _keep_rows(moves[::-1], row)):
            return output, "linear", 0
        name = node.inputs[0]
        for move in reversed(moves):  # the same moves, of what stands before the activation
            moved = rewrite.reconnect(move, move.inputs[0], self.nodes[name])
            name = self.add(replace(moved, name=rewrite.fresh_name(f"{move.name}/moved", self.nodes)))
        return name, activation, 0 if row == self.nodes[name].shape[-1] else row

    def _side_by_side(self, ends: list[str]) -> str:
        """One node with the values of all ``ends`` in a row."""
        flat = []
        for end in ends:
            node = self.nodes[end]
            if len(node.shape) != 1:
                name = rewrite.fresh_name(f"{end}/flat", self.nodes)
                end = self.add(Reshape(name, (end,), (node.shape,), (math.prod(node.shape),)))
            flat.append(end)
        if len(flat) == 1:
            return flat[0]
        name = rewrite.fresh_name("outputs", self.nodes)
        return self.add(Concatenate(name, tuple(flat), tuple(self.nodes[end].shape for end in flat)))

    def _check(self, nodes: Mapping[str, Node], ends: list[str]) -> ASNParameters:
        """Constants of the first neurons; raises ConversionError where no read-out can follow nodes ``ends``."""
        if inside := next((n for n in nodes.values() if isinstance(n, Ending)), None):
            raise ConversionError(_stands_inside(inside))
        for end in ends:
            if isinstance(nodes[end], Neurons):
                raise ConversionError(
                    f"the last layer, {end!r}, has an activation that spikes, but the read-out does not spike. End the "
                    "model with a linear or softmax layer."
                )
            if isinstance(nodes[end], MaxPool2D):
                raise ConversionError(
                    f"the model ends with the max pooling {end!r}; end it with a linear or softmax layer."
                )
        populations = [n for n in nodes.values() if isinstance(n, Neurons)]
        if not populations:
            curved = next((n for n in nodes.values() if isinstance(n, Elementwise)), None)
            name = "" if curved is None else curved.name.removesuffix(f"/{curved.function}")
            instead = "" if curved is None else f" (layer {name!r} has the activation {curved.function!r})"
            ends_with = {part.activation for n in nodes.values() if isinstance(n, Readout) for part in n.outputs}
            if "relu" in ends_with:
                raise ConversionError(
                    "the model's only activation stands at its end, where the read-out computes it, so nothing can "
                    "spike; train it with AAN or ReLU in a hidden layer too, or with a dense layer behind it."
                )
            raise ConversionError(
                f"the model has no AAN or ReLU activation{instead}, so nothing can spike; train it with AAN "
                "activations."
            )
        return populations[0].parameters


def _stands_inside(node: Ending) -> str:
    name = node.name.removesuffix(f"/{node.activation}")
    if not ACTIVATIONS[node.activation].elementwise:
        return (
            f"layer {name!r}: {node.activation} stands inside the network; only the last layer may have it. Train with "
            "AAN or ReLU there."
        )
    return (
        f"layer {name!r} has the activation {node.activation!r}, which an adaptive spiking neuron does not compute; "
        "the converted net would give wrong answers. Train with activation=AAN(m_f=...), or relu, in every hidden "
        "layer."
    )


SMALLEST_SCALE = 0.1
"""Smallest threshold of a channel, of its layer's: below it, channels that hardly matter would spike all the time."""


def fit_thresholds(network: SpikingNetwork, x: Any) -> SpikingNetwork:
    """Scale the resting thresholds of neurons with graded spikes to their potentials on real inputs ``x``.

    ReLU nets compute with values of any size, and rates follow S/theta0. So theta0 is m_f times the root mean square of
    a channel's positive values: the layer's in ``parameters``, and a channel's as its ``scale``, at least
    ``SMALLEST_SCALE``, and 1 where nothing was positive.
    """
    values: dict[str, Array] = {network.input.name: network.held(x, np.float64)}
    fitted: dict[str, Neurons] = {}
    for node, total in network.propagate(values):
        if isinstance(node, Neurons):
            values[node.name] = analog = node.analog(total)
            if node.graded and np.any(analog > 0):
                fitted[node.name] = _with_thresholds(node, analog.reshape(-1, analog.shape[-1]))
    return network.map_neurons(lambda n: fitted.get(n.name, n))


def _with_thresholds(node: Neurons, analog: Array) -> Neurons:
    """With the thresholds of ``fit_thresholds`` for outputs of shape (values, channels)."""
    positive = analog > 0
    counts, squares = positive.sum(axis=0), np.sum(analog**2, axis=0)
    layer = math.sqrt(squares.sum() / counts.sum())
    seen = counts > 0
    scale = np.ones(len(counts))
    scale[seen] = np.maximum(np.sqrt(squares[seen] / counts[seen]) / layer, SMALLEST_SCALE)
    parameters = replace(node.parameters, theta0=node.parameters.m_f * layer)
    return replace(node, parameters=parameters, scale=scale.astype(np.float32))
