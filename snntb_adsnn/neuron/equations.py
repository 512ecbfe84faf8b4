"""The equations of one time step of the adaptive spiking neuron (ASN).

Source: Zambrano, Nusselder, Scholte, Bohte, "Efficient Computation in Adaptive Artificial Spiking Neural Networks"
(arXiv 1710.04838). Times are in milliseconds.
"""

from __future__ import annotations

import math
import numbers
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from snntb_adsnn.errors import ParameterError
from snntb_adsnn.neuron.parameters import ASNParameters

FloatArray = NDArray[np.floating[Any]]

LEAST_CORRECTIVE = 2.0
"""Smallest c of the rule for corrective spikes: with less, S_hat could fall below max(S, 0), and below 0."""


def check_corrective(c: object) -> None:
    """Raise ParameterError unless ``c`` can be the constant of the rule for corrective spikes."""
    if isinstance(c, bool) or not (isinstance(c, numbers.Real) and LEAST_CORRECTIVE <= float(c) < math.inf):
        raise ParameterError(
            f"corrective = {c!r} is not allowed: it must be a finite number of at least {LEAST_CORRECTIVE:g}, so that "
            "a corrective spike never takes more from the response than it is ahead; leave it out for none."
        )


class ASNState:
    """State of a population of ASNs, and its step equations in the order that defines this project.

    Two calls make one step: ``integrate`` (equations 1 and 2), then ``fire`` (4 to 7) on S = pool(V) + bias, which
    the caller forms (3). Every product and sum is rounded to ``dtype`` in the order written; faster engines keep it.

    Attributes:
        I, V: postsynaptic current and filtered membrane potential, of ``input_shape`` (before pooling).
        S_hat, theta_a, theta: refractory response, threshold adaptation, threshold, of ``shape``.
        corrective: c of the rule for corrective spikes, or ``None``: there are none.
    """

    def __init__(
        self,
        parameters: ASNParameters,
        shape: tuple[int, ...],
        input_shape: tuple[int, ...] | None = None,
        dtype: type[np.floating[Any]] = np.float64,
        corrective: float | None = None,
    ) -> None:
        p = parameters
        self.dtype = dtype
        self.corrective = None if corrective is None else dtype(corrective)
        self.k_beta, self.k_phi, self.k_eta, self.k_gamma = (dtype(k) for k in (p.k_beta, p.k_phi, p.k_eta, p.k_gamma))
        # 1 - k in the working precision: a constant rounded once, the same in every engine
        self.g_phi = dtype(1) - self.k_phi
        self.m_f: FloatArray | np.floating[Any] = dtype(p.m_f)
        self.theta0: FloatArray | np.floating[Any] = dtype(p.resting_threshold)
        self.I: FloatArray = np.zeros(shape if input_shape is None else input_shape, dtype)
        self.V: FloatArray = np.zeros_like(self.I)
        self.S_hat: FloatArray = np.zeros(shape, dtype)
        self.theta_a: FloatArray = np.zeros(shape, dtype)
        self.theta: FloatArray = np.full(shape, self.theta0, dtype)

    def set_precision(self, m_f: ArrayLike, theta0: ArrayLike) -> None:
        """Another precision from the next step on, broadcast over the neurons; all states but theta are kept."""
        self.m_f, self.theta0 = np.asarray(m_f, self.dtype), np.asarray(theta0, self.dtype)
        self.theta = self.theta0 + self.theta_a

    def integrate(self, drive: ArrayLike, *, held: ArrayLike | None = None) -> FloatArray:
        """Equations 1 and 2: add the spikes' ``drive`` to the decaying current, filter, and return V.

        Args:
            drive: weighted sum of this step's incoming spikes, sum_j W_ij h spike_j.
            held: analog current that does not decay (first layer: the input itself), or ``None``.
        """
        self.I = self.k_beta * self.I + np.asarray(drive, self.dtype)
        current = self.I if held is None else self.I + np.asarray(held, self.dtype)
        self.V = self.k_phi * self.V + self.g_phi * current
        return self.V

    def fire(self, S: ArrayLike) -> NDArray[np.int8]:
        """Equations 4 to 7: half-threshold spikes for potential ``S``; updates S_hat, theta_a, theta.

        A corrective spike comes where the response has run ahead of what it should follow:
        2 (S_hat - max(S, 0)) > c theta. It takes theta from S_hat, and the threshold adapts as to any spike. With c of
        at least 2 the response stays above max(S, 0), and no neuron at equilibrium ever sends one: there S_hat exceeds
        S by theta/2 at most.

        Returns:
            1 where a neuron spikes, -1 where its spike is corrective, else 0.
        """
        S, S_hat, zero = np.asarray(S, self.dtype), self.k_eta * self.S_hat, self.dtype(0)
        spikes = (self.dtype(2) * (S - S_hat) > self.theta).astype(np.int8)
        if self.corrective is not None:
            ahead = S_hat - np.maximum(S, zero)
            spikes -= self.dtype(2) * ahead > self.corrective * self.theta
        self.S_hat = S_hat + spikes * self.theta
        self.theta_a = self.k_gamma * (self.theta_a + np.where(spikes != 0, self.m_f * self.theta, zero))
        self.theta = self.theta0 + self.theta_a
        return spikes


@dataclass(frozen=True)
class NeuronTrace:
    """What ``simulate_neuron`` saw: one entry per step along axis 0, each recorded after its step.

    ``spikes``: 1, or -1 where a spike is corrective, or 0.
    ``theta`` is the threshold after its decay, i.e. the one the next step compares with.
    """

    spikes: NDArray[np.int8]
    S: FloatArray
    S_hat: FloatArray
    theta: FloatArray


def simulate_neuron(
    drive: ArrayLike,
    params: ASNParameters,
    *,
    bias: ArrayLike = 0.0,
    spiking_input: bool = False,
    corrective: float | None = None,
) -> NeuronTrace:
    """Simulate independent ASNs in float64.

    Args:
        drive: shape (steps,) or (steps, neurons...).
        params: the neurons' constants.
        bias: added to the filtered potential, itself unfiltered; broadcast over neurons.
        spiking_input: ``False``: the drive is the current itself, held during each step (first layer);
            ``True``: the drive is added to a current that decays with tau_beta.
        corrective: c of the rule for corrective spikes (``ASNState.fire``), at least 2; ``None``: there are none.

    Raises:
        ParameterError: the drive has no time axis or is not finite, or ``corrective`` is out of range.

    Example:
        >>> trace = simulate_neuron(np.ones(500), ASNParameters(m_f=0.1))
        >>> int(trace.spikes.sum())  # in half a second
        86
        >>> round(float(trace.S_hat[-100:].mean()), 1)  # what the spikes tell of S = 1
        1.0
    """
    drive = np.asarray(drive, np.float64)
    if drive.ndim == 0 or not np.isfinite(drive).all():
        raise ParameterError("simulate_neuron: drive must be finite, with time along its first axis: (steps, ...).")
    bias = np.asarray(bias, np.float64)
    shape = np.broadcast_shapes(drive.shape[1:], bias.shape)
    if corrective is not None:
        check_corrective(corrective)
    state = ASNState(params, shape, corrective=corrective)
    trace = NeuronTrace(np.zeros((len(drive), *shape), np.int8), *(np.zeros((len(drive), *shape)) for _ in range(3)))
    silence = np.zeros(shape)
    for t, x in enumerate(drive):
        V = state.integrate(x) if spiking_input else state.integrate(silence, held=x)
        S = V + bias
        trace.spikes[t] = state.fire(S)
        trace.S[t], trace.S_hat[t], trace.theta[t] = S, state.S_hat, state.theta
    return trace
