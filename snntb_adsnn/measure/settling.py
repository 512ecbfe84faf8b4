"""Waits and read-out: the choice that lets a network decide earliest.

A network at rest overshoots. Each layer answers an input that still rises, and S_hat keeps what it spent for tau_eta.
A layer that does not spike before the layers before it have settled spends nothing on that. A read-out that smooths
less tells earlier what it knows, and trembles more. Both are chosen together, on training inputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from snntb_adsnn.engine import simulate
from snntb_adsnn.engine.switch import need_classes
from snntb_adsnn.network import SpikingNetwork
from snntb_adsnn.network.depth import staggered
from snntb_adsnn.network.maps import Array

ONSETS = (0.0, 2.0, 4.0, 6.0, 8.0, 10.0)
"""Waits that are tried, ms for each layer before."""

TIMES = (5.0, 10.0, 20.0, 35.0, 50.0)
"""Smoothing time constants of the read-out that are tried, ms."""

DURATION = 400.0
"""Simulated time, ms; what a network decides in its last quarter is what it settles to."""

AGREEMENT = 0.99
"""Share of the final decisions, of the best choice's, that counts as decided."""


@dataclass(frozen=True)
class Waits:
    """A choice.

    Attributes:
        onset: ms that a population waits for each population before it.
        tau_phi: smoothing time constant of the read-out, ms.
        decided: time from which ``AGREEMENT`` of the decisions are those that stay, ms.
        agreement: share of the inputs that are decided at the end as the network settles without waits.
    """

    onset: float
    tau_phi: float
    decided: float
    agreement: float

    def of(self, network: SpikingNetwork) -> SpikingNetwork:
        """``network`` with these waits and this read-out."""
        return with_read_out(staggered(network, self.onset), self.tau_phi)


def with_read_out(network: SpikingNetwork, tau_phi: float) -> SpikingNetwork:
    """``network`` with another smoothing of the read-out."""
    return SpikingNetwork((*network.nodes[:-1], replace(network.readout, tau_phi=tau_phi)))


def choose_waits(
    network: SpikingNetwork,
    x: Any,
    *,
    onsets: Sequence[float] = ONSETS,
    times: Sequence[float] = TIMES,
    engine: str = "auto",
) -> Waits:
    """The waits and the read-out with which a network decides earliest.

    What counts is the time from which on the share of decisions that are the settled ones stays above ``AGREEMENT`` of
    the best choice's share at the end. Of equal times the smaller wait is taken, then the slower read-out.

    Args:
        network: it, at the precision at which it will be simulated.
        x: training inputs, shape (images, *input shape); some hundreds. Not the test inputs.
        onsets, times: what is tried, every combination.
        engine: as in ``simulate``.

    Raises:
        ParameterError: the network does not classify, or the inputs do not fit.
    """
    need_classes(network, "onset = auto")
    runs = {onset: simulate(staggered(network, onset), x, duration=DURATION, engine=engine).outputs for onset in onsets}
    settled = runs[min(onsets)][:, -round(DURATION / 4 / network.dt) :].mean(axis=1).argmax(axis=-1)
    shares = {
        (onset, tau_phi): (read_out(outputs, network, tau_phi).argmax(axis=-1) == settled[:, None]).mean(axis=0)
        for onset, outputs in runs.items()
        for tau_phi in times
    }
    quarter = round(DURATION / 4 / network.dt)
    ends = {choice: float(share[-quarter:].mean()) for choice, share in shares.items()}
    needed = AGREEMENT * max(ends.values())
    found = [
        Waits(onset, tau_phi, _last_below(share, needed) * network.dt, ends[onset, tau_phi])
        for (onset, tau_phi), share in shares.items()
    ]
    return min(found, key=lambda waits: (waits.decided, waits.onset, -waits.tau_phi))


def read_out(outputs: Array, network: SpikingNetwork, tau_phi: float) -> Array:
    """Outputs of a network, shape (images, steps, values), as a read-out of another time constant would give them."""
    readout = network.readout
    bias = readout.bias.astype(np.float64)
    smoothed = outputs.astype(np.float64) - bias
    before = np.concatenate([np.zeros_like(smoothed[:, :1]), smoothed[:, :-1]], axis=1)
    currents = (smoothed - readout.k_phi * before) / (1 - readout.k_phi)
    k_phi = replace(readout, tau_phi=tau_phi).k_phi
    state, found = np.zeros_like(currents[:, 0]), np.empty_like(currents)
    for t in range(currents.shape[1]):
        state = k_phi * state + (1 - k_phi) * currents[:, t]
        found[:, t] = state
    return found + bias


def _last_below(share: Array, needed: float) -> int:
    """Steps after which ``share`` never falls below ``needed`` again."""
    below = np.flatnonzero(share < needed)
    return int(below[-1]) + 1 if len(below) else 0
