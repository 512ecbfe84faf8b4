"""Working memory of a simulator; the kernels get its arrays by address (see ``layout``)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from snntb_adsnn.engine.event.arrays import aligned
from snntb_adsnn.engine.event.layout import LANES, VECTOR, ImageAt, MemberAt, Spikes, addresses
from snntb_adsnn.engine.event.plan import Plan


class Needs(NamedTuple):
    """What only some networks need room for.

    Attributes:
        heights: of each spike, where they are not ALIKE.
        signs: of each spike, where some are corrective.
    """

    heights: bool
    signs: bool

    @classmethod
    def of(cls, *plans: Plan) -> Needs:
        """For a simulation that goes through ``plans``."""
        layers = [layer for plan in plans for layer in plan.by_name.values()]
        return cls(any(layer.spikes != Spikes.ALIKE for layer in layers), any(layer.corrective for layer in layers))


class ImageMemory:
    """What a team shares while it simulates an image.

    Attributes:
        held: analog current of every lane of every plane.
        I, V: states of every lane of every plane. S_hat, theta_a: of every lane of every block.
        asleep: bool per plane: no current has reached it yet, so that V is still V0.
        events, heights, event_ends: by cell, its events of a chunk; a height for each where spikes are not ALIKE.
        counts: int32, spikes of every lane. corrective: how many of them are; empty without such layers.
        outputs: shape (steps, classes).
        spikes, signs: uint64, shape (blocks, steps) or (0, 0): bit i of [b, t] is neuron i of block b in step t:
            whether it spikes, and whether that spike is corrective.
        at: addresses for the kernels.
    """

    def __init__(self, plan: Plan, chunk: int, steps: int, *, spikes: bool, needs: Needs) -> None:
        planes, blocks, neurons = len(plan.V0), len(plan.bias), len(plan.places)
        self.held, self.I, self.V = aligned(planes), aligned(planes), aligned(planes)
        self.S_hat, self.theta_a = aligned(blocks), aligned(blocks)
        self.asleep = np.zeros(planes // LANES, np.bool_)
        self.events = aligned(neurons * chunk, np.int32)
        self.heights = aligned(len(self.events) if needs.heights else 0)
        self.event_ends = aligned(len(plan.cell_channels) - 1, np.int64)
        self.counts = aligned(blocks, np.int32)
        self.corrective = aligned(blocks if needs.signs else 0, np.int32)
        *_, readout = plan.by_name.values()
        self.outputs = np.empty((steps, readout.neurons), np.float32)
        self.spikes = np.zeros((blocks // LANES, steps) if spikes else (0, 0), np.uint64)
        self.signs = np.zeros_like(self.spikes) if needs.signs else np.zeros((0, 0), np.uint64)
        self.at: NDArray[np.int64] = addresses(ImageAt, self)


class MemberMemory:
    """What one thread of a team has for itself.

    Attributes:
        drive: rows of a plane's synaptic input, 0 before and after; the first ``LANES`` always are: they serve as the
            drive of a silent plane.
        potential: pool(V) of a block over a chunk; or (``keep``) of all blocks in one step.
        rest: the largest V of a block's planes that are asleep.
        masks, signs, sizes: spikes of a block over a chunk, which of them are corrective, and their heights.
        ends: by cell, where its list of events ends.
        per_step: spikes that this member saw, shape (steps, populations).
        at: addresses for the kernels.
    """

    def __init__(self, plan: Plan, chunk: int, steps: int, *, keep: bool) -> None:
        self.drive = aligned(chunk * (LANES + VECTOR) + 2 * LANES)
        self.potential = aligned(len(plan.bias) if keep else chunk * LANES)
        self.rest = aligned(LANES)
        self.masks, self.signs = aligned(chunk, np.uint64), aligned(chunk, np.uint64)
        self.ends = aligned(len(plan.cell_channels) - 1, np.int64)
        self.sizes = aligned(chunk * LANES)
        self.per_step = np.zeros((steps, len(plan.layers) - 1), np.int64)
        self.at: NDArray[np.int64] = addresses(MemberAt, self)
