"""Corrective spikes: they follow a falling signal, and leave the equilibrium as it was."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snntb_adsnn import ASNParameters, simulate_neuron
from snntb_adsnn.errors import ParameterError
from snntb_adsnn.neuron import ASNState
from snntb_adsnn.neuron.transfer import equilibrium_interval

CONSTANTS = (2.0, 3.0)
LEVELS = np.array([0.0, 0.04, 0.4, 0.7, 1.0, 1.6])


@pytest.mark.parametrize("m_f", [0.05, 0.1, 0.25, 0.45])
def test_the_equilibrium_is_that_of_the_closed_form(m_f):
    """Reached from above, so that there is something to correct on the way."""
    p = ASNParameters(m_f=m_f)
    drive = np.repeat([np.full_like(LEVELS, 4.0), LEVELS], [150, 2600], axis=0)
    expected = p.dt / equilibrium_interval(LEVELS, p)
    plain = simulate_neuron(drive, p).spikes[750:]
    for c in CONSTANTS:
        spikes = simulate_neuron(drive, p, corrective=c).spikes
        assert np.all((spikes[150:750] < 0).any(axis=0))
        assert np.all(spikes[750:] >= 0)
        # whole intervals exceed the continuous one by up to 1 %; 2,000 ms hold a spike more or less
        np.testing.assert_allclose(spikes[750:].mean(axis=0), expected, rtol=0.02, atol=1 / 2000)
        np.testing.assert_allclose(spikes[750:].mean(axis=0), plain.mean(axis=0), atol=1.01 / 2000)


def followed(m_f, c, fraction=0.1):
    """Time after which the mean response stays within ``fraction`` of a drive that has fallen from 1 to 0, ms; the mean
    is that of neurons whose drives fall one step after the other."""
    falls = np.arange(300, 360)
    drive = (np.arange(600)[:, None] < falls).astype(float)
    S_hat = simulate_neuron(drive, ASNParameters(m_f=m_f), corrective=c).S_hat
    response = np.mean([S_hat[fall : fall + 200, k] for k, fall in enumerate(falls)], axis=0)
    return int(np.flatnonzero(np.abs(response) > fraction)[-1]) + 1


@pytest.mark.parametrize("m_f", [0.05, 0.1])
def test_a_falling_drive_is_followed(m_f):
    assert followed(m_f, 2.0) <= 20
    # without, the response only decays: exp(-t/50 ms) = 0.1
    assert followed(m_f, None) == pytest.approx(50 * math.log(10), abs=2)


def test_a_coarse_neuron_follows_to_within_its_resting_threshold():
    """Nearer than c theta0/2 there is nothing to correct: the rest decays."""
    for m_f in (0.2, 0.45):
        assert followed(m_f, 2.0, 1.05 * m_f) <= 30
        assert followed(m_f, None, 1.05 * m_f) == pytest.approx(-50 * math.log(1.05 * m_f), rel=0.15)


def kernel_sums(drive, p, c):
    """Spikes of one neuron, as sums of kernels over all spikes before: no recursion, no arrays of states."""
    V, spikes = 0.0, []  # spikes: step, height
    signs = np.zeros(len(drive), int)
    for t, x in enumerate(drive):
        V += (1 - math.exp(-p.dt / p.tau_phi)) * (x - V)
        S_hat = sum(height * math.exp(-(t - at) * p.dt / p.tau_eta) for at, height in spikes)
        theta = p.theta0 + sum(p.m_f * abs(height) * math.exp(-(t - at) * p.dt / p.tau_gamma) for at, height in spikes)
        if V - S_hat > theta / 2:
            signs[t] = 1
        elif S_hat - max(V, 0.0) > c * theta / 2:
            signs[t] = -1
        if signs[t]:
            spikes.append((t, signs[t] * theta))
    return signs


@pytest.mark.parametrize("c", [2.0, 2.75])
def test_every_spike_equals_the_kernel_sums(c):
    levels = np.random.default_rng(int(10 * c)).uniform([1.0, -0.5], [2.0, 0.5], (8, 2))  # up and down
    drive = np.repeat(levels.ravel(), 30)
    for m_f in (0.1, 0.3):
        p = ASNParameters(m_f=m_f)
        found = simulate_neuron(drive, p, corrective=c).spikes
        np.testing.assert_array_equal(found, kernel_sums(drive, p, c))
        assert np.count_nonzero(found < 0) >= 5


@given(m_f=st.floats(0.02, 1), c=st.floats(2, 5), gain=st.floats(0.1, 5), seed=st.integers(0, 2**32 - 1))
def test_no_corrective_spike_takes_too_much(m_f, c, gain, seed):
    """The response is never below zero, and what a corrective spike leaves is never below max(S, 0)."""
    drive = gain * np.random.default_rng(seed).normal(0.3, 1, (12, 8)).repeat(15, axis=0)
    trace = simulate_neuron(drive, ASNParameters(m_f=m_f), corrective=c)
    assert np.all(trace.S_hat >= 0)
    least = np.maximum(trace.S, 0)
    assert np.all(trace.S_hat[trace.spikes < 0] >= least[trace.spikes < 0] - 1e-12)


def test_a_spike_of_either_sign_raises_the_threshold_alike():
    p = ASNParameters(m_f=0.3)
    up, down = ASNState(p, ()), ASNState(p, (), corrective=2.0)
    down.S_hat = np.float64(5.0)
    assert (up.fire(1.0), down.fire(1.0)) == (1, -1)
    assert up.theta == down.theta == p.theta0 + p.k_gamma * p.m_f * p.theta0
    assert down.S_hat == pytest.approx(p.k_eta * 5 - p.theta0)


@pytest.mark.parametrize("c", [0, 1.99, -2.0, math.nan, math.inf, "2", True])
def test_a_constant_out_of_range_is_named(c):
    with pytest.raises(ParameterError, match=f"corrective = {c!r} is not allowed: it must be a finite number of at le"):
        simulate_neuron(np.ones(3), ASNParameters(), corrective=c)


def test_neurons_that_never_run_ahead_spike_as_without():
    drive = np.linspace(0, 2, 400)
    plain, with_them = (simulate_neuron(drive, ASNParameters(m_f=0.1), corrective=c) for c in (None, 2.0))
    assert plain.spikes.any()
    np.testing.assert_array_equal(plain.spikes, with_them.spikes)
    np.testing.assert_array_equal(plain.S_hat, with_them.S_hat)
