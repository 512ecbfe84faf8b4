"""The readable simulator: NumPy, one step at a time, every state visible. Other engines are tested against it."""

from __future__ import annotations

from typing import Any

import numpy as np

from snntb_adsnn.engine.result import SimulationResult
from snntb_adsnn.engine.switch import Schedule, mixed
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
) -> SimulationResult:
    """Simulate ``network`` on images ``x``; layers are stepped in order within the same time step.

    ``schedule``: when which images switch to another precision (``Switch.schedule``).
    ``dtype`` is the precision of all states (float32, as every engine's; float64 for comparisons with theory).
    """
    images = len(x)
    x = x.astype(dtype)
    held = analog_drive(network, x)
    states = {
        p.name: ASNState(p.parameters, (images, *p.shape), (images, *p.input_shapes[0]), dtype)
        for p in network.populations
    }
    precisions = {p.name: p.precision for p in network.populations}
    for name, precision in precisions.items():
        states[name].set_precision(precision.m_f, precision.theta0)
    readout = network.readout
    k_beta, k_phi = dtype(readout.k_beta), dtype(readout.k_phi)
    current: Array = np.zeros((images, *readout.shape), dtype)
    smoothed = np.zeros_like(current)
    outputs = np.empty((images, steps, *readout.shape), np.float32)
    counts = {p.name: np.zeros((images, *p.shape), np.int32) for p in network.populations}
    per_step = {p.name: np.zeros(steps, np.int64) for p in network.populations}
    records: dict[str, dict[str, Array]] = {
        quantity: {
            p.name: np.empty(
                (images, steps, *(p.input_shapes[0] if quantity in INPUT_STATES else p.shape)),
                bool if quantity == "spikes" else dtype,
            )
            for p in network.populations
        }
        for quantity in record
    }
    silent = np.zeros_like(x)
    for t in range(steps):
        if schedule is not None and t == schedule.stop:
            _, switched = schedule.decide(outputs)
            for low, high in zip(network.populations, schedule.high.populations, strict=True):
                precisions[low.name] = mixed(low, high, switched)
                states[low.name].set_precision(precisions[low.name].m_f, precisions[low.name].theta0)
        values: dict[str, Array] = {network.input.name: silent}
        for node, drive in network.propagate(values):
            if isinstance(node, Neurons):
                state = states[node.name]
                V = state.integrate(drive, held=held[node.name])
                S = node.potential(V)
                height = np.asarray(precisions[node.name].height, dtype)
                if node.graded:
                    height = height * state.theta
                spikes = state.fire(S)
                values[node.name] = spikes * height
                counts[node.name] += spikes
                per_step[node.name][t] = np.count_nonzero(spikes)
                seen = {"spikes": spikes, "S": S, "S_hat": state.S_hat, "theta": state.theta, "I": state.I, "V": V}
                for quantity, by_layer in records.items():
                    by_layer[node.name][:, t] = seen[quantity]
            elif isinstance(node, Readout):
                current = k_beta * current + drive
                steady = held[node.name]
                total = current if steady is None else current + steady
                smoothed = k_phi * smoothed + (dtype(1) - k_phi) * total
                outputs[:, t] = smoothed + node.bias.astype(dtype)
    decided = schedule.decide(outputs) if schedule else (None, None)
    return SimulationResult(outputs, counts, per_step, network.dt, records, *decided)


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
