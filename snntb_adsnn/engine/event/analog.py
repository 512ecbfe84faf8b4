"""What the analog input contributes: it stays the same, so it is computed once for each image."""

from __future__ import annotations

import numpy as np

from snntb_adsnn.network import SpikingNetwork
from snntb_adsnn.network.maps import Array, Linear


def analog_nodes(network: SpikingNetwork) -> list[Linear]:
    """The linear nodes that the analog input reaches."""
    reached = {network.input.name}
    nodes = []
    for node in network.nodes:
        if isinstance(node, Linear) and reached & set(node.inputs):
            reached.add(node.name)
            nodes.append(node)
    return nodes


def held_layers(network: SpikingNetwork) -> frozenset[str]:
    """Names of the populations, and of the read-out, that the analog input reaches."""
    reached = {network.input.name, *(node.name for node in analog_nodes(network))}
    return frozenset(n.name for n in (*network.populations, network.readout) if n.inputs[0] in reached)


class AnalogDrive:
    """Current that the analog input contributes to each layer it reaches. It holds no network."""

    def __init__(self, network: SpikingNetwork) -> None:
        self._input, self._nodes = network.input.name, analog_nodes(network)
        self._readers = {node.name: node.inputs[0] for node in (*network.populations, network.readout)}

    def __call__(self, x: Array) -> dict[str, Array]:
        """By layer, shape (1, *input shape), for ``x`` of shape (1, *input shape). One image at a time: a product of
        larger matrices may round differently."""
        silence = np.float32(0)
        values: dict[str, Array] = {self._input: x}
        for node in self._nodes:
            inputs = (
                values[name] if name in values else np.broadcast_to(silence, (1, *shape))
                for name, shape in zip(node.inputs, node.input_shapes, strict=True)
            )
            values[node.name] = node.apply(*inputs)
        return {name: values[source] for name, source in self._readers.items() if source in values}
