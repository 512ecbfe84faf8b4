"""The edges between blocks as flat arrays: pieces, rows and weights; see ``plan``."""

from __future__ import annotations

import weakref

import numpy as np

from snntb_adsnn.engine.event.blocks import Blocks
from snntb_adsnn.engine.event.layout import LANES, VECTOR, Piece, Row
from snntb_adsnn.errors import NetworkError
from snntb_adsnn.network.edges import Band, Indices, PixelMap, expand
from snntb_adsnn.network.maps import Array

JOINED = 1 << 14
"""Weights that joined rows of one layer may have: with more, they would not stay in the cache."""
GROWTH = 1 << 24
"""Weights by which their array grows: so large, from the first on, that the system moves its pages, and copies none."""


class Store:
    """Collects edges, pieces, rows and weights of all layers."""

    def __init__(self) -> None:
        self.degrees: list[Array] = []
        self.edges: list[Array] = []
        self.pieces: list[Array] = []
        self.rows: list[Array] = []
        self.weights = np.zeros(GROWTH, np.float32)
        self.known: dict[tuple[int, int], tuple[weakref.ref[Array], int]] = {}
        self.piece = self.row = self.weight = 0
        self.scaled = False

    def put(self, rows: Array, stride: int) -> int:
        """Store rows of weights, ``stride`` apart, from a cache-line boundary on; returns where they start.

        The same array is stored once: layers behind a sum of many share what drives them.
        """
        known = self.known.get((id(rows), stride))
        if known is not None and known[0]() is rows:
            return known[1]
        start, size = self.weight, len(rows) * stride
        space = self._space(size + -size % VECTOR)
        space[:size].reshape(len(rows), stride)[:, : rows.shape[1]] = rows
        self.known[id(rows), stride] = weakref.ref(rows), start
        return start

    def _space(self, size: int) -> Array:
        """Zeros behind all weights that are there. Valid until the next call."""
        self.weight += size
        if self.weight > len(self.weights):
            self.weights.resize(len(self.weights) + max(size, GROWTH), refcheck=False)
        return self.weights[self.weight - size : self.weight]

    def put_rows(self, rows: Array) -> int:
        """Store a table of ``Row``; returns the first one's number."""
        start = self.row
        self.rows.append(rows.astype(np.int32))
        self.row += len(rows)
        return start

    def add_pieces(self, **columns: Indices | int) -> Indices:
        """Add pieces, columns as in ``Piece`` (0 where there is none); returns their numbers."""
        pieces = np.zeros((max(map(np.size, columns.values())), len(Piece._fields)), np.int64)
        for name, values in columns.items():
            pieces[:, Piece._fields.index(name)] = values
        pieces[:, Piece._fields.index("scaled")] = self.scaled
        self.pieces.append(pieces)
        self.piece += len(pieces)
        return np.arange(self.piece - len(pieces), self.piece)

    def arrays(self) -> tuple[Array, Array, Array, Array, Array]:
        """plane_edges, edges, pieces, rows, weights as in ``Plan``; the store gives its weights away."""
        if max(self.weight, self.row) >= 1 << 31:
            raise NetworkError(
                f"the event engine would need {self.weight:,} weights for this network, more than it can address: "
                "between neurons it multiplies linear layers out. Put activations between them, or use another engine."
            )
        return (
            np.cumsum(np.concatenate([[0], *self.degrees])),
            np.concatenate([np.zeros((0, 2), np.int32), *self.edges]),
            np.concatenate([np.zeros((0, len(Piece._fields)), np.int64), *self.pieces]).astype(np.int32),
            np.concatenate([np.zeros((0, len(Row._fields)), np.int32), *self.rows]),
            self._aligned_weights(),
        )

    def _aligned_weights(self) -> Array:
        """On a cache-line boundary, with zeros behind them."""
        size = self.weight + LANES
        self.weights.resize(size + VECTOR, refcheck=False)
        start = -self.weights.ctypes.data % 64 // self.weights.itemsize
        for end in range(size, 0, -GROWTH):  # a part at a time: they overlap, and are copied in between
            begin = max(end - GROWTH, 0)
            self.weights[start + begin : start + end] = self.weights[begin:end]
        return self.weights[start : start + size]

    def add(self, layer: Blocks, paths: list[tuple[int, bool, PixelMap]]) -> int:
        """Add the edges of one layer; returns the stride of its drive rows.

        Args:
            layer: where they lead.
            paths: by population that drives it: its first cell, whether its spikes are not ALIKE, and the map. They
                are taken off the list.

        A run of channels that a block cuts off brings weights of channels beyond the block along: where that happens,
        rows of the drive are apart by one vector more.
        """
        edges = [np.zeros((0, 3), np.int64)]
        cut = False
        while paths:
            first_cell, self.scaled, path = paths.pop(0)
            table, kinds = _table(layer, path)
            table[:, 1] += first_cell
            if (joined := self._join(table, kinds, path.bands, layer.channels)) is not None:
                edges.append(joined)
                continue
            number, overflow = self._add_kinds(kinds, path.bands, layer.channels)
            cut |= overflow
            edges.append(np.column_stack([table[:, :2], number[table[:, 2]]]))
        rows = np.concatenate(edges)
        rows = rows[rows[:, 2] >= 0]
        rows = rows[np.lexsort((rows[:, 1], rows[:, 0]))]
        self.degrees.append(np.bincount(rows[:, 0], minlength=layer.blocks * layer.positions))
        self.edges.append(rows[:, 1:].astype(np.int32))
        return LANES + VECTOR if cut else LANES

    def _join(self, table: Indices, kinds: Indices, bands: list[Band], channels: int) -> Indices | None:
        """Where a cell reaches several pixels of a plane, put their weights into one row: a spike is then one addition.

        Args:
            table, kinds: see ``_table``.
            bands: what ``kinds`` refers to.
            channels: of the destination.

        Returns:
            rows plane, cell, piece; or ``None`` where nothing is gained, or the weights would fill the cache.
        """
        table = table[np.lexsort((kinds[table[:, 2], 1], table[:, 1], table[:, 0]))]
        begins = np.flatnonzero(np.r_[True, np.any(np.diff(table[:, :2], axis=0) != 0, axis=1)][: len(table)])
        sizes = np.diff(np.append(begins, len(table)))
        if not (sizes > 1).any() or not all(_is_full(band, channels) for band in bands):
            return None
        fewest = -(-len(kinds) // sizes.max())  # a joined row serves at most so many kinds
        if fewest * VECTOR * min(len(band.rows) for band in bands) > JOINED:
            return None
        keys = np.full((len(begins), sizes.max()), -1)
        group, place = expand(np.zeros(len(sizes), np.int64), sizes)
        keys[group, place] = table[:, 2]
        groups, kind = np.unique(keys, axis=0, return_inverse=True)
        joined = []
        for key in groups:
            runs = kinds[key[key >= 0]].tolist()
            joined.append(_joined_rows([bands[run[0]] for run in runs], runs))
            if sum(weights.size for _, weights in joined) > JOINED:
                return None
        starts = [self.put(weights, weights.shape[1]) for _, weights in joined]
        widths = np.array([weights.shape[1] for _, weights in joined])
        numbers = self.add_pieces(
            lane=np.array([lane for lane, _ in joined]),
            weight=np.array(starts),
            stride=widths,
            vectors=widths // VECTOR,
        )
        return np.column_stack([table[begins, :2], numbers[kind.reshape(-1)]])

    def _add_kinds(self, kinds: Indices, bands: list[Band], channels: int) -> tuple[Indices, bool]:
        """Add the pieces of ``_table``'s kinds.

        Returns:
            their numbers, -1 where nothing is added; whether one also writes behind its block's last lane.
        """
        numbers = np.full(len(kinds), -1)
        bounds = np.searchsorted(kinds[:, 0], np.arange(len(bands) + 1))
        overflow = False
        for band, begin, end in zip(bands, bounds[:-1], bounds[1:], strict=True):
            if begin < end:
                add = self._add_full if _is_full(band, channels) else self._add_rows
                numbers[begin:end], cut = add(band, channels, *kinds[begin:end, 1:].T)
                overflow |= cut
        return numbers, overflow

    def _add_full(
        self, band: Band, channels: int, lane: Indices, channel: Indices, length: Indices
    ) -> tuple[Indices, bool]:
        """``_add_kinds`` of one band that leads from everywhere to everywhere."""
        stride = band.width if channels % VECTOR == 0 else _padded(band.width)
        weight = self.put(band.rows, stride) + channel
        cut = (channel + length < channels) & (length % VECTOR > 0)
        vectors = -(-length // VECTOR)
        return self.add_pieces(lane=lane, weight=weight, stride=stride, vectors=vectors), bool(cut.any())

    def _add_rows(
        self, band: Band, channels: int, lane: Indices, channel: Indices, length: Indices
    ) -> tuple[Indices, bool]:
        """``_add_kinds`` of any other band: each channel of its source has a ``Row``."""
        first, width = band.first, band.width
        stride = width if width == 1 else _padded(width)
        end = (channel + length)[:, None]
        low = np.maximum(first, channel[:, None])
        reached = np.minimum(first + width, end) - low
        used = band.active & (reached > 0)
        numbers, some = np.full(len(lane), -1), used.any(axis=1)
        if not some.any():
            return numbers, False
        weight = self.put(band.rows, stride) + np.arange(len(first)) * stride + low - first
        into = np.where(used, lane[:, None] + low - channel[:, None], -1)
        vectors = np.zeros_like(reached) if width == 1 else -(-reached // VECTOR)
        rows = np.stack([into, weight, vectors], axis=2)[some].reshape(-1, len(Row._fields))
        numbers[some] = self.add_pieces(row=self.put_rows(rows) + np.arange(some.sum()) * len(first))
        return numbers, width > 1 and bool((used & (first + width > end)).any())


def _table(layer: Blocks, path: PixelMap) -> tuple[Indices, Indices]:
    """What a path leads to: a table of edges, columns plane, cell (counted from the population's first), kind; and a
    table of kinds, sorted by columns band, lane, channel, length: the run of a pixel's channels, in one block, from
    ``channel`` on, so many, that lie at ``lane`` and on."""
    runs = layer.runs()
    order = np.argsort(path.target, kind="stable")
    bounds = np.searchsorted(path.target[order], np.arange(layer.inputs // layer.channels + 1))
    low, high = _reach(path.bands)
    edges, keys = [], []
    for position in range(layer.positions):
        pixel = layer.window[runs[:, 2], position]
        begin = bounds[pixel]
        count = np.where(pixel < 0, 0, bounds[pixel + 1] - begin)
        run, edge = expand(begin, count)
        edge = order[edge]
        block, lane, _, channel, length = runs[run].T
        band = path.band[edge]
        met = (channel < high[band]) & (channel + length > low[band])
        key = ((band * LANES + lane) * layer.channels + channel) * (LANES + 1) + length
        edges.append(np.stack([block * layer.positions + position, path.source[edge]], axis=1)[met])
        keys.append(key[met])
    key, kind = np.unique(np.concatenate(keys), return_inverse=True)
    key, length = np.divmod(key, LANES + 1)
    key, channel = np.divmod(key, layer.channels)
    kinds = np.stack([*np.divmod(key, LANES), channel, length], axis=1)
    return np.column_stack([np.concatenate(edges), kind.reshape(-1)]), kinds


def _reach(bands: list[Band]) -> tuple[Indices, Indices]:
    """For each band, the lowest target channel that it leads to, and the end of the highest; twice 0 if to none."""
    reach = np.zeros((2, len(bands)), np.int64)
    for i, band in enumerate(bands):
        first = band.first[band.active]
        if len(first):
            reach[:, i] = first.min(), first.max() + band.width
    return reach[0], reach[1]


def _joined_rows(bands: list[Band], runs: list[list[int]]) -> tuple[int, Array]:
    """First lane, and weights of shape (source channels, lanes) in whole vectors that end in the block.

    ``runs``: band, lane, channel, length of each.
    """
    first, end = runs[0][1], runs[-1][1] + runs[-1][3]
    width = -(-(end - first) // VECTOR) * VECTOR
    first = min(first, LANES - width)
    weights = np.zeros((len(bands[0].rows), width), np.float32)
    for band, (_, lane, channel, length) in zip(bands, runs, strict=True):
        weights[:, lane - first : lane - first + length] = band.rows[:, channel : channel + length]
    return first, weights


def _is_full(band: Band, channels: int) -> bool:
    """Whether every source channel leads to every channel of the destination."""
    return band.width == channels > 1 and bool(band.active.all())


def _padded(width: int) -> int:
    """Room for a row with zeros behind it, so that whole vectors can be read from anywhere in it."""
    return -(-(width + VECTOR - 1) // VECTOR) * VECTOR
