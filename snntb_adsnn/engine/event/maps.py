"""What one spike adds where: the linear nodes between populations, their edges composed.

The path from a population is a ``PixelMap`` like a node's own, but starts at its *cells*: at most ``CELL`` channels of
one pixel. Its weights are float32 and include the spike height.
"""

from __future__ import annotations

import numpy as np

from snntb_adsnn.engine.event.blocks import spikes_of
from snntb_adsnn.engine.event.layout import CELL, Spikes
from snntb_adsnn.network import Neurons, Readout, SpikingNetwork
from snntb_adsnn.network.edges import Band, PixelMap, pixels, union
from snntb_adsnn.network.maps import Linear, Node


def cells(channels: int) -> list[int]:
    """Sizes of the cells of a pixel with so many channels."""
    return [min(CELL, channels - start) for start in range(0, channels, CELL)]


def _spikes(node: Neurons) -> PixelMap:
    """From a population's cells to its pixels: the height of its spikes, 1 where they are not all alike."""
    every, sizes = np.arange(pixels(node.shape)), cells(node.shape[-1])
    height = np.full(CELL, node.spike_height if spikes_of(node) == Spikes.ALIKE else 1, np.float32)
    return PixelMap.of(
        (every * len(sizes) + k, every, Band.diagonal(height[:size], k * CELL)) for k, size in enumerate(sizes)
    )


def drives(network: SpikingNetwork) -> dict[str, dict[str, PixelMap]]:
    """For each Neurons and Readout node, the map from the cells of each population whose spikes drive it."""
    reach: dict[str, dict[str, PixelMap]] = {network.input.name: {}}
    found: dict[str, dict[str, PixelMap]] = {}
    node: Node
    for node in network.nodes:
        if isinstance(node, Neurons | Readout):
            found[node.name] = reach[node.inputs[0]]
        if isinstance(node, Neurons):
            reach[node.name] = {node.name: _spikes(node)}
        elif isinstance(node, Linear):
            paths: dict[str, list[PixelMap]] = {}
            for source, step in zip(node.inputs, node.edges(), strict=True):
                for population, path in reach[source].items():
                    paths.setdefault(population, []).append(path.then(step.astype(np.float32), node.shape[-1]))
            reach[node.name] = {p: union(maps, node.shape[-1]) for p, maps in paths.items()}
    return found
