"""Transfer functions of the adaptive spiking neuron: the analog output that its spikes encode, against its input S.

``exact`` inverts the neuron's equilibrium in closed form; ``taylor`` is the paper's equation 11. Both are normalised
to f(1) = 1 by the spike height h. ``relu`` belongs to graded spikes, whose height is h times the threshold that was
exceeded: they encode max(0, S), but for low rates (``graded_transfer``).
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from snntb_adsnn.errors import ParameterError
from snntb_adsnn.neuron.parameters import ASNParameters

Form = Literal["exact", "taylor"]
FORMS: tuple[str, ...] = get_args(Form)
"""Forms of the activation AAN, whose spikes all have the same height."""
GRADED = "relu"
"""Form of neurons with graded spikes."""
_LONGEST_INTERVAL = 700.0  # in units of the slower time constant: beyond it exp() overflows float64 and f is 0 anyway


def check_form(form: str) -> None:
    """Raise ParameterError unless ``form`` names a transfer function."""
    if form not in (*FORMS, GRADED):
        raise ParameterError(f"transfer form {form!r} is unknown: choose one of {', '.join((*FORMS, GRADED))}.")


# ---- equilibrium: closed forms in the interspike interval T --------------------------------------------------------


def equilibrium_threshold(interval: ArrayLike, params: ASNParameters) -> NDArray[np.float64]:
    """Threshold just before each spike when spikes come every ``interval`` ms (science.md, the exact form)."""
    growth = np.expm1(np.asarray(interval, np.float64) / params.tau_gamma)
    return params.resting_threshold * growth / (growth - params.m_f)


def equilibrium_input(interval: ArrayLike, params: ASNParameters) -> NDArray[np.float64]:
    """Constant input S that makes the neuron spike every ``interval`` ms: theta/2 + theta/(exp(T/tau_eta) - 1)."""
    theta = equilibrium_threshold(interval, params)
    return theta / 2 + theta / np.expm1(np.asarray(interval, np.float64) / params.tau_eta)


def _input_slope(interval: NDArray[np.float64], params: ASNParameters) -> NDArray[np.float64]:
    """dS/dT of ``equilibrium_input``."""
    p = params
    growth = np.expm1(interval / p.tau_gamma)
    theta = p.resting_threshold * growth / (growth - p.m_f)
    theta_slope = -p.resting_threshold * p.m_f * (growth + 1) / p.tau_gamma / (growth - p.m_f) ** 2
    decay = np.expm1(interval / p.tau_eta)
    slope: NDArray[np.float64] = theta_slope * (0.5 + 1 / decay) - theta * (decay + 1) / p.tau_eta / decay**2
    return slope


def equilibrium_interval(S: ArrayLike, params: ASNParameters) -> NDArray[np.float64]:
    """Interspike interval in ms for constant input ``S``; infinite at and below theta0/2, never below one step."""
    return np.maximum(_continuous_interval(np.asarray(S, np.float64), params), params.dt)


def _continuous_interval(S: NDArray[np.float64], params: ASNParameters) -> NDArray[np.float64]:
    """``equilibrium_interval`` without the limit of one step: the inverse of ``equilibrium_input``.

    Newton's method on ln(S - theta0/2), which is nearly straight in T, kept inside a shrinking bracket.
    """
    half = params.resting_threshold / 2
    # below this interval the adaptation outgrows its decay: S tends to infinity
    shortest = params.tau_gamma * math.log1p(params.m_f) * (1 + 1e-12)
    longest = _LONGEST_INTERVAL * min(params.tau_gamma, params.tau_eta)
    intervals = np.full(S.shape, np.inf)
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        faintest = float(equilibrium_input(longest, params)) - half
        spiking = S - half > max(faintest, 0.0)
        excess = (S - half)[spiking]
        found = np.clip(params.tau_eta * np.log1p(params.resting_threshold / excess), shortest, longest)
        # each round goes on with what has not converged: most need a few rounds, those near the threshold dozens
        left, target = np.arange(len(excess)), np.log(excess)
        low, high = np.full(len(excess), shortest), np.full(len(excess), longest)
        for _ in range(80):
            T = found[left]
            value = equilibrium_input(T, params) - half
            error = np.log(value) - target
            low, high = np.where(error > 0, T, low), np.where(error > 0, high, T)
            newton = T - error * value / _input_slope(T, params)
            inside = (newton > low) & (newton < high)  # False for NaN too
            found[left] = better = np.where(inside, newton, (low + high) / 2)
            going = ~(np.abs(better - T) <= 1e-13 * better)
            left, target, low, high = left[going], target[going], low[going], high[going]
            if not len(left):
                break
        intervals[spiking] = found
    return intervals


# ---- the two forms -------------------------------------------------------------------------------------------------


def taylor_constants(params: ASNParameters) -> tuple[float, float, float, float]:
    """c1 to c4 of the paper's equation 11."""
    p, theta0 = params, params.resting_threshold
    return (
        2 * p.m_f * p.tau_gamma**2,
        2 * theta0 * p.tau_eta * p.tau_gamma,
        p.tau_gamma * (p.m_f * p.tau_gamma + 2 * (p.m_f + 1) * p.tau_eta),
        theta0 * p.tau_eta * (p.tau_eta + p.tau_gamma),
    )


def _taylor_per_height(S: NDArray[np.float64], params: ASNParameters) -> NDArray[np.float64]:
    """Equation 11 divided by h, before clipping; with the exponent scaled where tau_beta differs from tau_eta."""
    c1, c2, c3, c4 = taylor_constants(params)
    scale = params.tau_eta / params.tau_beta

    def bose(s: ArrayLike) -> NDArray[np.float64]:
        s = np.asarray(s, np.float64)
        return 1 / np.expm1(scale * (c1 * s + c2) / (c3 * s + c4))

    value: NDArray[np.float64] = bose(S) - bose(params.resting_threshold / 2) + 0.5
    return value


@lru_cache(maxsize=4096)
def spike_height(params: ASNParameters, form: str = "exact") -> float:
    """Height h of a spike at the receiving neuron, fixed by f(1) = 1.

    With graded spikes (form ``relu``), h is what the threshold is multiplied with, fixed by f(S)/S = 1 at high rates:
    h = (1 - k_beta) tau_eta/dt (see ``graded_transfer``).

    Raises:
        ParameterError: unknown form, or a resting threshold so high that S = 1 never makes the neuron spike.

    Example: the coarser the code, the fewer the spikes, and the higher each of them.
        >>> [round(spike_height(ASNParameters(m_f=m_f)), 2) for m_f in (0.1, 0.4)]
        [0.12, 0.45]
    """
    check_form(form)
    if form == GRADED:
        return (1 - params.k_beta) * params.tau_eta / params.dt
    if form == "taylor":
        per_height = float(_taylor_per_height(np.asarray(1.0), params))
        if per_height > 0:
            return 1 / per_height
    else:
        interval = float(equilibrium_interval(1.0, params))
        if math.isfinite(interval):
            return (1 - params.k_beta) * interval / params.dt
    raise ParameterError(
        f"theta0 = {params.resting_threshold:g}: a neuron with S = 1 never spikes, so f(1) = 1 cannot be met; "
        "choose theta0 below 2 (theta0 follows m_f unless it is given)."
    )


def check_constants(params: ASNParameters, form: str = "exact") -> None:
    """Refuse constants with which a neuron of this step cannot encode the values from 0 to 1 (f(1) = 1).

    Graded spikes (form ``relu``) encode values of any size: their threshold follows the potentials, so that theta0 and
    m_f have no such bounds.

    Raises:
        ParameterError: S = 1 never makes the neuron spike, or would have to make it spike more than once in a step; or
            a time constant decays within a hundredth of a step, or too slowly for float32.
    """
    p, dt = params, params.dt
    for name in ("tau_gamma", "tau_eta", "tau_beta", "tau_phi"):
        tau = getattr(p, name)
        if not dt / 100 <= tau <= 1e5 * dt:
            raise ParameterError(
                f"{name} = {tau:g} ms does not fit steps of {dt:g} ms: it must lie between a hundredth of a step and "
                f"100,000 steps ({dt / 100:g} to {1e5 * dt:g} ms), else its decay in a step is lost in rounding."
            )
    if form == GRADED:
        return
    if p.resting_threshold >= 2:
        cause = f"theta0 = {p.resting_threshold:g}" + (" (it follows m_f)" if p.theta0 == p.m_f else "")
        raise ParameterError(
            f"{cause}: a neuron with S = 1 never spikes, for S must exceed theta0/2, so f(1) = 1 cannot be met; "
            "it must be below 2."
        )
    growth, strength = math.expm1(dt / p.tau_gamma), 0.5 + 1 / math.expm1(dt / p.tau_eta)
    # S(T) at T = one step; where m_f exceeds the growth, adaptation allows no interval that short
    if p.m_f < growth and p.resting_threshold * growth / (growth - p.m_f) * strength < 1:
        raise ParameterError(
            f"m_f = {p.m_f:g} with theta0 = {p.resting_threshold:g}: a neuron with S = 1 would have to spike more than "
            f"once in a step of {dt:g} ms, so f(1) = 1 cannot be met; with theta0 = m_f it must be at least "
            f"{growth / (growth * strength + 1):.2g}, or the steps shorter."
        )


def transfer(S: ArrayLike, params: ASNParameters, form: str = "exact") -> NDArray[np.float64]:
    """Analog output encoded by the spikes of an ASN under constant input ``S``.

    Args:
        S: input, any shape.
        params: the neuron's constants.
        form: ``exact``: f = h dt/((1 - k_beta) T) with T the equilibrium interspike interval, 0 for S <= theta0/2;
            ``taylor``: the paper's equation 11, with negative S counted as 0; ``relu``: max(0, S).

    Returns:
        f(S), same shape, monotone, 1 at S = 1.

    Example:
        >>> transfer([-1.0, 0.0, 0.5, 1.0], ASNParameters(m_f=0.1)).round(2).tolist()
        [0.0, 0.0, 0.56, 1.0]
    """
    check_form(form)
    S = np.asarray(S, np.float64)
    if form == GRADED:
        return np.maximum(0.0, S)
    h = spike_height(params, form=form)
    if form == "taylor":
        return np.maximum(0.0, h * _taylor_per_height(np.maximum(S, 0.0), params))
    return h * params.dt / ((1 - params.k_beta) * equilibrium_interval(S, params))


def same_output(S: ArrayLike, params: ASNParameters, other: ASNParameters, form: str = "exact") -> NDArray[np.float64]:
    """Potential at which an ``other`` neuron encodes what a neuron of ``params`` encodes at ``S``.

    A silent neuron stays as far below the other's threshold theta0/2 as it is below its own. Where the other cannot
    encode as much, its potential of one spike a step is meant.

    Args:
        S: potentials, any shape.
        form: of both, ``exact`` or ``taylor``.

    Example:
        >>> coarse, fine = ASNParameters(m_f=0.25), ASNParameters(m_f=0.1)
        >>> S = same_output([0.1, 0.4, 1.0], coarse, fine)
        >>> np.allclose(transfer(S, fine), transfer([0.1, 0.4, 1.0], coarse))
        True
    """
    S = np.asarray(S, np.float64)
    per_rate = spike_height(other, form) * other.dt / (1 - other.k_beta)
    found = np.minimum(S - params.resting_threshold / 2, 0) + other.resting_threshold / 2
    f = transfer(S, params, form)
    with np.errstate(divide="ignore"):
        interval = np.maximum(per_rate / f, other.dt)
    spiking = interval < _LONGEST_INTERVAL * min(other.tau_gamma, other.tau_eta)
    shortest = other.tau_gamma * math.log1p(other.m_f) * (1 + 1e-9)
    found[spiking] = equilibrium_input(np.maximum(interval[spiking], shortest), other)
    return found


def graded_transfer(S: ArrayLike, params: ASNParameters) -> NDArray[np.float64]:
    """What graded spikes encode at equilibrium: mean of the receiver's current, of form ``relu``.

    Spikes of height h theta every T ms: f = h theta dt/((1 - k_beta) T) = theta tau_eta/T. With S = theta/2 +
    theta/(exp(T/tau_eta) - 1) = theta/2 coth(T/(2 tau_eta)) this is f = S tanh(x)/x, x = T/(2 tau_eta): S itself at
    high rates, too little by x^2/3 (8 % at 20 Hz, tau_eta = 50 ms) at low ones, and 0 up to theta0/2, where nothing
    spikes.

    Args:
        S: input, any shape.
        params: the neuron's constants.
    """
    T = equilibrium_interval(S, params)
    active = np.isfinite(T)
    T = np.where(active, T, 1.0)
    encoded: NDArray[np.float64] = np.where(active, equilibrium_threshold(T, params) * params.tau_eta / T, 0.0)
    return encoded


def transfer_gradient(S: ArrayLike, params: ASNParameters, form: str = "exact") -> NDArray[np.float64]:
    """df/dS of ``transfer``: 0 where the neuron is silent or saturated (one-sided at the kinks)."""
    check_form(form)
    S = np.asarray(S, np.float64)
    if form == GRADED:
        return np.where(S > 0, 1.0, 0.0)
    h = spike_height(params, form=form)
    if form == "taylor":
        c1, c2, c3, c4 = taylor_constants(params)
        s = np.maximum(S, 0.0)
        scale = params.tau_eta / params.tau_beta
        u = scale * (c1 * s + c2) / (c3 * s + c4)
        slope = -h * np.exp(u) / np.expm1(u) ** 2 * scale * (c1 * c4 - c2 * c3) / (c3 * s + c4) ** 2
        active = (S > 0) & (transfer(S, params, form) > 0)
        return np.where(active, slope, 0.0)
    T = equilibrium_interval(S, params)
    active = np.isfinite(T) & (T > params.dt)
    T = np.where(active, T, params.dt + params.tau_gamma * params.m_f)  # any regular point
    f = h * params.dt / ((1 - params.k_beta) * T)
    return np.where(active, -f / T / _input_slope(T, params), 0.0)


TABLE_START, TABLE_END, TABLE_STEP = -18.0, 22.0, 1 / 32
"""Range and step of z in ``interval_table``: multiples of powers of two, so that z - z_i is exact in float32. Beyond
the end the interval is within 1e-8 of its limit."""


def interval_table(params: ASNParameters) -> NDArray[np.float64]:
    """Cubic pieces of the interval T against z = ln(S - theta0/2), for fast evaluation of the exact form.

    Returns:
        coefficients of shape (pieces, 4): on piece i, with u = (z - TABLE_START)/TABLE_STEP - i in [0, 1],
        T = c0 + u (c1 + u (c2 + u c3)) ms, not yet limited to one step. The relative error is below 1e-8.
    """
    z = np.arange(TABLE_START, TABLE_END + TABLE_STEP / 2, TABLE_STEP)
    T = _continuous_interval(params.resting_threshold / 2 + np.exp(z), params)
    slope = np.exp(z) / _input_slope(T, params) * TABLE_STEP
    rise = T[1:] - T[:-1]
    d0, d1 = slope[:-1], slope[1:]
    return np.stack([T[:-1], d0, 3 * rise - 2 * d0 - d1, d0 + d1 - 2 * rise], axis=1)


SMALLEST_SMOOTH = 0.05
"""Smallest m_f that ``smooth_constants`` can follow at dt = 1 ms: finer neurons saturate within its range."""


@lru_cache(maxsize=64)
def smooth_constants(params: ASNParameters) -> tuple[float, ...]:
    """n0, n1, n2, d1, d2 of f(S) = (n0 + n1 e + n2 e^2)/(1 + d1 e + d2 e^2), e = S - theta0/2 > 0: the exact form, but
    for a bounded slope at the threshold.

    Least squares on e = 0.01 ... 8, where the error is below 0.01 for m_f up to 1 (0.002 at 0.3).
    """
    e = np.concatenate([np.geomspace(0.01, 1, 200), np.linspace(1, 8, 200)])
    f = transfer(params.resting_threshold / 2 + e, params)
    weights = np.ones_like(e)
    solution = np.zeros(5)
    # linear in the constants once multiplied by the denominator, whose value is taken from the round before
    for _ in range(20):
        system = np.stack([np.ones_like(e), e, e**2, -f * e, -f * e**2], axis=1) * weights[:, None]
        solution = np.linalg.lstsq(system, f * weights, rcond=None)[0]
        weights = 1 / (1 + solution[3] * e + solution[4] * e**2)
    return tuple(map(float, solution))
