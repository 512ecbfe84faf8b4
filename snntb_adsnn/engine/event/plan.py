"""A network as flat arrays for the kernels.

The neurons of a layer, in row-major order, are cut into *blocks* of ``LANES``. A max-pooling neuron reads one
*position* of its window after the other; a block at one position is a *plane*: ``LANES`` currents and potentials. Each
plane lists the edges that drive it: (source cell, *piece*), a piece being the part of a ``Band`` that falls into the
block.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from snntb_adsnn.engine.event.blocks import Blocks, Spikes
from snntb_adsnn.engine.event.maps import CELL, cells, drives
from snntb_adsnn.engine.event.store import Store, aligned_floats
from snntb_adsnn.network import Neurons, Readout, SpikingNetwork
from snntb_adsnn.network.edges import Indices, pixels
from snntb_adsnn.network.maps import Array
from snntb_adsnn.neuron import ASNState

CHANNEL_BITS = (CELL - 1).bit_length()
"""An event is the number ``step << CHANNEL_BITS | channel``, with the channel counted in its cell."""


class Layer(IntEnum):
    """Columns of ``Plan.layers``."""

    BLOCK, BLOCKS, POSITIONS, PLANE, STRIDE, HELD, SPIKING, NEURON, NEURONS, TASK, TASKS, WAIT, SPIKES = range(13)


class Constant(IntEnum):
    """Columns of ``Plan.constants``."""

    K_BETA, K_PHI, G_PHI, K_ETA, K_GAMMA, M_F, THETA0 = range(7)


@dataclass(frozen=True, eq=False)
class Plan:
    """Flat arrays; the rows of ``layers`` are the populations in order and the read-out.

    Attributes:
        names: the layers' names.
        layers: int64, columns ``Layer``; WAIT: all layers before must be finished when this one begins.
        tasks: int64; the blocks from ``tasks[TASK + i]`` to ``tasks[TASK + i + 1]`` of a layer are its task i: threads
            share these out; no cell lies in two.
        constants: float32, columns ``Constant``.
        bias: float32 per lane of every block; -inf where there is no neuron.
        m_f, theta0, height: float32 per lane of every block; m_f and height serve where spikes are not ALIKE.
        V0: float32 per lane of every plane: initial V, -inf where a pooling window hangs over the edge.
        sleeps: bool per block: no neuron spikes as long as no current reaches the block.
        gather: by layer, for every lane of every plane, the pixel and channel of the layer's input that it holds, as
            an index into the flattened input; its size where there is none.
        plane_edges: int64, CSR bounds of each plane's rows in ``edges``: int32 (source cell, piece).
        pieces: int32, columns ``Piece``. rows: int32, see ``Piece``. weights: float32.
        places: int32 (cell, channel in it) of every neuron.
        cell_channels: int64, for every cell and the end, number of channels of all cells before it.
    """

    names: tuple[str, ...]
    layers: NDArray[np.int64]
    tasks: NDArray[np.int64]
    constants: NDArray[np.float32]
    bias: NDArray[np.float32]
    m_f: NDArray[np.float32]
    theta0: NDArray[np.float32]
    height: NDArray[np.float32]
    V0: NDArray[np.float32]
    sleeps: NDArray[np.bool_]
    gather: Mapping[str, Indices]
    plane_edges: NDArray[np.int64]
    edges: NDArray[np.int32]
    pieces: NDArray[np.int32]
    rows: NDArray[np.int32]
    weights: NDArray[np.float32]
    places: NDArray[np.int32]
    cell_channels: NDArray[np.int64]


def make_plan(network: SpikingNetwork, held: frozenset[str], *, complete: bool = False) -> Plan:
    """Compile a network.

    Args:
        network: what to simulate.
        held: layers that the analog input reaches.
        complete: give also those input pixels of a pooling layer a place that no window reads (to record them).

    Raises:
        NetworkError: a node of a kind this engine does not know.
    """
    found = drives(network)
    waits = _waits({name: set(paths) for name, paths in found.items()})
    store = Store()
    layers: list[list[int]] = []
    tasks: list[Indices] = []
    constants: list[list[float]] = []
    bias: list[Array] = []
    precision: list[Array] = []
    V0: list[Array] = []
    sleeps: list[Array] = []
    gather: dict[str, Indices] = {}
    first_cell: dict[str, int] = {}
    scaled: set[str] = set()
    places: list[Array] = [np.zeros((0, 2), np.int64)]
    channels: list[Array] = [np.zeros(1, np.int64)]
    block = plane = neuron = cell = task = 0
    nodes: tuple[Neurons | Readout, ...] = (*network.populations, network.readout)
    for node in nodes:
        layer = Blocks(node, complete)
        stride = store.add(layer, [(first_cell[name], name in scaled, path) for name, path in found[node.name].items()])
        spiking = isinstance(node, Neurons)
        fields = {
            Layer.BLOCK: block,
            Layer.BLOCKS: layer.blocks,
            Layer.POSITIONS: layer.positions,
            Layer.PLANE: plane,
            Layer.STRIDE: stride,
            Layer.HELD: node.name in held,
            Layer.SPIKING: spiking,
            Layer.NEURON: neuron,
            Layer.NEURONS: layer.neurons,
            Layer.TASK: task,
            Layer.TASKS: len(layer.tasks()) - 1,
            Layer.WAIT: waits[node.name],
            Layer.SPIKES: layer.spikes,
        }
        layers.append([int(fields[column]) for column in Layer])
        tasks.append(layer.tasks())
        task += len(tasks[-1])
        constants.append(_constants(node))
        bias.append(layer.bias())
        precision.append(layer.precision())
        if layer.spikes != Spikes.ALIKE:
            scaled.add(node.name)
        gather[node.name] = layer.gather()
        V0.append(np.where(gather[node.name] < layer.inputs, 0, -np.inf if spiking else 0))
        sleeps.append(layer.sleeps(V0[-1]))
        block += layer.blocks
        plane += layer.blocks * layer.positions
        if isinstance(node, Neurons):
            first_cell[node.name] = cell
            sizes = cells(node.shape[-1])
            pixel, channel = np.divmod(np.arange(node.size), node.shape[-1])
            places.append(np.stack([cell + pixel * len(sizes) + channel // CELL, channel % CELL], axis=1))
            channels.append(np.tile(sizes, pixels(node.shape)))
            neuron += layer.neurons
            cell += pixels(node.shape) * len(sizes)
    m_f, theta0, height = np.concatenate(precision, axis=1)
    return Plan(
        tuple(n.name for n in nodes),
        np.array(layers, np.int64),
        np.concatenate(tasks),
        np.array(constants, np.float32),
        aligned_floats(np.concatenate(bias)),
        aligned_floats(m_f),
        aligned_floats(theta0),
        aligned_floats(height),
        aligned_floats(np.concatenate(V0)),
        np.concatenate(sleeps),
        gather,
        *store.arrays(),
        np.concatenate(places).astype(np.int32),
        np.cumsum(np.concatenate(channels)),
    )


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


def _constants(node: Neurons | Readout) -> list[float]:
    if isinstance(node, Neurons):
        state = ASNState(node.parameters, (0,), dtype=np.float32)
        constants = (state.k_beta, state.k_phi, state.g_phi, state.k_eta, state.k_gamma, state.m_f, state.theta0)
        return [float(c) for c in constants]
    k_phi = np.float32(node.k_phi)
    return [node.k_beta, float(k_phi), float(np.float32(1) - k_phi), 0, 0, 0, 0]
