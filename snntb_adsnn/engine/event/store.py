"""The edges between blocks as flat arrays: pieces, rows and weights; see ``plan``."""

from __future__ import annotations

import numpy as np

from snntb_adsnn.engine.event.arrays import aligned_floats
from snntb_adsnn.engine.event.blocks import Blocks
from snntb_adsnn.engine.event.layout import LANES, VECTOR, Piece, Row
from snntb_adsnn.network.edges import Band, Indices, PixelMap, expand
from snntb_adsnn.network.maps import Array

JOINED = 1 << 14
"""Weights that joined rows of one layer may have: with more, they would not stay in the cache."""


class Store:
    """Collects edges, pieces, rows and weights of all layers."""

    def __init__(self) -> None:
        self.degrees: list[Array] = []
        self.edges: list[Array] = []
        self.pieces: list[Piece] = []
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
        """Store a table of ``Row``; returns the first one's number."""
        start = self.row
        self.rows.append(rows.astype(np.int32))
        self.row += len(rows)
        return start

    def add_piece(self, *, lane: int = 0, weight: int = 0, stride: int = 0, vectors: int = 0, row: int = 0) -> int:
        """Add a piece, columns as in ``Piece``; returns its number."""
        self.pieces.append(Piece(lane, weight, stride, vectors, row, self.scaled))
        return len(self.pieces) - 1

    def arrays(self) -> tuple[Array, Array, Array, Array, Array]:
        """plane_edges, edges, pieces, rows, weights as in ``Plan``."""
        return (
            np.cumsum(np.concatenate([[0], *self.degrees])),
            np.concatenate([np.zeros((0, 2), np.int32), *self.edges]),
            np.array(self.pieces, np.int32).reshape(-1, len(Piece._fields)),
            np.concatenate([np.zeros((0, len(Row._fields)), np.int32), *self.rows]),
            aligned_floats(np.concatenate([*self.weights, np.zeros(LANES)])),
        )

    def add(self, layer: Blocks, paths: list[tuple[int, bool, PixelMap]]) -> int:
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
        numbers = [
            self.add_piece(lane=lane, weight=self.put(w), stride=w.shape[1], vectors=w.shape[1] // VECTOR)
            for lane, w in rows
        ]
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

    def __init__(self, store: Store, band: Band, channels: int) -> None:
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

    def piece(self, store: Store, lane: int, channel: int, length: int) -> tuple[int | None, bool]:
        """The piece that serves channels [channel, channel + length), which lie at ``lane`` and on.

        Returns:
            its number, or None where nothing is added; whether it also writes behind the block's last lane.
        """
        end = channel + length
        if self.full:
            vectors = -(-length // VECTOR)
            overflow = end < self.channels and length % VECTOR > 0
            weight = self.start + channel
            return store.add_piece(lane=lane, weight=weight, stride=self.stride, vectors=vectors), overflow
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
        return store.add_piece(row=store.put_rows(rows)), overflow
