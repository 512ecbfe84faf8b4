"""The production simulator on CPUs: event-driven, compiled, parallel over images.

A spike costs one addition per synapse, a silent neuron its decay; layers are simulated one after the other over a chunk
of steps (the network is feed-forward, so this changes nothing), with time innermost.

**What "the same as the reference" means.** Every product and sum of the neuron equations is rounded to float32 in the
order of ``ASNState.integrate`` and ``fire``. A synapse's weight is multiplied beforehand with everything between the
two neurons (spike height, batch-norm gains, pooling factors), and the drive of a step is summed spike by spike, where
the reference multiplies and sums layer by layer. So where all these products and sums are exact in float32 (weights
and heights on a dyadic grid), every state equals the reference's bit by bit. With arbitrary weights only the drive's
rounding differs; a spike can differ only where 2 (S - S_hat) and theta are equal but for rounding.

Results do not depend on the number of threads, the other images of the call, or the length of the chunk.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import pairwise
from weakref import WeakKeyDictionary

import numba
import numpy as np

from snntb_adsnn.engine.event.blocks import Spikes
from snntb_adsnn.engine.event.kernels import PRESENCE, advance, recall
from snntb_adsnn.engine.event.plan import Layer, Plan, make_plan
from snntb_adsnn.engine.event.record import list_spikes, mark_spikes
from snntb_adsnn.engine.event.simd import LANES, VECTOR
from snntb_adsnn.engine.event.store import aligned
from snntb_adsnn.engine.event.team import Team
from snntb_adsnn.engine.result import SimulationResult, SpikeObserver
from snntb_adsnn.engine.switch import Schedule
from snntb_adsnn.network import SpikingNetwork
from snntb_adsnn.network.maps import Array, Linear

CHUNK = (100, 500)
"""Steps a layer is simulated before the next one, at least and at most. With few, a cell's events are too few to make
up for looking at it; with many, a block's drive and potentials, and all events, leave the core's cache."""
EVENTS = 1 << 22
"""Events of all neurons in a chunk, above which it is shorter."""

SEGMENT = 5000
"""Steps between two looks at whether the user stopped the run."""

_STATES = frozenset(("S", "S_hat", "theta", "I", "V"))


def run(
    network: SpikingNetwork,
    x: Array,
    steps: int,
    record: frozenset[str],
    schedule: Schedule | None = None,
    *,
    threads: int | None = None,
    on_spikes: SpikeObserver | None = None,
) -> SimulationResult:
    """Simulate ``network`` on images ``x`` of shape (images, *input shape); see ``engine.simulate``.

    ``threads``: how many to use; default all that numba may use (``NUMBA_NUM_THREADS``).

    Raises:
        NetworkError: a node of a kind this engine does not know.
    """
    complete = bool(record & {"I", "V"})
    plan = _plan_of(network, complete=complete)
    high = None if schedule is None else _plan_of(schedule.high, complete=complete)
    images = len(x)
    result = SimulationResult(
        np.empty((images, steps, *network.readout.shape), np.float32),
        {p.name: np.zeros((images, *p.shape), np.int32) for p in network.populations},
        {p.name: np.zeros(steps, np.int64) for p in network.populations},
        network.dt,
        {
            quantity: {
                p.name: np.zeros(  # only spikes are written
                    (images, steps, *(p.input_shapes[0] if quantity in ("I", "V") else p.shape)),
                    bool if quantity == "spikes" else np.float32,
                )
                for p in network.populations
            }
            for quantity in record
        },
        None if schedule is None else np.empty(images, np.float32),
        None if schedule is None else np.empty(images, np.bool_),
    )
    threads = threads or numba.config.NUMBA_NUM_THREADS
    workers = min(threads, images)
    watched = record if on_spikes is None else record | {"spikes"}
    simulators = [_simulator(network, plan, steps, watched, threads // workers) for _ in range(workers)]
    queue = deque(range(images))
    stopped = threading.Event()

    def work(simulator: _ImageSimulator) -> None:
        try:
            while queue and not stopped.is_set():
                with suppress(IndexError):  # another worker took the last one
                    simulator.run(x, queue.popleft(), result, stopped, schedule, high, on_spikes)
        except BaseException:
            stopped.set()
            raise

    _parallel(work, simulators, stopped)
    totals: Array = sum(simulator.take_per_step() for simulator in simulators)  # type: ignore[assignment]
    for column, name in enumerate(network.population_names):
        result.spikes_per_step[name][:] = totals[:, column]
    if not watched & _STATES:
        if network not in _idle:
            _idle.clear()
        _idle.setdefault(network, []).extend(simulators)
    return result


def _parallel(
    work: Callable[[_ImageSimulator], None], simulators: list[_ImageSimulator], stopped: threading.Event
) -> None:
    if len(simulators) == 1:
        work(simulators[0])
        return
    with ThreadPoolExecutor(len(simulators)) as pool:
        try:
            for job in [pool.submit(work, simulator) for simulator in simulators]:
                job.result()
        except BaseException:  # an interrupt too: the workers finish the segment they are in
            stopped.set()
            raise


_plans: WeakKeyDictionary[SpikingNetwork, dict[bool, Plan]] = WeakKeyDictionary()


def _plan_of(network: SpikingNetwork, *, complete: bool) -> Plan:
    """The network's plan, kept as long as the network."""
    plans = _plans.setdefault(network, {})
    if complete not in plans:
        plans[complete] = make_plan(network, _held_layers(network), complete=complete)
    return plans[complete]


_idle: WeakKeyDictionary[SpikingNetwork, list[_ImageSimulator]] = WeakKeyDictionary()
"""Simulators between two calls, of the latest network only (they can be large): to make one takes a good part of the
time of one image."""
os.register_at_fork(after_in_child=_idle.clear)  # a child has none of their threads


def _simulator(network: SpikingNetwork, plan: Plan, steps: int, record: frozenset[str], team: int) -> _ImageSimulator:
    """An idle simulator, or a new one."""
    idle = _idle.get(network, [])
    with suppress(IndexError):
        while not record & _STATES:
            simulator = idle.pop()
            recorded = simulator.spikes.size > 0
            if (simulator.steps, len(simulator.members), recorded) == (steps, team, "spikes" in record):
                return simulator
    return _ImageSimulator(network, plan, steps, record, team)


def _analog_nodes(network: SpikingNetwork) -> list[Linear]:
    """The linear nodes that the analog input reaches."""
    reached = {network.input.name}
    nodes = []
    for node in network.nodes:
        if isinstance(node, Linear) and reached & set(node.inputs):
            reached.add(node.name)
            nodes.append(node)
    return nodes


def _held_layers(network: SpikingNetwork) -> frozenset[str]:
    reached = {network.input.name, *(node.name for node in _analog_nodes(network))}
    return frozenset(n.name for n in (*network.populations, network.readout) if n.inputs[0] in reached)


def _planes(layer: list[int]) -> slice:
    """The lanes of a layer's planes."""
    start = layer[Layer.PLANE] * LANES
    return slice(start, start + layer[Layer.BLOCKS] * layer[Layer.POSITIONS] * LANES)


class _Member:
    """Working memory of one thread of a team."""

    def __init__(self, plan: Plan, chunk: int, steps: int, *, keep: bool) -> None:
        self.drive = aligned(chunk * (LANES + VECTOR) + 2 * LANES)
        self.potential = aligned(len(plan.bias) if keep else chunk * LANES)
        self.rest = aligned(LANES)
        self.masks = aligned(chunk, np.uint64)
        self.ends = aligned(len(plan.cell_channels) - 1, np.int64)
        self.sizes = aligned(chunk * LANES)
        self.per_step = np.zeros((steps, len(plan.layers) - 1), np.int64)


class _ImageSimulator:
    """Simulates one image at a time, with a team of threads; its memory does not grow with the number of steps, but for
    the image's outputs, the counts of each step and recorded spikes. It holds no network: one with idle simulators can
    be freed."""

    def __init__(self, network: SpikingNetwork, plan: Plan, steps: int, record: frozenset[str], team: int) -> None:
        self.plan, self.steps = plan, steps
        self.populations, self.input = network.populations, network.input.name
        self.layers = (*network.populations, network.readout)
        self.analog_nodes = _analog_nodes(network)
        self.states = sorted(record & _STATES)
        if self.states:  # they are read between chunks, so a chunk is one step
            self.chunk, team = 1, 1
        else:
            chunk = min(max(EVENTS // max(network.neuron_count, 1), CHUNK[0]), CHUNK[1])
            self.chunk = -(-steps // -(-steps // chunk))  # chunks of one length
        self.members = [_Member(plan, self.chunk, steps, keep=bool(self.states)) for _ in range(team)]
        self.team = Team(team)
        planes, blocks, neurons = len(plan.V0), len(plan.bias), network.neuron_count
        self.held, self.I, self.V = aligned(planes), aligned(planes), aligned(planes)
        self.planes = {name: _planes(layer) for name, layer in zip(plan.names, plan.layers.tolist(), strict=True)}
        self.S_hat, self.theta_a = aligned(blocks), aligned(blocks)
        self.asleep = np.zeros(planes // LANES, np.bool_)
        self.events = aligned(neurons * self.chunk, np.int32)
        scaled = (plan.layers[:, Layer.SPIKES] != Spikes.ALIKE).any()
        self.heights = aligned(len(self.events) if scaled else 0)
        self.event_ends = aligned(len(plan.cell_channels) - 1, np.int64)
        self.counts = aligned(blocks, np.int32)
        self.taken, self.finished = aligned(len(plan.layers) * team, np.int64), aligned(8, np.int64)
        self.presence = aligned(PRESENCE * team, np.int64)
        self.latest: tuple[Plan, slice] | None = None
        self.outputs = np.empty((steps, *network.readout.shape), np.float32)
        # the kernels' masks: bit i of [b, t] is neuron i of block b in step t
        self.spikes = np.zeros((blocks // LANES, steps) if "spikes" in record else (0, 0), np.uint64)

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
        high: Plan | None = None,
        on_spikes: SpikeObserver | None = None,
    ) -> None:
        """Simulate ``x[image]`` and put everything into the result; give up soon when ``stopped`` is set.

        ``schedule``: when the image may switch to the precision of plan ``high``.
        """
        self._reset(x[image : image + 1])
        plan = self.plan
        cuts = {*range(0, self.steps, 1 if self.states else SEGMENT), self.steps}
        for first, end in pairwise(sorted(cuts if schedule is None else cuts | {schedule.stop})):
            if stopped.is_set():
                return
            self._advance(plan, slice(first, end))
            result.outputs[image, first:end] = self.outputs[first:end]
            if self.states:
                self._record(plan, image, first, result.records)
            if schedule is not None and high is not None and end == schedule.stop:
                plan = high if self._switches(schedule, image, result) else plan
        for p, layer in zip(self.populations, self.plan.layers, strict=False):
            block = int(layer[Layer.BLOCK])
            lane = block * LANES
            result.spike_counts[p.name][image] = self.counts[lane : lane + p.size].reshape(p.shape)
            if "spikes" in result.records:
                recorded = result.records["spikes"][p.name][image]
                mark_spikes(self.spikes[block:], recorded.reshape(self.steps, p.size))
        if on_spikes is not None:
            counts = np.concatenate([result.spike_counts[p.name][image].ravel() for p in self.populations])
            on_spikes(image, self._spike_times(counts), counts)

    def _spike_times(self, counts: Array) -> Array:
        """Steps of the image's spikes, as a ``SpikeObserver`` gets them; ``counts``: spikes of each neuron."""
        ends = np.cumsum(counts)
        times = np.empty(ends[-1], np.int32)
        ends -= counts
        first = 0
        for p, layer in zip(self.populations, self.plan.layers, strict=False):
            list_spikes(self.spikes[int(layer[Layer.BLOCK]) :], ends[first : first + p.size], times)
            first += p.size
        return times

    @staticmethod
    def _switches(schedule: Schedule, image: int, result: SimulationResult) -> bool:
        assert result.margins is not None
        assert result.switched is not None
        margins, switched = schedule.decide(result.outputs[image : image + 1])
        result.margins[image], result.switched[image] = margins[0], switched[0]
        return bool(switched[0])

    def _reset(self, x: Array) -> None:
        """Set what the kernels do not set to rest themselves."""
        self.counts[:] = self.spikes[:] = 0
        # states are recorded of planes that are awake, and the read-out always has an output
        self.asleep[:] = not self.states
        for name, current in self._analog_drive(x).items():
            planes = self.planes[name]
            held = self.held[planes]
            # a lane without an input pixel gathers from beyond the end: clipped, then set to 0
            current.reshape(-1).take(self.plan.gather[name], out=held, mode="clip")
            held[self.plan.gather[name] == current.size] = 0
            awake = held.reshape(-1, LANES).any(axis=1)
            self.asleep[planes.start // LANES : planes.stop // LANES][awake] = False
        self.asleep[self.planes[self.plan.names[-1]].start // LANES :] = False

    def _analog_drive(self, x: Array) -> dict[str, Array]:
        """Current that the analog input contributes to each layer it reaches. One image at a time: a product of larger
        matrices may round differently."""
        silence = np.float32(0)
        values: dict[str, Array] = {self.input: x}
        for node in self.analog_nodes:
            inputs = (
                values[name] if name in values else np.broadcast_to(silence, (1, *shape))
                for name, shape in zip(node.inputs, node.input_shapes, strict=True)
            )
            values[node.name] = node.apply(*inputs)
        return {node.name: values[node.inputs[0]] for node in self.layers if node.inputs[0] in values}

    def _advance(self, plan: Plan, steps: slice) -> None:
        """Let every member of the team do its part of ``steps``."""
        self.taken[:] = self.finished[:] = 0
        same = self.latest is not None and self.latest[0] is plan and self.latest[1] == steps
        if recall(self.presence, same):
            self._take_part(0, plan, steps)
            return
        self.team.gather()
        self.presence[:], self.latest = 0, (plan, steps)
        self.team.start(lambda member: self._take_part(member, plan, steps))

    def _take_part(self, member: int, p: Plan, steps: slice) -> None:
        own = self.members[member]
        advance(
            p.layers, p.tasks, p.constants, p.bias, p.m_f, p.theta0, p.height, p.plane_edges, p.edges, p.pieces,
            p.rows, p.weights, p.places, p.cell_channels, p.V0, p.sleeps, steps.start, self.held, self.I,
            self.V, self.S_hat, self.theta_a, self.asleep, self.events, self.heights, self.event_ends, self.counts,
            self.outputs[steps], self.spikes, self.chunk, member, self.team.size, self.taken, self.finished,
            self.presence, own.drive, own.potential, own.rest, bool(self.states), own.masks, own.ends, own.sizes,
            own.per_step[steps],
        )  # fmt: skip

    def _record(self, plan: Plan, image: int, t: int, records: Mapping[str, Mapping[str, Array]]) -> None:
        for number, node in enumerate(self.populations):
            start = int(self.plan.layers[number, Layer.BLOCK]) * LANES
            neurons = slice(start, start + node.size)
            for quantity in self.states:
                target = records[quantity][node.name][image, t].reshape(-1)
                if quantity in ("I", "V"):
                    gather = self.plan.gather[node.name]
                    inside = gather < target.size
                    state = self.I if quantity == "I" else self.V
                    target[gather[inside]] = state[self.planes[node.name]][inside]
                elif quantity == "S_hat":
                    target[:] = self.S_hat[neurons]
                elif quantity == "theta":
                    target[:] = plan.theta0[neurons] + self.theta_a[neurons]
                else:
                    target[:] = self.members[0].potential[neurons] + self.plan.bias[neurons]
