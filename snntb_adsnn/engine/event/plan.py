"""A network as flat arrays for the kernels.

The neurons of a layer, in row-major order, are cut into *blocks* of ``LANES``. A max-pooling neuron reads one
*position* of its window after the other; a block at one position is a *plane*: ``LANES`` currents and potentials. Each
plane lists the edges that drive it: (source cell, *piece*), a piece being the part of a ``Band`` that falls into the
block.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from snntb_adsnn.engine.event.arrays import aligned_floats
from snntb_adsnn.engine.event.blocks import Blocks
from snntb_adsnn.engine.event.layout import CELL, FACTORS, LANES, Layer, PlanAt, Spikes, addresses
from snntb_adsnn.engine.event.maps import cells, drives
from snntb_adsnn.engine.event.store import Store
from snntb_adsnn.network import Neurons, Readout, SpikingNetwork
from snntb_adsnn.network.edges import Indices, PixelMap, pixels
from snntb_adsnn.network.maps import Array
from snntb_adsnn.neuron import ASNState


@dataclass(frozen=True, eq=False)
class Plan:
    """Flat arrays; the rows of ``layers`` are the populations in order and the read-out.

    Attributes:
        layers: int64, columns ``Layer``.
        tasks: int64; the blocks from ``tasks[task + i]`` to ``tasks[task + i + 1]`` of a layer are its task i: threads
            share these out; no cell lies in two.
        factors: float32, columns ``Factors``.
        bias: float32 per lane of every block; -inf where there is no neuron.
        m_f, theta0, height: float32 per lane of every block; m_f and height serve where spikes are not ALIKE.
        V0: float32 per lane of every plane: initial V, -inf where a pooling window hangs over the edge.
        sleeps: bool per block: no neuron spikes as long as no current reaches the block.
        gather: by layer, for every lane of every plane, the pixel and channel of the layer's input that it holds, as
            an index into the flattened input; its size where there is none.
        places: int32 (cell, channel in it) of every neuron.
        cell_channels: int64, for every cell and the end, number of channels of all cells before it.
        plane_edges: int64, CSR bounds of each plane's rows in ``edges``: int32 (source cell, piece).
        pieces: int32, columns ``Piece``. rows: int32, columns ``Row``. weights: float32.
    """

    layers: NDArray[np.int64]
    tasks: NDArray[np.int64]
    factors: NDArray[np.float32]
    bias: NDArray[np.float32]
    m_f: NDArray[np.float32]
    theta0: NDArray[np.float32]
    height: NDArray[np.float32]
    V0: NDArray[np.float32]
    sleeps: NDArray[np.bool_]
    gather: Mapping[str, Indices]
    places: NDArray[np.int32]
    cell_channels: NDArray[np.int64]
    plane_edges: NDArray[np.int64]
    edges: NDArray[np.int32]
    pieces: NDArray[np.int32]
    rows: NDArray[np.int32]
    weights: NDArray[np.float32]

    @cached_property
    def by_name(self) -> Mapping[str, Layer]:
        """Rows of ``layers`` by the layers' names."""
        return {name: Layer(*row) for name, row in zip(self.gather, self.layers.tolist(), strict=True)}

    @cached_property
    def at(self) -> NDArray[np.int64]:
        """Addresses for the kernels."""
        return addresses(PlanAt, self)

    def lanes(self, name: str) -> slice:
        """Lanes of a layer's blocks."""
        layer = self.by_name[name]
        return slice(layer.block * LANES, (layer.block + layer.blocks) * LANES)

    def plane_lanes(self, name: str) -> slice:
        """Lanes of a layer's planes."""
        layer = self.by_name[name]
        return slice(layer.plane * LANES, (layer.plane + layer.blocks * layer.positions) * LANES)


def make_plan(network: SpikingNetwork, held: frozenset[str], *, complete: bool = False) -> Plan:
    """Compile a network.

    Args:
        network: what to simulate.
        held: layers that the analog input reaches.
        complete: give also those input pixels of a pooling layer a place that no window reads (to record them).

    Raises:
        NetworkError: a node of a kind this engine does not know.
    """
    draft = _Draft()
    for node, paths in drives(network):
        blocks = Blocks(node, complete)
        draft.add_layer(blocks, paths, held=node.name in held)
        draft.add_lanes(blocks)
        if isinstance(node, Neurons):
            draft.add_cells(node)
    return draft.plan()


class _Draft:
    """A plan that grows layer by layer; lists of what it joins in the end."""

    def __init__(self) -> None:
        self.store = Store()
        self.layers: list[Layer] = []
        self.reads: dict[str, set[str]] = {}
        self.tasks: list[Indices] = []
        self.factors: list[list[float]] = []
        self.bias: list[Array] = []
        self.precision: list[Array] = []
        self.V0: list[Array] = []
        self.sleeps: list[Array] = []
        self.gather: dict[str, Indices] = {}
        self.first_cell: dict[str, int] = {}
        self.scaled: set[str] = set()
        self.places: list[Array] = [np.zeros((0, 2), np.int64)]
        self.channels: list[Array] = [np.zeros(1, np.int64)]

    def add_layer(self, blocks: Blocks, paths: dict[str, PixelMap], *, held: bool) -> None:
        """Its row of numbers, and the edges that lead to it; empties ``paths``."""
        node, tasks = blocks.node, blocks.tasks()
        self.reads[node.name] = set(paths)
        sources = [(self.first_cell[name], name in self.scaled, path) for name, path in paths.items()]
        paths.clear()
        last = self.layers[-1] if self.layers else Layer(*[0] * len(Layer._fields))
        row = {
            "block": last.block + last.blocks,
            "blocks": blocks.blocks,
            "positions": blocks.positions,
            "plane": last.plane + last.blocks * last.positions,
            "stride": self.store.add(blocks, sources),
            "held": held,
            "spiking": isinstance(node, Neurons),
            "neuron": last.neuron + last.neurons,
            "neurons": blocks.neurons,
            "task": sum(map(len, self.tasks)),
            "tasks": len(tasks) - 1,
            "wait": False,  # known when all layers are
            "spikes": blocks.spikes,
            "onset": node.onset_steps if isinstance(node, Neurons) else 0,
            "corrective": isinstance(node, Neurons) and node.corrective is not None,
        }
        self.layers.append(Layer(**row))
        self.tasks.append(tasks)
        self.factors.append(_factors(node))
        if blocks.spikes != Spikes.ALIKE:
            self.scaled.add(node.name)

    def add_lanes(self, blocks: Blocks) -> None:
        """What each lane of its blocks and planes holds."""
        node, gather = blocks.node, blocks.gather()
        V0 = np.where(gather < blocks.inputs, 0, -np.inf if isinstance(node, Neurons) else 0)
        self.gather[node.name] = gather
        self.bias.append(blocks.bias())
        self.precision.append(blocks.precision())
        self.V0.append(V0)
        self.sleeps.append(blocks.sleeps(V0))

    def add_cells(self, node: Neurons) -> None:
        """The lists that its spikes are collected in."""
        first = sum(map(len, self.channels)) - 1
        sizes = cells(node.shape[-1])
        pixel, channel = np.divmod(np.arange(node.size), node.shape[-1])
        self.first_cell[node.name] = first
        self.places.append(np.stack([first + pixel * len(sizes) + channel // CELL, channel % CELL], axis=1))
        self.channels.append(np.tile(sizes, pixels(node.shape)))

    def plan(self) -> Plan:
        return Plan(*self._of_layers(), *self._of_lanes(), self.gather, *self._of_cells(), *self.store.arrays())

    def _of_layers(self) -> tuple[Array, Array, Array]:
        """layers, tasks, factors as in ``Plan``."""
        waits = _waits(self.reads)
        layers = [layer._replace(wait=waits[name]) for name, layer in zip(self.reads, self.layers, strict=True)]
        return np.array(layers, np.int64), np.concatenate(self.tasks), np.array(self.factors, np.float32)

    def _of_lanes(self) -> tuple[Array, Array, Array, Array, Array, Array]:
        """bias, m_f, theta0, height, V0, sleeps as in ``Plan``."""
        m_f, theta0, height = map(aligned_floats, np.concatenate(self.precision, axis=1))
        bias, V0 = (aligned_floats(np.concatenate(lanes)) for lanes in (self.bias, self.V0))
        return bias, m_f, theta0, height, V0, np.concatenate(self.sleeps)

    def _of_cells(self) -> tuple[Array, Array]:
        """places, cell_channels as in ``Plan``."""
        return np.concatenate(self.places).astype(np.int32), np.cumsum(np.concatenate(self.channels))


def _waits(reads: Mapping[str, set[str]]) -> dict[str, bool]:
    """By layer, whether it must wait for the layers before it; ``reads``: whose events each layer reads.

    Layers follow each other in a circle, chunk by chunk. Since the last wait, none may have written what this layer
    reads, and none may still read what this layer writes.
    """
    waits = dict.fromkeys(reads, False)
    since: list[str] = []
    for name in list(reads) * (len(reads) + 1):  # each round adds a wait or changes nothing
        waits[name] |= any(other in reads[name] or name in reads[other] for other in since)
        since = [name] if waits[name] else [*since, name]
    return waits


def _factors(node: Neurons | Readout) -> list[float]:
    """A row of ``Factors``."""
    if isinstance(node, Neurons):
        state = ASNState(node.parameters, (0,), dtype=np.float32, corrective=node.corrective)
        return [float(getattr(state, name) or 0) for name in FACTORS]
    k_phi = np.float32(node.k_phi)
    used = {"k_beta": node.k_beta, "k_phi": float(k_phi), "g_phi": float(np.float32(1) - k_phi)}
    return [used.get(name, 0) for name in FACTORS]
