"""Permutation of axes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from snntb_adsnn.network.edges import Band, PixelMap
from snntb_adsnn.network.maps.base import Linear
from snntb_adsnn.network.node import Array, Shape


@dataclass(frozen=True, eq=False)
class Permute(Linear):
    """The axes of an input in another order: axis i of the output is axis ``axes[i]`` of the input, from 0."""

    axes: tuple[int, ...]

    def output_shape(self) -> Shape:
        shape = self.input_shapes[0]
        self._need(sorted(self.axes) == list(range(len(shape))), f"axes {self.axes} are no order of {len(shape)} axes")
        return tuple(shape[axis] for axis in self.axes)

    def edges(self) -> list[PixelMap]:
        """One group of edges for each pair of a channel before and a channel behind."""
        before, after = self.input_shapes[0][-1], self.shape[-1]
        source = np.arange(np.prod(self.input_shapes[0])).reshape(self.input_shapes[0]).transpose(self.axes).reshape(-1)
        pairs = source % before * after + np.arange(len(source)) % after
        order = np.argsort(pairs, kind="stable")
        parts = []
        for group in np.split(order, np.flatnonzero(np.diff(pairs[order])) + 1):
            channel, target = divmod(int(pairs[group[0]]), after)
            band = Band.moved(np.where(np.arange(before) == channel, target, -1))
            parts.append((source[group] // before, group // after, band))
        return [PixelMap.of(parts)]

    def apply(self, *xs: Array) -> Array:
        return xs[0].transpose(0, *(axis + 1 for axis in self.axes))

    def count(self, downstream: Array) -> tuple[Array, ...]:
        return (downstream.transpose(np.argsort(self.axes)),)
