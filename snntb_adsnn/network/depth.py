"""How many populations stand before each one."""

from __future__ import annotations

from snntb_adsnn.network.graph import SpikingNetwork
from snntb_adsnn.network.neurons import Neurons


def depths(network: SpikingNetwork) -> dict[str, int]:
    """By population, the most populations that a signal passes before it gets there; 0 where only the input drives it.

    A residual sum counts its longer branch.
    """
    reached = {network.input.name: 0}
    found: dict[str, int] = {}
    for node in network.nodes[1:]:
        before = max(reached[name] for name in node.inputs)
        if isinstance(node, Neurons):
            found[node.name] = before
            before += 1
        reached[node.name] = before
    return found


def staggered(network: SpikingNetwork, onset: float) -> SpikingNetwork:
    """The network whose populations wait ``onset`` ms for each population before them."""
    return network.with_onset({name: onset * depth for name, depth in depths(network).items()})
