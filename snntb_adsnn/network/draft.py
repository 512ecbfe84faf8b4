"""A network under construction: what front ends fill, and how it becomes a ``SpikingNetwork``. It knows no framework.

A front end adds a node for each thing that a layer computes, in an order in which every node comes after its inputs:
``Input``, linear maps, ``MaxPool2D``, ``Neurons`` for each activation, ``Softmax`` at most as the last. ``finish`` then
merges max pooling into the neurons, carries constants to them and folds gains into weights.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from snntb_adsnn.errors import ConversionError
from snntb_adsnn.network import rewrite
from snntb_adsnn.network.graph import SpikingNetwork
from snntb_adsnn.network.maps import Array, MaxPool2D, Node, Shape
from snntb_adsnn.network.maps.part import Part
from snntb_adsnn.network.neurons import Input, Neurons, Readout
from snntb_adsnn.network.pooling import Source, merge_max_pooling
from snntb_adsnn.network.stem import held, take_stem
from snntb_adsnn.neuron import ASNParameters


@dataclass(frozen=True, eq=False)
class Softmax(Node, listed=False):
    """Marks a softmax; allowed only as the last node, where it becomes the read-out's activation."""

    def output_shape(self) -> Shape:
        return self.input_shapes[0]


@dataclass
class Draft:
    """A graph under construction.

    Attributes:
        nodes: by name, in topological order; may hold ``MaxPool2D`` and ``Softmax``.
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
        self, output: str, readout_tau_phi: float, dtype: type[np.floating[Any]]
    ) -> tuple[SpikingNetwork, Mapping[str, Source]]:
        """The network, and by population the draft's node whose value it computes (``pooling.Source``).

        Args:
            output: the node that the model ends with; a read-out is put behind it.
            readout_tau_phi: smoothing time constant of the read-out, ms.
            dtype: of the weights and biases.

        Raises:
            ConversionError, NetworkError: the graph cannot become a spiking network.
        """
        self._read_out(output, readout_tau_phi)
        with np.errstate(over="ignore", invalid="ignore"):  # the check of the conversion names what is not finite
            return self._rewritten(dtype)

    def _rewritten(self, dtype: type[np.floating[Any]]) -> tuple[SpikingNetwork, Mapping[str, Source]]:
        nodes, constants, computes = merge_max_pooling(rewrite.prune(self.nodes), self.constants)
        nodes, constants = take_stem(nodes, constants)
        nodes = rewrite.move_constants_to_neurons(nodes, constants)
        nodes = rewrite.fold_padding(nodes)
        nodes = rewrite.fold_gains(nodes)
        nodes = rewrite.round_constants(nodes, dtype)
        return SpikingNetwork(tuple(nodes.values())), computes

    def _read_out(self, output: str, tau_phi: float) -> None:
        """Put the read-out behind node ``output``, in place of a softmax there."""
        last = self.nodes[output]
        activation = "linear"
        if isinstance(last, Softmax):
            activation = "softmax"
            output = last.inputs[0]
            del self.nodes[last.name]
        parameters = self._check(output)
        shape = self.nodes[output].shape
        self.add(
            Readout(
                rewrite.fresh_name("readout", self.nodes),
                (output,),
                (shape,),
                np.zeros(shape, np.float32),
                tau_phi=tau_phi,
                tau_beta=parameters.tau_beta,
                dt=parameters.dt,
                activation=activation,
            )
        )

    def _check(self, output: str) -> ASNParameters:
        """Constants of the first neurons; raises ConversionError where no read-out can follow node ``output``."""
        if inside := next((n.name for n in self.nodes.values() if isinstance(n, Softmax)), None):
            name = inside.removesuffix("/softmax")
            raise ConversionError(
                f"layer {name!r}: softmax stands inside the network; only the last layer may have it. Train with AAN "
                "or ReLU there."
            )
        if isinstance(self.nodes[output], Neurons):
            raise ConversionError(
                f"the last layer, {output!r}, has an activation that spikes, but the read-out does not spike. End the "
                "model with a linear or softmax layer."
            )
        if isinstance(self.nodes[output], MaxPool2D):
            raise ConversionError(
                f"the model ends with the max pooling {output!r}; end it with a linear or softmax layer."
            )
        populations = [n for n in self.nodes.values() if isinstance(n, Neurons)]
        if not populations:
            raise ConversionError(
                "the model has no AAN or ReLU activation, so nothing can spike; train it with AAN activations."
            )
        if len(self.nodes[output].shape) != 1:
            raise ConversionError(
                f"the output of {output!r} has shape {self.nodes[output].shape}; it must be one value a class. "
                "Add Flatten or global pooling before the last layer."
            )
        return populations[0].parameters


def fit_thresholds(network: SpikingNetwork, x: Any) -> SpikingNetwork:
    """Scale the resting thresholds of neurons with graded spikes to their potentials on real inputs ``x``: theta0 = m_f
    times the root mean square of the positive ones. ReLU nets compute with values of any size, and rates follow
    S/theta0."""
    values: dict[str, Array] = {network.input.name: network.held(x, np.float64)}
    theta0: dict[str, float] = {}
    for node, total in network.propagate(values):
        if isinstance(node, Neurons):
            values[node.name] = node.analog(total)
            active = values[node.name][values[node.name] > 0]
            if node.graded and active.size:
                theta0[node.name] = node.parameters.m_f * float(np.sqrt(np.mean(active**2)))
    return network.map_neurons(
        lambda n: replace(n, parameters=replace(n.parameters, theta0=theta0[n.name])) if n.name in theta0 else n
    )
