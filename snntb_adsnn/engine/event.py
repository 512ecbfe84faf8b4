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

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from weakref import WeakKeyDictionary

import numba
import numpy as np

from snntb_adsnn.engine._kernels import advance
from snntb_adsnn.engine._plan import Layer, Plan, aligned, make_plan
from snntb_adsnn.engine._simd import LANES, VECTOR
from snntb_adsnn.engine.result import SimulationResult
from snntb_adsnn.linear import Array, Linear
from snntb_adsnn.network import SpikingNetwork

CHUNK = 100
"""Steps a layer is simulated before the next one: a block's drive and potentials then stay near the core."""

_STATES = frozenset(("S", "S_hat", "theta", "I", "V"))


def run(
    network: SpikingNetwork, x: Array, steps: int, record: frozenset[str], *, threads: int | None = None
) -> SimulationResult:
    """Simulate ``network`` on images ``x`` of shape (images, *input shape); see ``engine.simulate``.

    ``threads``: how many to use; default all that numba may use (``NUMBA_NUM_THREADS``).

    Raises:
        NetworkError: a node of a kind this engine does not know.
    """
    plan = _plan_of(network, complete=bool(record & {"I", "V"}))
    images = len(x)
    result = SimulationResult(
        np.empty((images, steps, *network.readout.shape), np.float32),
        {p.name: np.zeros((images, *p.shape), np.int32) for p in network.populations},
        {p.name: np.zeros(steps, np.int64) for p in network.populations},
        network.dt,
        {
            quantity: {
                p.name: np.empty(
                    (images, steps, *(p.input_shapes[0] if quantity in ("I", "V") else p.shape)),
                    bool if quantity == "spikes" else np.float32,
                )
                for p in network.populations
            }
            for quantity in record
        },
    )
    threads = min(threads or numba.config.NUMBA_NUM_THREADS, images)
    queue = iter(range(images))
    lock = threading.Lock()

    def next_image() -> int | None:
        with lock:
            return next(queue, None)

    def work() -> Array:
        simulator = _ImageSimulator(network, plan, result)
        while (image := next_image()) is not None:
            simulator.run(x[image : image + 1], image)
        return simulator.per_step

    totals = _parallel(work, threads)
    for column, name in enumerate(network.population_names):
        result.spikes_per_step[name][:] = sum(total[:, column] for total in totals)
    return result


def _parallel(work: Callable[[], Array], threads: int) -> list[Array]:
    if threads == 1:
        return [work()]
    with ThreadPoolExecutor(threads) as pool:
        return [job.result() for job in [pool.submit(work) for _ in range(threads)]]


_plans: WeakKeyDictionary[SpikingNetwork, dict[bool, Plan]] = WeakKeyDictionary()


def _plan_of(network: SpikingNetwork, *, complete: bool) -> Plan:
    """The network's plan, kept as long as the network."""
    plans = _plans.setdefault(network, {})
    if complete not in plans:
        plans[complete] = make_plan(network, _held_layers(network), complete=complete)
    return plans[complete]


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


class _ImageSimulator:
    """Working memory of one thread, for one image at a time."""

    def __init__(self, network: SpikingNetwork, plan: Plan, result: SimulationResult) -> None:
        self.network, self.plan, self.result = network, plan, result
        self.analog_nodes = _analog_nodes(network)
        self.states = sorted(set(result.records) & _STATES)
        self.steps = result.outputs.shape[1]
        # states are read between chunks: to record them, a chunk is one step
        self.chunk = 1 if self.states else -(-self.steps // -(-self.steps // CHUNK))
        blocks, planes = len(plan.bias), len(plan.V0)
        neurons = network.neuron_count
        self.held, self.I, self.V = aligned(planes), aligned(planes), aligned(planes)
        self.S_hat, self.theta_a = aligned(blocks), aligned(blocks)
        self.events = aligned(neurons * self.chunk + 1, np.int32)
        self.event_ends = np.zeros(len(plan.pixel_channels) - 1, np.int64)
        self.drive = aligned(self.chunk * (LANES + VECTOR) + 2 * LANES)
        self.keep = int(bool(self.states))
        self.potential = aligned(max(self.chunk * LANES, blocks * self.keep))
        self.masks = aligned(self.chunk, np.uint64)
        self.counts = np.zeros(neurons, np.int32)
        self.per_step = np.zeros((self.steps, len(network.populations)), np.int64)
        spikes = (self.steps, neurons) if "spikes" in result.records else (0, 0)
        self.spikes = np.zeros(spikes, np.bool_)

    def run(self, x: Array, image: int) -> None:
        """Simulate ``x`` of shape (1, *input shape) and put everything into the result's row ``image``."""
        self._reset(x)
        outputs = self.result.outputs[image]
        if self.states:
            for t in range(self.steps):
                self._advance(outputs[t : t + 1], self.per_step[t : t + 1], self.spikes[t : t + 1])
                self._record(image, t)
        else:
            self._advance(outputs, self.per_step, self.spikes)
        start = 0
        for p in self.network.populations:
            part = slice(start, start + p.size)
            self.result.spike_counts[p.name][image] = self.counts[part].reshape(p.shape)
            if "spikes" in self.result.records:
                recorded = self.spikes[:, part].reshape(self.steps, *p.shape)
                self.result.records["spikes"][p.name][image] = recorded
            start += p.size

    def _reset(self, x: Array) -> None:
        self.V[:] = self.plan.V0
        for array in (self.I, self.S_hat, self.theta_a, self.counts, self.spikes):
            array[:] = 0
        for name, current in self._analog_drive(x).items():
            gather = self.plan.gather[name]
            start = self._planes(name).start
            self.held[start : start + len(gather)] = np.append(current.reshape(-1), np.float32(0))[gather]

    def _analog_drive(self, x: Array) -> dict[str, Array]:
        """Current that the analog input contributes to each layer it reaches. One image at a time: a product of larger
        matrices may round differently."""
        silence = np.float32(0)
        values: dict[str, Array] = {self.network.input.name: x}
        for node in self.analog_nodes:
            inputs = (
                values[name] if name in values else np.broadcast_to(silence, (1, *shape))
                for name, shape in zip(node.inputs, node.input_shapes, strict=True)
            )
            values[node.name] = node.apply(*inputs)
        layers = (*self.network.populations, self.network.readout)
        return {node.name: values[node.inputs[0]] for node in layers if node.inputs[0] in values}

    def _advance(self, outputs: Array, per_step: Array, spikes: Array) -> None:
        p = self.plan
        advance(
            p.layers, p.constants, p.bias, p.plane_edges, p.edges, p.pieces, p.rows, p.weights, p.neuron_places,
            p.pixel_channels, self.held, self.I, self.V, self.S_hat, self.theta_a, self.events, self.event_ends,
            self.drive, self.potential, self.keep, self.masks, self.chunk, outputs, self.counts,
            per_step, spikes,
        )  # fmt: skip

    def _planes(self, name: str) -> slice:
        layer = self.plan.layers[self.plan.names.index(name)]
        start = int(layer[Layer.PLANE])
        return slice(start * LANES, (start + int(layer[Layer.BLOCKS] * layer[Layer.POSITIONS])) * LANES)

    def _record(self, image: int, t: int) -> None:
        records = self.result.records
        for number, node in enumerate(self.network.populations):
            start = int(self.plan.layers[number, Layer.BLOCK]) * LANES
            neurons = slice(start, start + node.size)
            for quantity in self.states:
                target = records[quantity][node.name][image, t].reshape(-1)
                if quantity in ("I", "V"):
                    gather = self.plan.gather[node.name]
                    inside = gather < target.size
                    state = self.I if quantity == "I" else self.V
                    target[gather[inside]] = state[self._planes(node.name)][inside]
                elif quantity == "S_hat":
                    target[:] = self.S_hat[neurons]
                elif quantity == "theta":
                    target[:] = np.float32(node.parameters.resting_threshold) + self.theta_a[neurons]
                else:
                    target[:] = self.potential[neurons] + self.plan.bias[neurons]
