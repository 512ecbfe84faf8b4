"""The readable simulator: NumPy, one step at a time, every state visible. Other engines are tested against it."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snntb_adsnn.engine.early import Early
from snntb_adsnn.engine.result import SimulationResult
from snntb_adsnn.engine.switch import Schedule
from snntb_adsnn.network import Neurons, Readout, SpikingNetwork
from snntb_adsnn.network.maps import Array, Linear
from snntb_adsnn.neuron import ASNState
from snntb_adsnn.neuron.constants import INPUT_STATES


def run(
    network: SpikingNetwork,
    x: Array,
    steps: int,
    record: frozenset[str],
    schedule: Schedule | None = None,
    dtype: type[np.floating[Any]] = np.float32,
    early: Early | None = None,
) -> SimulationResult:
    """Simulate ``network`` on images ``x``; layers are stepped in order within the same time step.

    ``schedule``: when which images switch to another precision (``Switch.schedule``). ``early``: when an image stops.
    ``dtype`` is the precision of all states (float32, as every engine's; float64 for comparisons with theory).
    """
    runs = [_Machine(network, x.astype(dtype))]
    kept = _Kept(network, len(x), steps, record, dtype)
    stopped, ended = np.full(len(x), steps, np.int32), np.zeros(len(x), np.bool_)
    for t in range(steps):
        if schedule is not None and t == schedule.stop:
            high = schedule.decide(kept.outputs)[1]
            (low,) = runs
            runs = [low.kept(low.images & ~high), low.kept(low.images & high, schedule.high)]
        for machine in runs:
            machine.step(t, kept)
        if early is not None:
            after = early.after(kept.outputs[:, : t + 1])
            now = (after == t + 1) & ~ended
            stopped[now], ended = t + 1, ended | now
            kept.outputs[now, t + 1 :] = kept.outputs[now, t : t + 1]
            runs = [machine.kept(machine.images & ~now) for machine in runs]
    margins, switched = (None, None) if schedule is None else schedule.decided(kept.outputs, stopped, ended)
    return SimulationResult(
        kept.outputs,
        kept.counts,
        kept.per_step,
        network.dt,
        kept.records,
        margins,
        switched,
        kept.corrective,
        None if early is None else stopped,
    )


class _Kept:
    """What is kept of a simulation; names as in ``SimulationResult``."""

    def __init__(
        self, network: SpikingNetwork, images: int, steps: int, record: frozenset[str], dtype: type[np.floating[Any]]
    ) -> None:
        populations = network.populations
        self.outputs = np.empty((images, steps, *network.readout.shape), np.float32)
        self.counts = {p.name: np.zeros((images, *p.shape), np.int32) for p in populations}
        self.corrective = {
            p.name: np.zeros((images, *p.shape), np.int32) for p in populations if p.corrective is not None
        }
        self.per_step = {p.name: np.zeros(steps, np.int64) for p in populations}

        def recorded(quantity: str, p: Neurons) -> Array:
            shape = p.input_shapes[0] if quantity in INPUT_STATES else p.shape
            return np.zeros((images, steps, *shape), p.spike_dtype if quantity == "spikes" else dtype)

        self.records = {quantity: {p.name: recorded(quantity, p) for p in populations} for quantity in record}


class _Machine:
    """A network at work on a batch of images.

    Attributes:
        images: whose outputs and spikes are kept, shape (images,). All are simulated: a product of matrices may round
            otherwise when it has fewer rows.
    """

    def __init__(self, network: SpikingNetwork, x: Array) -> None:
        self.images = np.ones(len(x), bool)
        self.x, self.dtype = x, x.dtype.type
        self.states = {
            p.name: ASNState(
                p.parameters, (len(x), *p.shape), (len(x), *p.input_shapes[0]), self.dtype, corrective=p.corrective
            )
            for p in network.populations
        }
        self.current: Array = np.zeros((len(x), *network.readout.shape), self.dtype)
        self.smoothed = np.zeros_like(self.current)
        self._set(network)

    def kept(self, images: NDArray[np.bool_], network: SpikingNetwork | None = None) -> _Machine:
        """A copy of which some images are kept; it goes on with ``network``, if there is one."""
        twin = copy.copy(self)
        twin.images, twin.states = images, {name: copy.copy(state) for name, state in self.states.items()}
        if network is not None:
            twin._set(network)
        return twin

    def _set(self, network: SpikingNetwork) -> None:
        """Go on with a network: its biases, weights, precision."""
        self.network, self.held = network, analog_drive(network, self.x)
        self.heights: dict[str, Array] = {}
        for p in network.populations:
            precision, state = p.precision, self.states[p.name]
            state.set_precision(precision.m_f, precision.theta0)
            state.corrective = None if p.corrective is None else self.dtype(p.corrective)
            self.heights[p.name] = np.asarray(precision.height, self.dtype)

    def step(self, t: int, kept: _Kept) -> None:
        """One time step of every layer, in order."""
        values: dict[str, Array] = {self.network.input.name: np.zeros_like(self.x)}
        for node, drive in self.network.propagate(values):
            if isinstance(node, Neurons):
                values[node.name] = self._spike(node, drive, t, kept)
            elif isinstance(node, Readout):
                self._read_out(node, drive, t, kept)

    def _spike(self, node: Neurons, drive: Array, t: int, kept: _Kept) -> Array:
        """A population's step; returns its spikes times their heights."""
        name, state, waits = node.name, self.states[node.name], t < node.onset_steps
        V = state.integrate(drive, held=self.held[name])
        S = node.potential(V)
        height = self.heights[name] * state.theta if node.graded else self.heights[name]
        spikes = np.zeros(S.shape, np.int8) if waits else state.fire(S)
        mine = spikes[self.images]
        kept.counts[name][self.images] += mine != 0
        if name in kept.corrective:
            kept.corrective[name][self.images] += mine < 0
        kept.per_step[name][t] += np.count_nonzero(mine)
        seen = {"spikes": spikes, "S": S, "S_hat": state.S_hat, "theta": state.theta, "I": state.I, "V": V}
        for quantity, by_layer in kept.records.items():
            by_layer[name][self.images, t] = seen[quantity][self.images]
        return spikes * height

    def _read_out(self, node: Readout, drive: Array, t: int, kept: _Kept) -> None:
        k_beta, k_phi = self.dtype(node.k_beta), self.dtype(node.k_phi)
        self.current = k_beta * self.current + drive
        steady = self.held[node.name]
        total = self.current if steady is None else self.current + steady
        self.smoothed = k_phi * self.smoothed + (self.dtype(1) - k_phi) * total
        kept.outputs[self.images, t] = (self.smoothed + node.bias.astype(self.dtype))[self.images]


def analog_drive(network: SpikingNetwork, x: Array) -> dict[str, Array | None]:
    """By neuron layer and read-out, the current that the analog input itself contributes, held during the simulation;
    ``None`` where only spikes arrive.

    Args:
        x: shape (images, *input shape).
    """
    reached = {network.input.name}
    for node in network.nodes:
        if isinstance(node, Linear) and reached & set(node.inputs):
            reached.add(node.name)
    silence = {p.name: np.zeros((len(x), *p.shape), x.dtype) for p in network.populations}
    values: dict[str, Array] = {network.input.name: x}
    held: dict[str, Array | None] = {}
    for node, total in network.propagate(values):
        held[node.name] = total if node.inputs[0] in reached else None
        if isinstance(node, Neurons):
            values[node.name] = silence[node.name]
    return held
