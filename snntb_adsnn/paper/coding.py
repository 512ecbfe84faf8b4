"""How single neurons code: a changing signal, rates and decoded values at constant input (figures 1a to 1c)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from snntb_adsnn.neuron import ASNParameters, simulate_neuron
from snntb_adsnn.neuron.transfer import spike_height, transfer

PRECISIONS = (0.05, 0.1, 0.2, 0.4, 0.8)
SETTLED, MEASURED = 500, 3000
"""Steps before, and of, a measurement at constant input."""

Array = NDArray[np.float64]


def decode(spikes: Array, parameters: ASNParameters) -> Array:
    """The postsynaptic current of a synapse of weight 1: k_beta I + h spike, along axis 0."""
    h, current = spike_height(parameters), np.zeros(spikes.shape[1:])
    decoded = np.empty(spikes.shape)
    for t, spike in enumerate(spikes):
        current = parameters.k_beta * current + h * spike
        decoded[t] = current
    return decoded


def example(m_f: float = 0.1) -> dict[str, Any]:
    """One neuron that follows a stepwise signal: its threshold, spikes and refractory response, over time."""
    levels = np.array([0.0, 0.4, 1.0, 1.6, 0.7, 0.2])
    signal = np.repeat(levels, 100)
    parameters = ASNParameters(m_f=m_f)
    trace = simulate_neuron(signal, parameters)
    return {
        "m_f": m_f,
        "signal": signal.tolist(),
        "S": trace.S.tolist(),
        "S_hat": trace.S_hat.tolist(),
        "theta": trace.theta.tolist(),
        "spikes": np.flatnonzero(trace.spikes).tolist(),
        "decoded": decode(trace.spikes.astype(float), parameters).tolist(),
        "encoded": transfer(signal, parameters).tolist(),
    }


def at_constant_input(m_f: float, S: Array) -> dict[str, Any]:
    """Firing rate, and mean and standard deviation of the decoded signal, at constant inputs ``S``.

    Beside them what a Poisson neuron of the same mean would need: its shot noise through the same current has the
    variance rate h'^2 tau_beta/2 with h' = mean/(rate tau_beta), so that a standard deviation s needs the rate
    mean^2/(2 tau_beta s^2).
    """
    parameters = ASNParameters(m_f=m_f)
    trace = simulate_neuron(np.broadcast_to(S, (SETTLED + MEASURED, len(S))), parameters)
    spikes = trace.spikes.astype(float)
    decoded = decode(spikes, parameters)[SETTLED:]
    mean, deviation = decoded.mean(axis=0), decoded.std(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        poisson = np.where(deviation > 0, mean**2 / (2 * parameters.tau_beta * deviation**2) * 1000, 0.0)
    return {
        "m_f": m_f,
        "h": spike_height(parameters),
        "S": S.tolist(),
        "rate_hz": (spikes[SETTLED:].mean(axis=0) / parameters.dt * 1000).tolist(),
        "mean": mean.tolist(),
        "sd": deviation.tolist(),
        "transfer": transfer(S, parameters).tolist(),
        "poisson_rate_hz": poisson.tolist(),
    }


def measure() -> dict[str, Any]:
    """Everything that the figures of single neurons show."""
    S = np.linspace(0, 2, 81)
    return {"example": example(), "precision": [at_constant_input(m_f, S) for m_f in PRECISIONS]}
