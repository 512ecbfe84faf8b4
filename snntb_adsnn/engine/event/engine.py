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
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from weakref import WeakKeyDictionary

import numba
import numpy as np

from snntb_adsnn.engine.early import Early
from snntb_adsnn.engine.event.analog import AnalogDrive, held_layers
from snntb_adsnn.engine.event.memory import Needs
from snntb_adsnn.engine.event.plan import Plan, make_plan
from snntb_adsnn.engine.event.simulator import STATES, ImageSimulator
from snntb_adsnn.engine.result import SimulationResult, SpikeObserver
from snntb_adsnn.engine.switch import Schedule
from snntb_adsnn.network import SpikingNetwork
from snntb_adsnn.network.maps import Array
from snntb_adsnn.neuron.constants import INPUT_STATES


def run(
    network: SpikingNetwork,
    x: Array,
    steps: int,
    record: frozenset[str],
    schedule: Schedule | None = None,
    *,
    threads: int | None = None,
    on_spikes: SpikeObserver | None = None,
    early: Early | None = None,
) -> SimulationResult:
    """Simulate ``network`` on images ``x`` of shape (images, *input shape); see ``engine.simulate``.

    ``threads``: how many to use; default all that numba may use (``NUMBA_NUM_THREADS``).

    Raises:
        NetworkError: a node of a kind this engine does not know.
    """
    complete = bool(record & INPUT_STATES)
    plan = _plan_of(network, complete=complete)
    high = None if schedule is None else (_plan_of(schedule.high, complete=complete), AnalogDrive(schedule.high))
    result = _empty_result(network, len(x), steps, record, switched=schedule is not None, early=early is not None)
    threads = threads or numba.config.NUMBA_NUM_THREADS
    workers = min(threads, len(x))
    watched = record if on_spikes is None else record | {"spikes"}
    needs = Needs.of(plan, *([] if high is None else high[:1]))
    simulators = [_simulator(network, plan, steps, watched, threads // workers, needs) for _ in range(workers)]
    queue = deque(range(len(x)))
    stopped = threading.Event()

    def work(simulator: ImageSimulator) -> None:
        try:
            while queue and not stopped.is_set():
                with suppress(IndexError):  # another worker took the last one
                    simulator.run(x, queue.popleft(), result, stopped, schedule, high, on_spikes, early)
        except BaseException:
            stopped.set()
            raise

    _parallel(work, simulators, stopped)
    totals: Array = sum(simulator.take_per_step() for simulator in simulators)  # type: ignore[assignment]
    for column, name in enumerate(network.population_names):
        result.spikes_per_step[name][:] = totals[:, column]
    _keep(network, simulators)
    return result


def _empty_result(
    network: SpikingNetwork, images: int, steps: int, record: frozenset[str], *, switched: bool, early: bool
) -> SimulationResult:
    """Zeros where only spikes are written, else uninitialised."""

    def recorded(quantity: str) -> dict[str, Array]:
        shapes = {p: p.input_shapes[0] if quantity in INPUT_STATES else p.shape for p in network.populations}
        return {
            p.name: np.zeros((images, steps, *shape), p.spike_dtype if quantity == "spikes" else np.float32)
            for p, shape in shapes.items()
        }

    return SimulationResult(
        np.empty((images, steps, *network.readout.shape), np.float32),
        {p.name: np.zeros((images, *p.shape), np.int32) for p in network.populations},
        {p.name: np.zeros(steps, np.int64) for p in network.populations},
        network.dt,
        {quantity: recorded(quantity) for quantity in record},
        np.empty(images, np.float32) if switched else None,
        np.empty(images, np.bool_) if switched else None,
        {p.name: np.zeros((images, *p.shape), np.int32) for p in network.populations if p.corrective is not None},
        np.full(images, steps, np.int32) if early else None,
    )


def _parallel(
    work: Callable[[ImageSimulator], None], simulators: list[ImageSimulator], stopped: threading.Event
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
        plans[complete] = make_plan(network, held_layers(network), complete=complete)
    return plans[complete]


_idle: WeakKeyDictionary[SpikingNetwork, list[ImageSimulator]] = WeakKeyDictionary()
"""Simulators between two calls, of the latest network only (they can be large): to make one takes a good part of the
time of one image."""
os.register_at_fork(after_in_child=_idle.clear)  # a child has none of their threads


def _simulator(
    network: SpikingNetwork, plan: Plan, steps: int, record: frozenset[str], team: int, needs: Needs
) -> ImageSimulator:
    """An idle simulator, or a new one."""
    idle = _idle.get(network, [])
    with suppress(IndexError):
        while not record & STATES:
            simulator = idle.pop()
            if simulator.fits(steps, team, record, needs):
                return simulator
    return ImageSimulator(network, plan, steps, record, team, needs)


def _keep(network: SpikingNetwork, simulators: list[ImageSimulator]) -> None:
    if not simulators[0].states:
        if network not in _idle:
            _idle.clear()
        _idle.setdefault(network, []).extend(simulators)
