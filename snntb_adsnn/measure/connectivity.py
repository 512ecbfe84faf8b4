"""How many weights a spike, the analog input and the ANN meet: counted from the network's graph alone.

Every linear map is counted as the layer it is, one after the other, in the AdSNN as in the ANN. In a chain of weighted
layers without neurons between them (a separable convolution: depthwise, then pointwise) a spike meets the first layer's
weights, and each sum it changes there is a number that the next layer multiplies. NeuroBench counts so: its
``SynapticOperations`` runs each connection layer on its input with everything that is not 0 set to 1, and counts
accumulates where the input was binary, else multiply-accumulates.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from snntb_adsnn.network import Neurons, Readout, SpikingNetwork
from snntb_adsnn.network.maps import Array, Linear


@dataclass(frozen=True, eq=False)
class Fanout:
    """Synaptic operations that one spike of each neuron causes: float64, shape of the population.

    Attributes:
        additions: of a weight, to a sum.
        multiply_adds: products of a weight and a number, added to a sum: of graded spikes, and in every weighted layer
            behind the first.
    """

    additions: Array
    multiply_adds: Array

    @property
    def total(self) -> Array:
        """All synaptic operations."""
        return self.additions + self.multiply_adds


def fanouts(network: SpikingNetwork) -> Mapping[str, Fanout]:
    """By population, the synaptic operations of each neuron's spike.

    A spike is delivered to every weight of the next weighted layer that reads it (inside the image); average pooling
    passes it on to each window it lies in; where no layer with weights follows it is one addition to the neuron it
    reaches. In a chain each sum that it changes meets every weight of the layer behind that reads this sum, and so on.

    Each spike is followed alone, as if no other came in its step. NeuroBench first adds up what arrives in a step, so
    that a sum which several spikes change is multiplied once: our multiply-adds in a chain are at least NeuroBench's.
    (To count those, the spikes of every step would have to be kept.) Of a spike alone the count is NeuroBench's, but
    where several ways lead to one sum (chains of three convolutions, pooling inside a chain): there each way counts, up
    to all products of the layer.
    """
    first = {node.name: np.zeros(node.shape) for node in network.nodes}
    for node in reversed(network.nodes):
        if isinstance(node, Linear):
            ahead = np.ones(node.shape) if node.weighted else first[node.name]
            _add_to(first, node, ahead)
        elif isinstance(node, Neurons | Readout):
            first[node.inputs[0]] = first[node.inputs[0]] + 1
    later = {p.name: np.zeros(p.shape) for p in network.populations}
    for node in network.nodes:
        if isinstance(node, Linear) and node.weighted:
            for name, operations in _behind_weights(network, node).items():
                later[name] = later[name] + operations
    return {p.name: _of_spikes(p, first[p.name], later[p.name]) for p in network.populations}


def _behind_weights(network: SpikingNetwork, layer: Linear) -> dict[str, Array]:
    """By population, the products in weighted ``layer`` of a spike that comes to it through other weights."""
    most = _products(layer)
    value: dict[str, Array] = {}  # products in ``layer`` of a number at each node's output
    spike: dict[str, Array] = {}  # of a spike: it becomes a number in the first weights it meets
    _add_to(value, layer, np.ones(layer.shape))
    for node in reversed(network.nodes[: network.nodes.index(layer)]):
        if isinstance(node, Linear) and node.name in value:
            _add_to(value, node, value[node.name])
            if node.weighted:
                _add_to(spike, node, value[node.name])
        if isinstance(node, Linear) and not node.weighted and node.name in spike:
            _add_to(spike, node, spike[node.name])
    return {p.name: np.minimum(spike[p.name], most) for p in network.populations if p.name in spike}


def _add_to(counts: dict[str, Array], node: Linear, operations: Array) -> None:
    """Add to ``counts`` of the node's inputs what an event there costs; at its outputs one costs ``operations``."""
    for source, found in zip(node.inputs, node.count(operations), strict=True):
        counts[source] = counts.get(source, 0.0) + found


def _of_spikes(population: Neurons, first: Array, later: Array) -> Fanout:
    """A graded spike is a number, not a 1, in the first layer too."""
    return Fanout(np.zeros_like(first), first + later) if population.graded else Fanout(first, later)


def multiplications(network: SpikingNetwork) -> dict[str, float]:
    """By population and read-out, the products with weights that one evaluation of its inputs takes in the ANN.

    A convolution's taps that lie in the padding multiply nothing and are not counted. Batch norm and average pooling
    are not counted either: they can be folded into the weights.
    """
    total: dict[str, float] = {}
    counted: set[str] = set()
    for node in network.nodes:
        if isinstance(node, Neurons | Readout):
            pending, products = [network.by_name[node.inputs[0]]], 0.0
            while pending:
                source = pending.pop()
                if not isinstance(source, Linear) or source.name in counted:
                    continue
                counted.add(source.name)
                if source.weighted:
                    products += _products(source)
                pending += [network.by_name[name] for name in source.inputs]
            total[node.name] = products
    return total


def input_multiplications(network: SpikingNetwork) -> float:
    """Products with weights that the analog input takes, in a chain of weighted layers in each: once a simulation, for
    it is held."""
    stem = [node for node in network.input.stem if isinstance(node, Linear) and node.weighted]
    products, reached = sum(map(_products, stem)), {network.input.name}
    for node in network.nodes:
        if isinstance(node, Linear) and reached & set(node.inputs):
            reached.add(node.name)
            if node.weighted:
                products += _products(node)
    return products


def _products(node: Linear) -> float:
    return sum(float(counts.sum()) for counts in node.count(np.ones(node.shape)))
