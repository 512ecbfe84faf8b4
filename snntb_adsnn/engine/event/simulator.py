"""One image at a time, with a team of threads."""

from __future__ import annotations

import threading
from functools import cached_property
from itertools import pairwise

import numpy as np

from snntb_adsnn.engine.early import Early
from snntb_adsnn.engine.event.analog import AnalogDrive
from snntb_adsnn.engine.event.kernels import advance
from snntb_adsnn.engine.event.layout import CELL, CHANNEL_BITS, LANES, Span
from snntb_adsnn.engine.event.memory import ImageMemory, MemberMemory, Needs
from snntb_adsnn.engine.event.plan import Plan
from snntb_adsnn.engine.event.record import list_spikes, mark_spikes
from snntb_adsnn.engine.event.team import Team
from snntb_adsnn.engine.result import SimulationResult, SpikeObserver
from snntb_adsnn.engine.switch import Schedule
from snntb_adsnn.network import SpikingNetwork
from snntb_adsnn.network.edges import expand
from snntb_adsnn.network.maps import Array
from snntb_adsnn.neuron.constants import INPUT_STATES, OBSERVABLES

CHUNK = (100, 500)
"""Steps a layer is simulated before the next one, at least and at most. With few, a cell's events are too few to make
up for looking at it; with many, a block's drive and potentials, and all events, leave the core's cache."""
EVENTS = 1 << 22
"""Events of all neurons in a chunk, above which it is shorter."""

EARLY = 20
"""Steps between two looks at whether an image is decided."""

SEGMENT = 5000
"""Steps between two looks at whether the user stopped the run."""

STATES = frozenset(OBSERVABLES) - {"spikes"}
"""What can be recorded of each step beside spikes."""


class ImageSimulator:
    """Simulates one image at a time, with a team of threads; its memory does not grow with the number of steps, but for
    the image's outputs, the counts of each step and recorded spikes. It holds no network: one with idle simulators can
    be freed."""

    def __init__(
        self, network: SpikingNetwork, plan: Plan, steps: int, record: frozenset[str], team: int, needs: Needs
    ) -> None:
        self.plan, self.steps, self.needs = plan, steps, needs
        self.populations = network.populations
        self.states = sorted(record & STATES)
        if self.states:  # they are read between chunks, so a chunk is one step
            self.chunk, team = 1, 1
        else:
            chunk = min(max(EVENTS // max(network.neuron_count, 1), CHUNK[0]), CHUNK[1])
            self.chunk = -(-steps // -(-steps // chunk))  # chunks of one length
        self.team = Team(team, len(plan.layers))
        self.shares = [self.team.share(member) for member in range(team)]
        self.members = [MemberMemory(plan, self.chunk, steps, keep=bool(self.states)) for _ in range(team)]
        self.memory = ImageMemory(plan, self.chunk, steps, spikes="spikes" in record, needs=needs)
        self.analog = AnalogDrive(network)

    def fits(self, steps: int, team: int, record: frozenset[str], needs: Needs) -> bool:
        """Whether a run of this kind, which records no states, can use the simulator."""
        mine = self.steps, self.team.size, self.memory.spikes.size > 0, self.needs
        return mine == (steps, team, "spikes" in record, needs)

    def take_per_step(self) -> Array:
        """Spikes of each population in each step, of all images since the last call; shape (steps, populations)."""
        total: Array = sum(member.per_step for member in self.members)  # type: ignore[assignment]
        for member in self.members:
            member.per_step[:] = 0
        return total

    def run(
        self,
        x: Array,
        image: int,
        result: SimulationResult,
        stopped: threading.Event,
        schedule: Schedule | None = None,
        high: tuple[Plan, AnalogDrive] | None = None,
        on_spikes: SpikeObserver | None = None,
        early: Early | None = None,
    ) -> None:
        """Simulate ``x[image]`` and put everything into the result; give up soon when ``stopped`` is set.

        ``schedule``: when the image may switch to the network of ``high``.
        """
        self._reset(x[image : image + 1])
        plan = self.plan
        length = 1 if self.states else SEGMENT if early is None else min(EARLY, self.chunk)
        cuts = {*range(0, self.steps, length), self.steps}
        for first, end in pairwise(sorted(cuts if schedule is None else cuts | {schedule.stop})):
            if stopped.is_set():
                return
            self._advance(plan, first, end)
            part = self.memory.outputs[first:end]
            result.outputs[image, first:end] = part.reshape(-1, *result.outputs.shape[2:])
            if self.states:
                self._record(plan, image, first, result)
            if early is not None and (last := int(early.after(result.outputs[image : image + 1, :end])[0])):
                self._stop(plan, first, last, image, result, schedule)
                break
            if schedule is None or high is None or end != schedule.stop:
                continue
            if _switches(schedule, image, result):
                plan = high[0]
                self._hold(high[1], x[image : image + 1])
        self._count(image, result)
        if on_spikes is not None:
            counts = np.concatenate([result.spike_counts[p.name][image].ravel() for p in self.populations])
            on_spikes(image, self._spike_times(counts), counts)

    def _stop(
        self, plan: Plan, first: int, last: int, image: int, result: SimulationResult, schedule: Schedule | None
    ) -> None:
        """End an image after ``last`` steps, and take back what it did after them in the chunk of step ``first``."""
        assert result.stopped is not None
        result.stopped[image] = last
        result.outputs[image, last:] = result.outputs[image, last - 1]
        memory, starts = self.memory, plan.cell_channels[:-1] * self.chunk
        cell, place = expand(starts, memory.event_ends - starts)
        late = (memory.events[place] >> CHANNEL_BITS) >= last - first
        cell, place = cell[late], place[late]
        step, channel = memory.events[place] >> CHANNEL_BITS, memory.events[place] & (CELL - 1)
        lane, layer = (table[cell * CELL + channel] for table in self._lanes_of_places)
        np.subtract.at(memory.counts, lane, 1)
        np.subtract.at(self.members[0].per_step, (first + step, layer), 1)
        if self.needs.signs:
            np.subtract.at(memory.corrective, lane[memory.heights[place] < 0], 1)
        memory.spikes[:, last:] = 0
        memory.signs[:, last:] = 0
        if schedule is not None and last <= schedule.stop:
            margins, _ = schedule.decide(result.outputs[image : image + 1])
            assert result.margins is not None
            assert result.switched is not None
            result.margins[image], result.switched[image] = margins[0], False

    @cached_property
    def _lanes_of_places(self) -> tuple[Array, Array]:
        """By cell and channel, the lane of the neuron there, and the number of its population."""
        plan, cells = self.plan, len(self.plan.cell_channels) - 1
        lane, layer = np.zeros(cells * CELL, np.int64), np.zeros(cells * CELL, np.int64)
        for number, p in enumerate(self.populations):
            row = plan.by_name[p.name]
            places = plan.places[row.neuron : row.neuron + p.size]
            index = places[:, 0].astype(np.int64) * CELL + places[:, 1]
            lane[index], layer[index] = row.block * LANES + np.arange(p.size), number
        return lane, layer

    def _reset(self, x: Array) -> None:
        """Set what the kernels do not set to rest themselves."""
        memory = self.memory
        memory.counts[:] = memory.corrective[:] = memory.spikes[:] = memory.signs[:] = 0
        # states are recorded of planes that are awake, and the read-out always has an output
        memory.asleep[:] = not self.states
        self._hold(self.analog, x)
        *_, readout = self.plan.by_name.values()
        memory.asleep[readout.plane :] = False

    def _hold(self, analog: AnalogDrive, x: Array) -> None:
        """Set what the input itself adds to the currents from now on, and wake the planes that it reaches."""
        memory, plan = self.memory, self.plan
        for name, current in analog(x).items():
            lanes, gather = plan.plane_lanes(name), plan.gather[name]
            held = memory.held[lanes]
            # a lane without an input pixel gathers from beyond the end: clipped, then set to 0
            current.reshape(-1).take(gather, out=held, mode="clip")
            held[gather == current.size] = 0
            awake = held.reshape(-1, LANES).any(axis=1)
            memory.asleep[lanes.start // LANES : lanes.stop // LANES][awake] = False

    def _advance(self, plan: Plan, start: int, end: int) -> None:
        """Let every member of the team do its part of the steps [start, end)."""
        span = np.array(
            Span(start, end, self.chunk, len(plan.layers), bool(self.states), self.memory.spikes.shape[1]), np.int64
        )

        def work(member: int) -> None:
            advance(plan.at, self.memory.at, self.members[member].at, self.shares[member], span)

        self.team.run(work, (plan, start, end))

    def _count(self, image: int, result: SimulationResult) -> None:
        for p in self.populations:
            lane = self.plan.lanes(p.name).start
            result.spike_counts[p.name][image] = self.memory.counts[lane : lane + p.size].reshape(p.shape)
            if p.name in result.corrective_counts:
                corrective = self.memory.corrective[lane : lane + p.size]
                result.corrective_counts[p.name][image] = corrective.reshape(p.shape)
            if "spikes" in result.records:
                recorded = result.records["spikes"][p.name][image]
                mark_spikes(self.memory.spikes[lane // LANES :], recorded.reshape(self.steps, p.size), 1)
                if p.corrective is not None:
                    mark_spikes(self.memory.signs[lane // LANES :], recorded.reshape(self.steps, p.size), -1)

    def _spike_times(self, counts: Array) -> Array:
        """Steps of the image's spikes, as a ``SpikeObserver`` gets them; ``counts``: spikes of each neuron."""
        ends = np.cumsum(counts)
        times = np.empty(ends[-1], np.int32)
        ends -= counts
        first = 0
        for p in self.populations:
            masks = self.memory.spikes[self.plan.by_name[p.name].block :]
            list_spikes(masks, ends[first : first + p.size], times)
            first += p.size
        return times

    def _record(self, plan: Plan, image: int, t: int, result: SimulationResult) -> None:
        for p in self.populations:
            for quantity in self.states:
                target = result.records[quantity][p.name][image, t].reshape(-1)
                if quantity in INPUT_STATES:
                    gather = self.plan.gather[p.name]
                    inside = gather < target.size
                    target[gather[inside]] = getattr(self.memory, quantity)[self.plan.plane_lanes(p.name)][inside]
                else:
                    start = plan.lanes(p.name).start
                    target[:] = self._state(plan, quantity, slice(start, start + p.size))

    def _state(self, plan: Plan, quantity: str, lanes: slice) -> Array:
        if quantity == "S":
            return self.members[0].potential[lanes] + plan.bias[lanes]
        if quantity == "theta":
            return plan.theta0[lanes] + self.memory.theta_a[lanes]
        return self.memory.S_hat[lanes]


def _switches(schedule: Schedule, image: int, result: SimulationResult) -> bool:
    """Whether the image switches; writes that and its margin into the result."""
    assert result.margins is not None
    assert result.switched is not None
    margins, switched = schedule.decide(result.outputs[image : image + 1])
    result.margins[image], result.switched[image] = margins[0], switched[0]
    return bool(switched[0])
