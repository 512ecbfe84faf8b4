"""The step equations against kernel sums, and what every adaptive spiking neuron must do."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snntb_adsnn import ASNParameters, simulate_neuron
from snntb_adsnn.errors import ParameterError
from snntb_adsnn.neuron.transfer import equilibrium_interval

PAPER_PRECISIONS = (0.05, 0.1, 0.2, 0.45)


def kernel_sums(drive, p, bias=0.0, spiking_input=False):
    """Equations 4-7 of the paper, written as sums of exponential kernels over all earlier spikes; no recursion.

    Returns spike steps, and S, S_hat, theta as each step's decision saw them.
    """
    steps = len(drive)
    n = np.arange(steps)

    def kernel(tau):
        return lambda age: np.exp(-age * p.dt / tau)

    eta, gamma, beta, phi = (kernel(t) for t in (p.tau_eta, p.tau_gamma, p.tau_beta, p.tau_phi))
    if spiking_input:  # I(t) = sum_j w_j exp(-(t - t_j)/tau_beta)
        current = np.array([np.sum(drive[: t + 1] * beta(t - n[: t + 1])) for t in n])
    else:
        current = np.asarray(drive, float)
    # membrane filter: discrete exponential kernel, normalised to 1
    S = np.array([(1 - math.exp(-p.dt / p.tau_phi)) * np.sum(current[: t + 1] * phi(t - n[: t + 1])) for t in n]) + bias
    at, heights, S_hat, theta = np.array([], int), np.array([]), np.zeros(steps), np.zeros(steps)
    for t in n:
        S_hat[t] = np.sum(heights * eta(t - at))
        theta[t] = p.theta0 + np.sum(p.m_f * heights * gamma(t - at))
        if S[t] - S_hat[t] > theta[t] / 2:
            at, heights = np.append(at, t), np.append(heights, theta[t])
    return at, S, S_hat, theta


@pytest.mark.parametrize("m_f", PAPER_PRECISIONS)
@pytest.mark.parametrize("spiking_input", [False, True])
def test_every_spike_equals_the_kernel_sums(m_f, spiking_input):
    rng = np.random.default_rng(int(1000 * m_f))
    p = ASNParameters(m_f=m_f)
    if spiking_input:
        drive = rng.binomial(1, 0.15, 500) * rng.choice([0.12, 0.3, -0.1], 500)
    else:
        drive = np.repeat(rng.uniform(-0.5, 2.0, 10), 50)
    trace = simulate_neuron(drive, p, bias=0.05, spiking_input=spiking_input)
    at, S, S_hat, theta = kernel_sums(drive, p, 0.05, spiking_input)
    np.testing.assert_array_equal(np.flatnonzero(trace.spikes), at)
    assert len(at) > 5
    np.testing.assert_allclose(trace.S, S, atol=1e-12)
    # the trace records after the step: add this step's spike; theta is the one the next step compares with
    np.testing.assert_allclose(trace.S_hat, S_hat + np.where(trace.spikes, theta, 0), atol=1e-12)
    np.testing.assert_allclose(trace.theta[:-1], theta[1:], atol=1e-12)


@pytest.mark.parametrize("m_f", PAPER_PRECISIONS)
@pytest.mark.parametrize("S", [0.4, 0.7, 1.0, 1.6])
def test_equilibrium_rate_is_the_closed_form(m_f, S):
    p = ASNParameters(m_f=m_f)
    spikes = simulate_neuron(np.full(6000, S), p).spikes[1000:]
    # steps cost up to 1 %: intervals are whole, so the mean interval exceeds the continuous one
    assert spikes.mean() == pytest.approx(p.dt / equilibrium_interval(S, p), rel=0.02)


def test_finer_steps_come_closer_to_the_closed_form():
    errors = []
    levels = np.linspace(0.3, 1.5, 25)
    for dt in (1.0, 0.25):
        p = ASNParameters(m_f=0.2, dt=dt)
        spikes = simulate_neuron(np.tile(levels, (round(4000 / dt), 1)), p).spikes
        intervals = [dt * np.diff(np.flatnonzero(train)[20:]).mean() for train in spikes.T]
        errors.append(np.abs(intervals / equilibrium_interval(levels, p) - 1).mean())
    assert errors[1] < 0.4 * errors[0] < 0.004


@given(m_f=st.floats(0.05, 0.45), level=st.floats(0.3, 2.0), seed=st.integers(0, 2**32 - 1))
def test_S_hat_tracks_a_positive_drive(m_f, level, seed):
    p = ASNParameters(m_f=m_f)
    slow = level * (1 + 0.3 * np.sin(2 * np.pi * (np.arange(1200) / 400 + seed / 2**32)))
    trace = simulate_neuron(slow, p)
    window = slice(200, None)
    # S_hat falls below S by at most half a threshold before the next spike lifts it by one threshold
    threshold = trace.theta[window].max()
    assert np.all(np.abs(trace.S[window] - trace.S_hat[window]) <= threshold)
    assert abs(np.mean(trace.S[window] - trace.S_hat[window])) <= threshold / 2


@given(m_f=st.floats(0.01, 2), fraction=st.floats(-3, 1), bias=st.floats(-1, 0))
def test_no_spike_at_or_below_half_the_resting_threshold(m_f, fraction, bias):
    p = ASNParameters(m_f=m_f)
    assert not simulate_neuron(np.full(300, fraction * p.theta0 / 2), p, bias=bias).spikes.any()


def test_a_drive_just_above_half_the_resting_threshold_spikes():
    p = ASNParameters(m_f=0.2)
    assert simulate_neuron(np.full(300, 0.1 * 1.001), p).spikes.any()


@given(gain=st.floats(0.1, 10), m_f=st.floats(0.05, 0.5))
def test_scaling_drive_and_threshold_together_changes_no_spike(gain, m_f):
    p = ASNParameters(m_f=m_f, theta0=0.25)
    scaled = dataclasses.replace(p, theta0=0.25 * gain)
    drive = np.random.default_rng(3).uniform(0, 1, 200)
    plain = simulate_neuron(drive, p).spikes
    # near-ties may round differently: they are rare
    assert np.mean(plain != simulate_neuron(gain * drive, scaled).spikes) < 0.01


def test_neurons_are_independent():
    p = ASNParameters(m_f=0.1)
    drive = np.random.default_rng(0).uniform(0, 1.5, (100, 3))
    together = simulate_neuron(drive, p, bias=[0.0, 0.1, 0.2])
    for k, bias in enumerate((0.0, 0.1, 0.2)):
        np.testing.assert_array_equal(together.spikes[:, k], simulate_neuron(drive[:, k], p, bias=bias).spikes)


def test_theta0_follows_m_f_and_keeps_its_ratio():
    assert ASNParameters(m_f=0.3).theta0 == 0.3
    assert ASNParameters(m_f=0.2, theta0=0.1).with_m_f(0.4).theta0 == pytest.approx(0.2)
    assert ASNParameters(m_f=0.2).with_m_f(0.05) == ASNParameters(m_f=0.05)


@pytest.mark.parametrize("field", [f.name for f in dataclasses.fields(ASNParameters)])
@pytest.mark.parametrize("value", [0, -1.0, math.nan, math.inf, "fast", True])
def test_a_parameter_out_of_range_is_named(field, value):
    with pytest.raises(ParameterError, match=f"{field} = {value!r}"):
        ASNParameters(**{field: value})


def test_parameters_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        ASNParameters().m_f = 1.0


@pytest.mark.parametrize("drive", [1.0, [np.nan, 1.0]])
def test_a_drive_without_time_or_with_nan_is_refused(drive):
    with pytest.raises(ParameterError, match="finite, with time"):
        simulate_neuron(drive, ASNParameters())
