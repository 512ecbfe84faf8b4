"""The blocks of one layer: which neuron and which input pixel each lane holds; see ``plan``."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from snntb_adsnn.engine.event.layout import CELL, LANES, Spikes
from snntb_adsnn.network import Neurons, Readout
from snntb_adsnn.network.edges import Indices, pixels
from snntb_adsnn.network.maps import Array


def spikes_of(node: Neurons) -> Spikes:
    """How high a population's spikes are."""
    alike = node.m_f is None and node.corrective is None
    return Spikes.GRADED if node.graded else Spikes.ALIKE if alike else Spikes.OWN


class Blocks:
    """The blocks of one layer, and which input pixel each position of each neuron's window reads."""

    def __init__(self, node: Neurons | Readout, complete: bool) -> None:
        self.node = node
        shape = node.input_shapes[0]
        self.channels, self.inputs = shape[-1], int(np.prod(shape))
        self.neurons = int(np.prod(node.shape))
        if isinstance(node, Neurons) and node.pool is not None:
            self.window = node.pool.pixels(*shape[:2])
            if complete:  # a silent neuron for each pixel that no window reads
                unread = np.setdiff1d(np.arange(pixels(shape)), self.window)
                extra = np.full((len(unread), self.window.shape[1]), -1)
                extra[:, 0] = unread
                self.window = np.concatenate([self.window, extra])
        else:
            self.window = np.arange(pixels(shape))[:, None]
        self.positions = self.window.shape[1]
        self.spikes = spikes_of(node) if isinstance(node, Neurons) else Spikes.ALIKE
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
