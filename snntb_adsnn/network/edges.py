"""A linear map as edges between pixels.

A *pixel* is one position of a (height, width, channels) tensor, or a whole vector; tensors are pixels times channels.
A ``PixelMap`` is a list of edges (source pixel, target pixel, band), where a ``Band`` holds the weights from each
source channel to a run of target channels.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from snntb_adsnn.network.node import Array, Shape

Indices = NDArray[np.int64]

BATCH = 1 << 10
"""Rows of some bands that are multiplied at once with the rows of another."""


@dataclass(frozen=True, eq=False)
class Band:
    """Weights between the channels of two pixels: ``rows[c, i]`` leads from channel c to channel ``first[c] + i``.

    Attributes:
        rows: shape (source channels, width), floating point.
        first: shape (source channels,); ``first + width`` never exceeds the target's channels.
        leads: shape (source channels,), bool: which channels lead anywhere; the rows of the others are 0, and stand for
            no synapse. ``None``: all do. (A weight of 0 in the row of a channel that leads somewhere is a synapse.)
    """

    rows: Array
    first: Indices
    leads: NDArray[np.bool_] | None = None

    @property
    def width(self) -> int:
        """Target channels that one source channel reaches at most."""
        return int(self.rows.shape[1])

    @cached_property
    def active(self) -> NDArray[np.bool_]:
        """Shape (source channels,): which have a weight that is not 0."""
        active: NDArray[np.bool_] = np.asarray(self.rows.any(axis=1))
        return active

    @classmethod
    def full(cls, weights: Array) -> Band:
        """From every channel to every channel; weights of shape (source channels, target channels)."""
        return cls(weights, np.zeros(len(weights), np.int64))

    @classmethod
    def diagonal(cls, factors: Array, offset: int = 0) -> Band:
        """From channel c to channel ``offset + c`` with its own factor."""
        return cls(factors[:, None], offset + np.arange(len(factors)))

    @classmethod
    def moved(cls, places: Indices) -> Band:
        """From channel c to channel ``places[c]``, unchanged; to none where that is negative."""
        leads = places >= 0
        return cls(leads.astype(np.float32)[:, None], np.where(leads, places, 0), None if leads.all() else leads)

    @classmethod
    def total(cls, bands: Sequence[Band], channels: int) -> Band:
        """Sum of bands that lead to the same pixel of ``channels`` channels; in float64, rounded to their type once."""
        low = np.min([band.first for band in bands], axis=0)
        high = np.max([band.first + band.width for band in bands], axis=0)
        width = int((high - low).max())
        first = np.minimum(low, channels - width)
        rows = np.zeros((len(first), width))
        for band in bands:
            _add_at(rows, band.first - first, band.rows)
        return cls(rows.astype(bands[0].rows.dtype), first)

    @cached_property
    def shift(self) -> int | None:
        """How much higher the channel that each channel leads to unchanged is; ``None``: the band does something
        else."""
        if self.width != 1 or self.leads is not None or not (self.rows == 1).all():
            return None
        shift = int(self.first[0])
        return shift if np.array_equal(self.first, shift + np.arange(len(self.first))) else None

    def then(self, after: Band, channels: int) -> Band:
        """This band followed by ``after``, which leads to ``channels`` channels; rounded to this one's type once."""
        (band,) = followed([self], after, channels)
        return band

    def _then(self, after: Band, channels: int) -> Band:
        """``then`` where neither is ``after`` a shift nor does it make a product of matrices."""
        if self.width == 1:
            return Band(self.rows * after.rows[self.first], after.first[self.first])
        between = self.first[:, None] + np.arange(self.width)
        target = after.first[between]
        low = target.min(axis=1)
        width = int((target.max(axis=1) - low).max()) + after.width
        first = np.minimum(low, channels - width)
        place = target - first[:, None]
        rows = np.zeros((len(first), width))
        for i in range(self.width):
            _add_at(rows, place[:, i], self.rows[:, [i]].astype(np.float64) * after.rows[between[:, i]])
        return Band(rows.astype(self.rows.dtype), first)

    def astype(self, dtype: DTypeLike) -> Band:
        """With weights of another type."""
        return Band(self.rows.astype(dtype, copy=False), self.first, self.leads)

    def matrix(self, channels: int) -> Array:
        """As a matrix of shape (source channels, channels), where ``channels`` are the target's."""
        full = np.zeros((len(self.rows), channels), self.rows.dtype)
        full[np.arange(len(self.rows))[:, None], self.first[:, None] + np.arange(self.width)] = self.rows
        return full

    def apply(self, x: Array, channels: int) -> Array:
        """From values of shape (..., source channels) to (..., channels), in their type."""
        rows = self.rows.astype(x.dtype, copy=False)
        if self.width > 1:
            y: Array = x @ self.matrix(channels).astype(x.dtype, copy=False)
            return y
        y = np.zeros((*x.shape[:-1], channels), x.dtype)
        values, places = x * rows[:, 0], self.first
        if self.leads is not None:
            values, places = values[..., self.leads], places[self.leads]
        where: Any = (..., places)
        if len(np.unique(places)) == len(places):
            y[where] = values
        else:
            np.add.at(y, where, values)
        return y

    def count(self, downstream: Array) -> Array:
        """From what one event at each target channel costs, shape (..., channels), what one at each source channel
        costs, (..., source channels): every synapse counts, whatever its weight."""
        runs = np.lib.stride_tricks.sliding_window_view(downstream, self.width, axis=-1).sum(axis=-1)
        costs: Array = runs[..., self.first]
        return costs if self.leads is None else costs * self.leads


@dataclass(frozen=True, eq=False)
class PixelMap:
    """Edges of a linear map: arrays ``source``, ``target`` (pixels) and ``band`` (index into ``bands``)."""

    source: Indices
    target: Indices
    band: Indices
    bands: list[Band]

    @classmethod
    def of(cls, parts: Iterable[tuple[Indices, Indices, Band]]) -> PixelMap:
        """From groups of edges that share a band; a negative source (padding) is no edge."""
        kept = [(source[source >= 0], target[source >= 0], band) for source, target, band in parts]
        return cls(
            np.concatenate([source for source, _, _ in kept]),
            np.concatenate([target for _, target, _ in kept]),
            np.repeat(np.arange(len(kept)), [len(source) for source, _, _ in kept]),
            [band for _, _, band in kept],
        )

    @classmethod
    def each(cls, shape: Shape, band: Band) -> PixelMap:
        """From every pixel of a tensor of ``shape`` to the same pixel."""
        every = np.arange(pixels(shape))
        return cls.of([(every, every, band)])

    def then(self, after: PixelMap, channels: int) -> PixelMap:
        """This map followed by ``after``, whose target has ``channels`` channels."""
        order = np.argsort(after.source, kind="stable")
        source = after.source[order]
        begin = np.searchsorted(source, self.target, side="left")
        count = np.searchsorted(source, self.target, side="right") - begin
        mine, theirs = expand(begin, count)
        theirs = order[theirs]
        pairs, band = np.unique(after.band[theirs] * len(self.bands) + self.band[mine], return_inverse=True)
        second, first = np.divmod(pairs, len(self.bands)) if len(pairs) else (pairs, pairs)
        bounds = np.searchsorted(second, np.arange(len(after.bands) + 1))
        bands: list[Band] = []
        for i, (start, end) in enumerate(pairwise(bounds)):
            bands += followed([self.bands[k] for k in first[start:end]], after.bands[i], channels)
        return merged(PixelMap(self.source[mine], after.target[theirs], band.reshape(-1), bands), channels)

    def astype(self, dtype: DTypeLike) -> PixelMap:
        """With weights of another type."""
        return PixelMap(self.source, self.target, self.band, [band.astype(dtype) for band in self.bands])

    @cached_property
    def groups(self) -> list[tuple[Indices, Indices, Band]]:
        """The edges, as (sources, targets, band): in a group all share the band, and no target occurs twice."""
        if not len(self.band):
            return []
        order = np.lexsort((self.target, self.band))
        source, target, band = self.source[order], self.target[order], self.band[order]
        place = np.arange(len(order))
        new = np.r_[True, (target[1:] != target[:-1]) | (band[1:] != band[:-1])]
        turn = place - np.maximum.accumulate(np.where(new, place, 0))  # edges of its band to its target before each
        keys, group = np.unique(np.stack([band, turn], axis=1), axis=0, return_inverse=True)
        members = np.argsort(group.reshape(-1), kind="stable")
        bounds = np.searchsorted(group.reshape(-1)[members], np.arange(len(keys) + 1))
        chosen = [members[begin:end] for begin, end in pairwise(bounds)]
        return [(source[c], target[c], self.bands[number]) for c, number in zip(chosen, keys[:, 0], strict=True)]

    def apply(self, x: Array, shape: Shape) -> Array:
        """Values of shape (batch, *source shape) mapped to (batch, *shape), in their type."""
        flat = x.reshape(len(x), -1, x.shape[-1])
        y = np.zeros((len(x), pixels(shape), shape[-1]), x.dtype)
        for source, target, band in self.groups:
            y[:, target] += band.apply(flat[:, source], shape[-1])
        return y.reshape(len(x), *shape)

    def count(self, downstream: Array, shape: Shape) -> Array:
        """Adjoint that counts synapses: what one event at each value of the source, of ``shape``, costs, where one at
        each value of the target costs ``downstream``; float64."""
        flat = downstream.reshape(-1, downstream.shape[-1]).astype(np.float64)
        costs = np.zeros((pixels(shape), shape[-1]))
        for source, target, band in self.groups:
            np.add.at(costs, source, band.count(flat[target]))
        return costs.reshape(shape)


def pixels(shape: Shape) -> int:
    """Number of pixels of a tensor."""
    return math.prod(shape[:-1])


def followed(bands: Sequence[Band], after: Band, channels: int) -> list[Band]:
    """Each band followed by ``after``, which leads to ``channels`` channels; rounded to the band's type once."""
    if after.shift is not None:  # they share the weights: a sum that many layers read would need them as often
        return [b if after.shift == 0 else Band(b.rows, b.first + after.shift, b.leads) for b in bands]
    found: list[Band | None] = [None] * len(bands)
    alike: dict[tuple[int, int], list[int]] = {}
    for i, band in enumerate(bands):
        if band.width > 1 and np.ptp(band.first) == 0:
            alike.setdefault((int(band.first[0]), band.width), []).append(i)
        else:
            found[i] = band._then(after, channels)
    for (first, width), numbers in alike.items():
        step = _step(after, first, width, channels)
        for some in _batches(numbers, [len(bands[i].rows) for i in numbers]):
            done = [bands[i]._then(after, channels) for i in some] if step is None else step([bands[i] for i in some])
            for i, band in zip(some, done, strict=True):
                found[i] = band
    return [band for band in found if band is not None]


def _step(after: Band, first: int, width: int, channels: int) -> Callable[[list[Band]], list[Band]] | None:
    """What makes of many bands, all from channel ``first`` on and so wide, those followed by ``after``; ``None``:
    they must be taken one by one."""
    weights = after.rows[first : first + width]
    if after.width == channels:
        matrix = weights.astype(np.float64)
        return lambda bands: _cut(bands, np.concatenate([b.rows for b in bands], dtype=np.float64) @ matrix, 0)
    target = after.first[first : first + width]
    if after.width > 1 or len(np.unique(target)) < width:
        return None
    low, reach = int(target.min()), int(np.ptp(target)) + 1

    def spread(bands: list[Band]) -> list[Band]:
        """There are no sums: a product is rounded once, whatever the type it is formed in."""
        rows = np.zeros((sum(len(b.rows) for b in bands), reach), bands[0].rows.dtype)
        rows[:, target - low] = np.concatenate([b.rows for b in bands]) * weights[:, 0]
        return _cut(bands, rows, low)

    return spread


def _cut(bands: list[Band], rows: Array, first: int) -> list[Band]:
    """Bands as tall as these and of their type, of all their ``rows``, from channel ``first`` on; copies: one that
    stays would keep all the rows."""
    ends = np.cumsum([len(band.rows) for band in bands])
    parts = zip(bands, np.split(rows, ends[:-1]), strict=True)
    return [Band(part.astype(band.rows.dtype), np.full(len(part), first)) for band, part in parts]


def _batches(numbers: list[int], sizes: list[int]) -> Iterable[list[int]]:
    """Some after some, of a total size that makes a product of matrices fast and its memory small."""
    turn = np.cumsum(sizes) // BATCH
    for which in np.unique(turn):
        yield [number for number, t in zip(numbers, turn, strict=True) if t == which]


def _add_at(rows: Array, start: Indices, parts: Array) -> None:
    """Add row c of ``parts`` to row c of ``rows``, from column ``start[c]`` on."""
    if np.ptp(start) == 0:
        rows[:, start[0] : start[0] + parts.shape[1]] += parts
    else:
        rows[np.arange(len(rows))[:, None], start[:, None] + np.arange(parts.shape[1])] += parts


def expand(begin: Indices, count: Indices) -> tuple[Indices, Indices]:
    """For ranges [begin, begin + count): the range's number and the member, for all members in turn."""
    number = np.repeat(np.arange(len(begin)), count)
    within = np.arange(len(number)) - np.repeat(np.cumsum(count) - count, count)
    return number, begin[number] + within


def merged(edges: PixelMap, channels: int) -> PixelMap:
    """The same map with at most one edge between two pixels."""
    order = np.lexsort((edges.band, edges.target, edges.source))
    source, target, band = edges.source[order], edges.target[order], edges.band[order]
    new = np.ones(len(order), bool)
    new[1:] = (source[1:] != source[:-1]) | (target[1:] != target[:-1])
    if new.all():
        return edges
    starts = np.flatnonzero(new)
    ends = np.append(starts[1:], len(order))
    known: dict[tuple[int, ...], int] = {}
    bands: list[Band] = []
    number = np.empty(len(starts), np.int64)
    for i, (a, b) in enumerate(zip(starts, ends, strict=True)):
        key = tuple(band[a:b].tolist())
        if key not in known:
            known[key] = len(bands)
            bands.append(edges.bands[key[0]] if len(key) == 1 else Band.total([edges.bands[k] for k in key], channels))
        number[i] = known[key]
    return PixelMap(source[starts], target[starts], number, bands)


def union(maps: Sequence[PixelMap], channels: int) -> PixelMap:
    """Sum of maps between the same two tensors; ``channels``: the target's."""
    if len(maps) == 1:
        return maps[0]
    shift = np.cumsum([0, *(len(m.bands) for m in maps)])
    together = PixelMap(
        np.concatenate([m.source for m in maps]),
        np.concatenate([m.target for m in maps]),
        np.concatenate([m.band + s for m, s in zip(maps, shift[:-1], strict=True)]),
        [band for m in maps for band in m.bands],
    )
    return merged(together, channels)
