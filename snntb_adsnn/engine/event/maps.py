"""What one spike adds where: the linear nodes between populations, composed into edges between pixels.

A *pixel* is one position of a (height, width, channels) tensor, or a whole vector; tensors are pixels times channels.
A linear node is a ``PixelMap``: edges (source pixel, destination pixel, band), where a ``Band`` holds the weights from
each source channel to a run of destination channels. The path from a population is one too, but starts at its *cells*:
at most ``CELL`` channels of one pixel. Its weights include the spike height.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from snntb_adsnn.engine.event.layout import CELL
from snntb_adsnn.errors import NetworkError
from snntb_adsnn.network import Neurons, Readout, SpikingNetwork
from snntb_adsnn.network.linear import (
    Add,
    Array,
    AveragePool2D,
    Concatenate,
    Conv2D,
    Dense,
    DepthwiseConv2D,
    Linear,
    Node,
    Reshape,
    Scale,
    Shape,
    Window,
    ZeroPad2D,
)

Indices = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Band:
    """Weights between the channels of two pixels: ``rows[c, i]`` leads from channel c to channel ``first[c] + i``.

    Attributes:
        rows: float32, shape (source channels, width).
        first: shape (source channels,); ``first + width`` never exceeds the destination's channels.
    """

    rows: Array
    first: Indices

    @property
    def width(self) -> int:
        """Destination channels that one source channel reaches at most."""
        return int(self.rows.shape[1])

    @classmethod
    def full(cls, weights: Array) -> Band:
        """From every channel to every channel; weights of shape (source channels, destination channels)."""
        return cls(weights.astype(np.float32, copy=False), np.zeros(len(weights), np.int64))

    @classmethod
    def diagonal(cls, factors: Array, offset: int = 0) -> Band:
        """From channel c to channel ``offset + c`` with its own factor."""
        return cls(factors.astype(np.float32, copy=False)[:, None], offset + np.arange(len(factors)))

    @classmethod
    def total(cls, bands: Sequence[Band], channels: int) -> Band:
        """Sum of bands that lead to the same pixel of ``channels`` channels."""
        low = np.min([band.first for band in bands], axis=0)
        high = np.max([band.first + band.width for band in bands], axis=0)
        width = int((high - low).max())
        first = np.minimum(low, channels - width)
        rows = np.zeros((len(first), width))
        for band in bands:
            columns = (band.first - first)[:, None] + np.arange(band.width)
            rows[np.arange(len(first))[:, None], columns] += band.rows
        return cls(rows.astype(np.float32), first)

    def then(self, after: Band, channels: int) -> Band:
        """This band followed by ``after``, which leads to ``channels`` channels; rounded to float32 once."""
        if self.width == 1:
            return Band(self.rows * after.rows[self.first], after.first[self.first])
        if after.width == channels and np.ptp(self.first) == 0:
            middle = after.rows[self.first[0] : self.first[0] + self.width]
            return Band.full(self.rows.astype(np.float64) @ middle)
        steps = [
            Band(self.rows[:, [i]].astype(np.float64) * after.rows[self.first + i], after.first[self.first + i])
            for i in range(self.width)
        ]
        return Band.total(steps, channels)


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

    def then(self, after: PixelMap, channels: int) -> PixelMap:
        """This map followed by ``after``, whose target has ``channels`` channels."""
        order = np.argsort(after.source, kind="stable")
        begin = np.searchsorted(after.source[order], self.target, side="left")
        count = np.searchsorted(after.source[order], self.target, side="right") - begin
        mine, theirs = expand(begin, count)
        theirs = order[theirs]
        pairs, band = np.unique(
            np.stack([self.band[mine], after.band[theirs]], axis=1).reshape(-1, 2), axis=0, return_inverse=True
        )
        bands = [self.bands[a].then(after.bands[b], channels) for a, b in pairs]
        return merged(PixelMap(self.source[mine], after.target[theirs], band.reshape(-1), bands), channels)


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
    """Sum of maps from the same population to the same node."""
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


def pixels(shape: Shape) -> int:
    """Number of pixels of a tensor."""
    return math.prod(shape[:-1])


def window_pixels(window: Window, height: int, width: int) -> Indices:
    """Input pixel under each tap of each output pixel, -1 in the padding; shape (output pixels, taps)."""
    image = window.pad(np.arange(height * width).reshape(1, height, width, 1), -1)
    return np.stack([image[0, r, c, 0].reshape(-1) for _, (r, c) in window.taps(height, width)], axis=1)


def node_maps(node: Linear) -> list[PixelMap]:
    """The node's own map from each of its inputs.

    Raises:
        NetworkError: a node of a kind this engine does not know.
    """
    shape = node.input_shapes[0]
    channels = shape[-1]
    every = np.arange(pixels(shape))
    if isinstance(node, Dense):
        return [PixelMap.of([(every, every, Band.full(node.weights))])]
    if isinstance(node, Scale):
        return [PixelMap.of([(every, every, Band.diagonal(node.factors))])]
    if isinstance(node, Add):
        return [PixelMap.of([(every, every, Band.diagonal(np.ones(channels)))])] * len(node.inputs)
    if isinstance(node, Concatenate):
        starts = np.cumsum([0, *(s[-1] for s in node.input_shapes)])[:-1]
        return [
            PixelMap.of([(every, every, Band.diagonal(np.ones(s[-1]), start))])
            for s, start in zip(node.input_shapes, starts, strict=True)
        ]
    if isinstance(node, Reshape):
        return [_reshape(node)]
    if isinstance(node, ZeroPad2D):
        taps = window_pixels(Window((1, 1), padding=node.padding), *shape[:2])
        return [PixelMap.of([(taps[:, 0], np.arange(len(taps)), Band.diagonal(np.ones(channels)))])]
    if isinstance(node, Conv2D | DepthwiseConv2D | AveragePool2D):
        taps = window_pixels(node.window, *shape[:2])
        outputs = np.arange(len(taps))
        if isinstance(node, AveragePool2D):
            mean = (1 / node.divisor).astype(np.float32).reshape(-1)
            parts = [
                (taps[mean == value, tap], outputs[mean == value], Band.diagonal(np.full(channels, value)))
                for value in np.unique(mean)
                for tap in range(taps.shape[1])
            ]
        else:
            kernels = node.weights.reshape(-1, *node.weights.shape[2:])
            bands = [_grouped(k, node.groups) if isinstance(node, Conv2D) else _depthwise(k) for k in kernels]
            parts = [(taps[:, tap], outputs, band) for tap, band in enumerate(bands)]
        return [PixelMap.of(parts)]
    raise NetworkError(
        f"{node.name}: the event engine cannot simulate a {type(node).__name__}; use engine = reference."
    )


def _grouped(kernel: Array, groups: int) -> Band:
    """One tap of a convolution: weights (input channels / groups, output channels)."""
    if groups == 1:
        return Band.full(kernel)
    inputs, outputs = kernel.shape[0], kernel.shape[1] // groups
    rows = kernel.reshape(inputs, groups, outputs).transpose(1, 0, 2).reshape(groups * inputs, outputs)
    return Band(rows, np.repeat(np.arange(groups) * outputs, inputs))


def _depthwise(kernel: Array) -> Band:
    """One tap of a depthwise convolution: weights (channels, multiplier)."""
    return Band(kernel, np.arange(len(kernel)) * kernel.shape[1])


def _reshape(node: Reshape) -> PixelMap:
    """Row-major reshape: channels of one pixel may spread over several pixels, or pixels join into one."""
    before, after = node.input_shapes[0][-1], node.shape[-1]
    every = np.arange(pixels(node.input_shapes[0]))
    if before == after:
        return PixelMap.of([(every, every, Band.diagonal(np.ones(before)))])
    parts = []
    for pixel in every:
        target, channel = np.divmod(pixel * before + np.arange(before), after)
        for t in np.unique(target):
            here = target == t
            band = Band(here.astype(np.float32)[:, None], np.where(here, channel, 0))
            parts.append((np.array([pixel]), np.array([t]), band))
    return PixelMap.of(parts)


def cells(channels: int) -> list[int]:
    """Sizes of the cells of a pixel with so many channels."""
    return [min(CELL, channels - start) for start in range(0, channels, CELL)]


def _spikes(node: Neurons) -> PixelMap:
    """From a population's cells to its pixels: the height of its spikes, 1 where they are not all alike."""
    every, sizes = np.arange(pixels(node.shape)), cells(node.shape[-1])
    alike = node.m_f is None and not node.graded
    height = np.full(CELL, node.spike_height if alike else 1, np.float32)
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
            for source, step in zip(node.inputs, node_maps(node), strict=True):
                for population, path in reach[source].items():
                    paths.setdefault(population, []).append(path.then(step, node.shape[-1]))
            reach[node.name] = {p: union(maps, node.shape[-1]) for p, maps in paths.items()}
    return found
