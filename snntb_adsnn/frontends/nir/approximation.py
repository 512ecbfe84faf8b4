"""The neurons that other tools see: LIF and CubaLIF with the rate of an ASN at the threshold and at S = 1.

At constant input the potential u = S - S_hat of an ASN obeys tau_eta du/dt = S - u, and a spike takes theta off it when
it reaches theta/2: a leaky integrate-and-fire neuron, but for its threshold, which adapts. A LIF has one threshold,
theta0/2, and one reset. The reset is chosen so that it spikes as often as the ASN at S = 1, where the output is 1:

    T(S) = tau_eta ln((S - v_reset)/(S - theta0/2)),  v_reset = 1 - (1 - theta0/2) exp(T_ASN(1)/tau_eta)

With graded spikes every spike counts theta, and theta = theta0 spikes at u = theta0/2 and resets to -theta0/2.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from snntb_adsnn.neuron import ASNParameters
from snntb_adsnn.neuron.transfer import GRADED, equilibrium_interval, spike_height


def reset(parameters: ASNParameters, form: str) -> float:
    """v_reset of the neuron that stands for an ASN."""
    half = parameters.resting_threshold / 2
    if form == GRADED:
        return -half
    interval = float(equilibrium_interval(1.0, parameters))
    return float(1 - (1 - half) * np.exp(interval / parameters.tau_eta))


def height(parameters: ASNParameters, form: str) -> float:
    """What one of its spikes adds to the receiving current."""
    h = spike_height(parameters, form=form)
    return h * parameters.resting_threshold if form == GRADED else h


def approximate_transfer(S: ArrayLike, parameters: ASNParameters, form: str = "exact") -> NDArray[np.float64]:
    """What the LIF encodes at constant input ``S``: the counterpart of ``transfer.transfer``, same shape."""
    p, half = parameters, parameters.resting_threshold / 2
    S = np.asarray(S, np.float64)
    active = S > half
    above = np.where(active, S, 1 + half)
    interval = p.tau_eta * np.log((above - reset(p, form)) / (above - half))
    encoded = height(p, form) * p.dt / ((1 - p.k_beta) * np.maximum(interval, p.dt))
    return np.where(active, encoded, 0.0)
