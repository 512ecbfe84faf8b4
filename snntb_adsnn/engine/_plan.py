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

from snntb_adsnn.engine._maps import CELL, Band, Indices, PixelMap, cells, drives, expand, pixels, window_pixels
from snntb_adsnn.engine._simd import LANES, VECTOR
from snntb_adsnn.linear import Array
from snntb_adsnn.network import Neurons, Readout, SpikingNetwork
from snntb_adsnn.neuron import ASNState

CHANNEL_BITS = (CELL - 1).bit_length()
"""An event is the number ``step << CHANNEL_BITS | channel``, with the channel counted in its cell."""


JOINED = 1 << 14
"""Weights that joined rows of one layer may have: with more, they would not stay in the cache."""


class Layer(IntEnum):
    """Columns of ``Plan.layers``."""

    BLOCK, BLOCKS, POSITIONS, PLANE, STRIDE, HELD, SPIKING, NEURON, NEURONS, TASK, TASKS, WAIT, SPIKES = range(13)


class Spikes(IntEnum):
    """Values of the column SPIKES: the height of a population's spikes."""

    ALIKE = 0  # h, folded into the weights
    OWN = 1  # each neuron's own
    GRADED = 2  # h times the threshold


class Constant(IntEnum):
    """Columns of ``Plan.constants``."""

    K_BETA, K_PHI, G_PHI, K_ETA, K_GAMMA, M_F, THETA0 = range(7)


class Piece(IntEnum):
    """Columns of ``Plan.pieces``: how one spike of channel c is added to a plane.

    ``vectors`` > 0: ``weights[weight + c * stride :]`` goes to ``lane`` and on, in so many vectors of ``VECTOR``;
    ``vectors`` = 0: ``rows[row + c]`` holds (lane or -1, weight, vectors or 0 for a single weight). SCALED: times the
    spike's height.
    """

    LANE, WEIGHT, STRIDE, VECTORS, ROW, SCALED = range(6)


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


def aligned(size: int, dtype: type[np.generic] = np.float32) -> Array:
    """Zeros on a cache-line boundary."""
    width = np.dtype(dtype).itemsize
    raw = np.zeros(size * width + 64, np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start : start + size * width].view(dtype)


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
    store = _Store()
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
        layer = _LayerPlan(node, complete)
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
        _float(np.concatenate(bias)),
        _float(m_f),
        _float(theta0),
        _float(height),
        _float(np.concatenate(V0)),
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


def _float(values: Array) -> NDArray[np.float32]:
    result = aligned(values.size)
    result[:] = values
    return result


def _constants(node: Neurons | Readout) -> list[float]:
    if isinstance(node, Neurons):
        state = ASNState(node.parameters, (0,), dtype=np.float32)
        constants = (state.k_beta, state.k_phi, state.g_phi, state.k_eta, state.k_gamma, state.m_f, state.theta0)
        return [float(c) for c in constants]
    k_phi = np.float32(node.k_phi)
    return [node.k_beta, float(k_phi), float(np.float32(1) - k_phi), 0, 0, 0, 0]


class _LayerPlan:
    """The blocks of one layer, and which input pixel each position of each neuron's window reads."""

    def __init__(self, node: Neurons | Readout, complete: bool) -> None:
        self.node = node
        shape = node.input_shapes[0]
        self.channels, self.inputs = shape[-1], int(np.prod(shape))
        self.neurons = int(np.prod(node.shape))
        if isinstance(node, Neurons) and node.pool is not None:
            self.window = window_pixels(node.pool, *shape[:2])
            if complete:  # a silent neuron for each pixel that no window reads
                unread = np.setdiff1d(np.arange(pixels(shape)), self.window)
                extra = np.full((len(unread), self.window.shape[1]), -1)
                extra[:, 0] = unread
                self.window = np.concatenate([self.window, extra])
        else:
            self.window = np.arange(pixels(shape))[:, None]
        self.positions = self.window.shape[1]
        self.spikes = Spikes.ALIKE
        if isinstance(node, Neurons):
            self.spikes = Spikes.GRADED if node.graded else Spikes.ALIKE if node.m_f is None else Spikes.OWN
        self.blocks = -(-len(self.window) * self.channels // LANES)

    def tasks(self) -> Indices:
        """Bounds of the smallest ranges of blocks such that no cell lies in two."""
        blocks = np.arange(self.blocks)
        first_channel = blocks * LANES % self.channels
        return np.append(blocks[first_channel % CELL == 0], self.blocks)

    def bias(self) -> Array:
        """For every lane of every block; -inf, so that it never spikes, where there is no neuron."""
        bias = np.full(self.blocks * LANES, -np.inf)
        bias[: self.neurons] = np.broadcast_to(self.node.bias, self.node.shape).reshape(-1)
        return bias

    def precision(self) -> Array:
        """m_f, theta0 and spike height for every lane of every block."""
        lanes = np.zeros((3, self.blocks * LANES))
        if isinstance(self.node, Neurons):
            for row, values in zip(lanes, self.node.precision, strict=True):
                row[: self.neurons] = np.broadcast_to(values, self.node.shape).reshape(-1)
        return lanes

    def sleeps(self, V0: Array) -> NDArray[np.bool_]:
        """See ``Plan.sleeps``."""
        if not isinstance(self.node, Neurons):
            return np.zeros(self.blocks, np.bool_)
        V = V0.reshape(self.blocks, self.positions, LANES).max(axis=1)
        S = (V + self.bias().reshape(self.blocks, LANES)).astype(np.float32)
        quiet = 2 * S <= self.precision()[1].astype(np.float32).reshape(S.shape)
        return np.asarray(quiet.all(axis=1))

    def gather(self) -> Indices:
        """See ``Plan.gather``; shape (blocks * positions * LANES,)."""
        places = self.window[:, :, None] * self.channels + np.arange(self.channels)
        places[self.window < 0] = self.inputs
        lanes = np.full((self.blocks * LANES, self.positions), self.inputs)
        lanes[: len(self.window) * self.channels] = places.transpose(0, 2, 1).reshape(-1, self.positions)
        return lanes.reshape(self.blocks, LANES, self.positions).transpose(0, 2, 1).reshape(-1)

    def runs(self) -> Indices:
        """Parts of pixels that lie in one block; columns: block, lane, pixel (row of ``window``), channel, length."""
        lanes = len(self.window) * self.channels
        start = np.union1d(np.arange(0, lanes, LANES), np.arange(0, lanes, self.channels))
        length = np.diff(np.append(start, lanes))
        pixel, channel = np.divmod(start, self.channels)
        return np.stack([start // LANES, start % LANES, pixel, channel, length], axis=1)


class _Store:
    """Collects edges, pieces, rows and weights of all layers."""

    def __init__(self) -> None:
        self.degrees: list[Array] = []
        self.edges: list[Array] = []
        self.pieces: list[tuple[int, ...]] = []
        self.rows: list[Array] = []
        self.weights: list[Array] = []
        self.row = self.weight = 0
        self.scaled = False

    def put(self, weights: Array) -> int:
        """Store weights from a cache-line boundary on; returns where they start."""
        start = self.weight
        self.weights.append(weights.reshape(-1))
        gap = -weights.size % VECTOR
        self.weights.append(np.zeros(gap, np.float32))
        self.weight += weights.size + gap
        return start

    def put_rows(self, rows: Array) -> int:
        """Store rows of columns lane, weight, vectors; returns the first one's number."""
        start = self.row
        self.rows.append(rows.astype(np.int32))
        self.row += len(rows)
        return start

    def add_piece(self, *piece: int) -> int:
        """Add a piece, columns as in ``Piece`` but SCALED; returns its number."""
        self.pieces.append((*piece, self.scaled))
        return len(self.pieces) - 1

    def arrays(self) -> tuple[Array, Array, Array, Array, Array]:
        """plane_edges, edges, pieces, rows, weights as in ``Plan``."""
        return (
            np.cumsum(np.concatenate([[0], *self.degrees])),
            np.concatenate([np.zeros((0, 2), np.int32), *self.edges]),
            np.array(self.pieces, np.int32).reshape(-1, len(Piece)),
            np.concatenate([np.zeros((0, 3), np.int32), *self.rows]),
            _float(np.concatenate([*self.weights, np.zeros(LANES)])),
        )

    def add(self, layer: _LayerPlan, paths: list[tuple[int, bool, PixelMap]]) -> int:
        """Add the edges of one layer; returns the stride of its drive rows.

        Args:
            layer: where they lead.
            paths: by population that drives it: its first cell, whether its spikes are not ALIKE, and the map.

        A run of channels that a block cuts off brings weights of channels beyond the block along: where that happens,
        rows of the drive are apart by one vector more.
        """
        runs = layer.runs()
        edges, pieces = [], []
        cut = False
        for first_cell, self.scaled, path in paths:
            order = np.argsort(path.target, kind="stable")
            bounds = np.searchsorted(path.target[order], np.arange(layer.inputs // layer.channels + 1))
            found = []
            for position in range(layer.positions):
                pixel = layer.window[runs[:, 2], position]
                begin = bounds[pixel]
                count = np.where(pixel < 0, 0, bounds[pixel + 1] - begin)
                run, edge = expand(begin, count)
                edge = order[edge]
                plane = runs[run, 0] * layer.positions + position
                found.append(
                    np.stack([plane, first_cell + path.source[edge], path.band[edge], *runs[run][:, [1, 3, 4]].T], 1)
                )
            table = np.concatenate(found)
            if (joined := self._join(table, path.bands, layer.channels)) is not None:
                edges.append(joined[:, :2])
                pieces.append(joined[:, 2])
                continue
            places = [_Place(self, band, layer.channels) for band in path.bands]
            kinds, kind = np.unique(table[:, 2:], axis=0, return_inverse=True)
            number = np.empty(len(kinds), np.int64)
            for i, (band, lane, channel, length) in enumerate(kinds.tolist()):
                piece, overflow = places[band].piece(self, lane, channel, length)
                cut |= overflow
                number[i] = -1 if piece is None else piece
            edges.append(table[:, :2])
            pieces.append(number[kind.reshape(-1)])
        planes = layer.blocks * layer.positions
        if edges:
            rows = np.column_stack([np.concatenate(edges), np.concatenate(pieces)])
            rows = rows[rows[:, 2] >= 0]
            rows = rows[np.lexsort((rows[:, 1], rows[:, 0]))]
            self.degrees.append(np.bincount(rows[:, 0], minlength=planes))
            self.edges.append(rows[:, 1:].astype(np.int32))
        else:
            self.degrees.append(np.zeros(planes, np.int64))
        return LANES + VECTOR if cut else LANES

    def _join(self, table: Indices, bands: list[Band], channels: int) -> Indices | None:
        """Where a cell reaches several pixels of a plane, put their weights into one row: a spike is then one addition.

        Args:
            table: columns plane, cell, band, lane, channel, length.
            bands: what ``table`` refers to.
            channels: of the destination.

        Returns:
            rows plane, cell, piece; or ``None`` where nothing is gained, or the weights would fill the cache.
        """
        table = table[np.lexsort((table[:, 3], table[:, 1], table[:, 0]))]
        begins = np.flatnonzero(np.r_[True, np.any(np.diff(table[:, :2], axis=0) != 0, axis=1)][: len(table)])
        sizes = np.diff(np.append(begins, len(table)))
        if not (sizes > 1).any() or not all(_is_full(band, channels) for band in bands):
            return None
        keys = np.full((len(begins), sizes.max(), 4), -1)
        group, place = expand(np.zeros(len(sizes), np.int64), sizes)
        keys[group, place] = table[:, 2:]
        kinds, kind = np.unique(keys.reshape(len(begins), -1), axis=0, return_inverse=True)
        rows = [self._joined_rows([bands[r[0]] for r in runs], runs) for runs in map(_runs, kinds)]
        if sum(weights.size for _, weights in rows) > JOINED:
            return None
        numbers = [self.add_piece(lane, self.put(w), w.shape[1], w.shape[1] // VECTOR, 0) for lane, w in rows]
        return np.column_stack([table[begins, :2], np.array(numbers)[kind.reshape(-1)]])

    @staticmethod
    def _joined_rows(bands: list[Band], runs: list[list[int]]) -> tuple[int, Array]:
        """First lane, and weights of shape (source channels, lanes) in whole vectors that end in the block."""
        first, end = runs[0][1], runs[-1][1] + runs[-1][3]
        width = -(-(end - first) // VECTOR) * VECTOR
        first = min(first, LANES - width)
        weights = np.zeros((len(bands[0].rows), width), np.float32)
        for band, (_, lane, channel, length) in zip(bands, runs, strict=True):
            weights[:, lane - first : lane - first + length] = band.rows[:, channel : channel + length]
        return first, weights


def _runs(kind: Indices) -> list[list[int]]:
    """Rows band, lane, channel, length of a flat row of them that ends in -1."""
    return [run for run in kind.reshape(-1, 4).tolist() if run[0] >= 0]


def _is_full(band: Band, channels: int) -> bool:
    """Whether every source channel leads to every channel of the destination."""
    return band.width == channels > 1 and bool(band.rows.any(axis=1).all())


class _Place:
    """A band's weights in the store."""

    def __init__(self, store: _Store, band: Band, channels: int) -> None:
        self.band, self.channels = band, channels
        self.active = band.rows.any(axis=1)
        self.full = _is_full(band, channels)
        if band.width == 1 or (self.full and channels % VECTOR == 0):
            self.stride = band.width
        else:  # zeros behind each row, so that whole vectors can be read from anywhere in it
            self.stride = -(-(band.width + VECTOR - 1) // VECTOR) * VECTOR
        rows = np.zeros((len(band.rows), self.stride), np.float32)
        rows[:, : band.width] = band.rows
        self.start = store.put(rows)

    def piece(self, store: _Store, lane: int, channel: int, length: int) -> tuple[int | None, bool]:
        """The piece that serves channels [channel, channel + length), which lie at ``lane`` and on.

        Returns:
            its number, or None where nothing is added; whether it also writes behind the block's last lane.
        """
        end = channel + length
        if self.full:
            vectors = -(-length // VECTOR)
            overflow = end < self.channels and length % VECTOR > 0
            return store.add_piece(lane, self.start + channel, self.stride, vectors, 0), overflow
        first, width = self.band.first, self.band.width
        low = np.maximum(first, channel)
        reached = np.minimum(first + width, end) - low
        used = self.active & (reached > 0)
        if not used.any():
            return None, False
        rows = np.column_stack(
            [
                np.where(used, lane + low - channel, -1),
                self.start + np.arange(len(first)) * self.stride + low - first,
                np.where(width == 1, 0, -(-reached // VECTOR)),
            ]
        )
        overflow = width > 1 and bool((used & (first + width > end)).any())
        return store.add_piece(0, 0, 0, 0, store.put_rows(rows)), overflow
