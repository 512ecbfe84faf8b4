"""What one spike adds where: the linear nodes between populations, their edges composed.

The path from a population is a ``PixelMap`` like a node's own, but starts at its *cells*: at most ``CELL`` channels of
one pixel. Its weights are float32 and include the spike height.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np

from snntb_adsnn.engine.event.blocks import spikes_of
from snntb_adsnn.engine.event.layout import CELL, Spikes
from snntb_adsnn.network import Neurons, Readout, SpikingNetwork
from snntb_adsnn.network.edges import Band, PixelMap, pixels, union
from snntb_adsnn.network.maps import Linear

LARGE = 1 << 24
"""Weights of a path so large that memory for them is given back to the system as soon as they are not needed."""


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


def _packed(path: PixelMap) -> PixelMap:
    """The same map; where its own weights are many, they lie in one array: in pieces, memory is seldom given back."""
    own = {id(band.rows): band.rows for band in path.bands if band.rows.base is None}
    size = sum(rows.size for rows in own.values())
    if size < LARGE:
        return path
    whole, start = np.empty(size, np.float32), 0
    for key, rows in own.items():
        own[key] = whole[start : start + rows.size].reshape(rows.shape)
        own[key][:] = rows
        start += rows.size
    bands = [Band(own.get(id(band.rows), band.rows), band.first, band.leads) for band in path.bands]
    return PixelMap(path.source, path.target, path.band, bands)


def drives(network: SpikingNetwork) -> Iterator[tuple[Neurons | Readout, dict[str, PixelMap]]]:
    """Each Neurons and Readout node in turn, and the map from the cells of each population whose spikes drive it.

    The maps can be large: none is kept longer than a node needs it. The caller may empty the dictionary.
    """
    uses = Counter(source for node in network.nodes for source in node.inputs)
    reach: dict[str, dict[str, PixelMap]] = {network.input.name: {}}

    def read(source: str) -> Iterator[tuple[str, PixelMap]]:
        """What drives a node, which another node reads; gives it away where no other reads it any more."""
        uses[source] -= 1
        if uses[source]:
            yield from reach[source].items()
        else:
            paths = reach.pop(source)
            while paths:
                yield (name := next(iter(paths))), paths.pop(name)

    for node in network.nodes:
        if isinstance(node, Neurons | Readout):
            yield node, dict(read(node.inputs[0]))
        if isinstance(node, Neurons):
            reach[node.name] = {node.name: _spikes(node)}
        elif isinstance(node, Linear):
            paths: dict[str, list[PixelMap]] = {}
            for source, step in zip(node.inputs, node.edges(), strict=True):
                step = step.astype(np.float32)
                for population, path in read(source):
                    paths.setdefault(population, []).append(path.then(step, node.shape[-1]))
            reach[node.name] = {p: _packed(union(paths.pop(p), node.shape[-1])) for p in list(paths)}
