"""The transfer functions: published check values, closed forms, inverse, gradient, invariants."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snntb_adsnn import ASNParameters, spike_height, transfer
from snntb_adsnn.errors import ParameterError
from snntb_adsnn.neuron import simulate_neuron
from snntb_adsnn.neuron.transfer import (
    FORMS,
    TABLE_START,
    TABLE_STEP,
    check_constants,
    equilibrium_input,
    equilibrium_interval,
    graded_transfer,
    interval_table,
    same_output,
    transfer_gradient,
)

precisions = st.floats(0.02, 1.5)


@pytest.mark.parametrize(("m_f", "h"), [(0.05, 0.06355616), (0.1, 0.12442705), (0.2, 0.23929039), (0.45, 0.49764968)])
def test_taylor_spike_heights_are_the_published_ones(m_f, h):
    assert spike_height(ASNParameters(m_f=m_f), form="taylor") == pytest.approx(h, abs=5e-8)


def test_taylor_is_equation_11_as_written():
    p, S = ASNParameters(m_f=0.1), 0.7
    m, g, e, theta0 = 0.1, 15.0, 50.0, 0.1
    h = spike_height(p, form="taylor")
    c1, c2, c3, c4 = 2 * m * g**2, 2 * theta0 * e * g, g * (m * g + 2 * (m + 1) * e), theta0 * e * (e + g)
    c0 = h / (np.exp((c1 * theta0 / 2 + c2) / (c3 * theta0 / 2 + c4)) - 1)
    assert transfer(S, p, "taylor") == pytest.approx(h / (np.exp((c1 * S + c2) / (c3 * S + c4)) - 1) - c0 + h / 2)


@given(m_f=precisions, interval=st.floats(2.0, 300.0), tau_gamma=st.floats(5, 40), tau_eta=st.floats(20, 120))
def test_exact_inverts_the_equilibrium(m_f, interval, tau_gamma, tau_eta):
    p = ASNParameters(m_f=m_f, tau_gamma=tau_gamma, tau_eta=tau_eta)
    # science.md's formulas, written out again
    growth = np.exp(interval / tau_gamma) - 1
    if growth <= 1.01 * m_f:
        return  # adaptation would diverge: no such interval
    theta = p.theta0 * growth / (growth - m_f)
    S = theta / 2 + theta / (np.exp(interval / tau_eta) - 1)
    if (S - p.theta0 / 2) / p.theta0 < 1e-6:
        return  # S - theta0/2 has lost too many digits to be inverted
    assert equilibrium_interval(S, p) == pytest.approx(interval, rel=1e-7)
    h = spike_height(p)
    assert transfer(S, p) == pytest.approx(h / ((1 - np.exp(-1 / 50)) * interval), rel=1e-7)


@given(m_f=precisions, form=st.sampled_from(FORMS), theta0=st.none() | st.floats(0.02, 1.5))
def test_one_at_one_monotone_and_never_negative(m_f, form, theta0):
    p = ASNParameters(m_f=m_f, theta0=theta0)
    f = transfer(np.linspace(-2, 5, 1501), p, form)
    assert transfer(1.0, p, form) == pytest.approx(1, abs=1e-9)
    assert np.all(np.diff(f) >= -1e-12)
    assert np.all(f >= 0)


@given(m_f=precisions, below=st.floats(0, 3))
def test_exact_is_silent_up_to_half_the_resting_threshold(m_f, below):
    p = ASNParameters(m_f=m_f)
    assert transfer(p.theta0 / 2 - below, p) == 0
    assert transfer(p.theta0 / 2 + 1e-3, p) > 0


def test_exact_saturates_where_spikes_come_every_step():
    p = ASNParameters(m_f=0.02)
    assert transfer(50.0, p) == transfer(5.0, p) == pytest.approx(spike_height(p) / (1 - p.k_beta))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("m_f", [0.05, 0.2, 0.8])
def test_gradient_equals_finite_differences(form, m_f):
    p = ASNParameters(m_f=m_f)
    S = np.concatenate([np.linspace(-1, p.theta0 / 2 - 0.01, 20), np.linspace(p.theta0 / 2 + 0.02, 3, 200)])
    S = S[np.abs(S) > 1e-3]  # the taylor form has a kink at 0
    step = 1e-6
    numeric = (transfer(S + step, p, form) - transfer(S - step, p, form)) / (2 * step)
    np.testing.assert_allclose(transfer_gradient(S, p, form), numeric, rtol=1e-5, atol=1e-7)


@given(m_f=precisions, z=st.floats(-17.9, 21.9))
def test_interval_table_equals_newton(m_f, z):
    p = ASNParameters(m_f=m_f)
    table = interval_table(p)
    position = (z - TABLE_START) / TABLE_STEP
    u = position - int(position)
    T = np.polyval(table[int(position)][::-1], u)
    S = p.theta0 / 2 + np.exp(z)
    exact_z = np.log(S - p.theta0 / 2)  # S has lost digits of z
    newton = equilibrium_interval(S, p)
    slope = np.polyval([3 * table[int(position), 3], 2 * table[int(position), 2], table[int(position), 1]], u)
    assert max(T + slope * (exact_z - z) / TABLE_STEP, p.dt) == pytest.approx(newton, rel=1e-7)


def test_unknown_form_is_named():
    with pytest.raises(ParameterError, match="'tanh'.*exact, taylor"):
        transfer(0.5, ASNParameters(), "tanh")


def test_a_threshold_that_silences_one_is_refused():
    with pytest.raises(ParameterError, match=r"theta0 = 2.*below 2"):
        spike_height(ASNParameters(m_f=0.1, theta0=2.0))


@given(m_f=st.floats(0.001, 0.1), dt=st.sampled_from([0.1, 0.5, 1.0, 2.0]), ratio=st.sampled_from([0.5, 1.0, 3.0]))
def test_precision_is_refused_where_one_needs_more_than_a_spike_a_step(m_f, dt, ratio):
    """Against the inverse: the interval at S = 1 without the limit of one step."""
    p = ASNParameters(m_f=m_f, theta0=ratio * m_f, dt=dt)
    if equilibrium_interval(1.0, replace(p, dt=1e-6)) < dt:
        with pytest.raises(ParameterError, match="more than once in a step"):
            check_constants(p)
    else:
        check_constants(p)


@pytest.mark.parametrize(("m_f", "T"), [(0.05, 5), (0.05, 30), (0.2, 8), (0.2, 70), (0.6, 13), (0.6, 30)])
def test_graded_spikes_encode_their_closed_form(m_f, T):
    """Simulated neurons, driven so that they spike every T ms; the decoded mean is sum h theta / ((1 - k_beta) steps)."""
    p = ASNParameters(m_f=m_f)
    S = float(equilibrium_input(T, p)) * (1 + 1e-6)
    trace = simulate_neuron(np.full(4000, S), p)
    spikes = np.flatnonzero(trace.spikes[2000:]) + 2000
    assert set(np.diff(spikes)) == {T}
    heights = spike_height(p, "relu") * trace.theta[spikes - 1]
    decoded = heights.mean() / ((1 - p.k_beta) * T)
    x = T / (2 * p.tau_eta)
    assert decoded == pytest.approx(S * np.tanh(x) / x, rel=1e-4)
    assert graded_transfer(S, p) == pytest.approx(decoded, rel=1e-4)


def test_graded_spikes_encode_relu_at_high_rates_and_nothing_below_half_the_threshold():
    p = ASNParameters(m_f=0.1)
    np.testing.assert_array_equal(transfer([-1.0, 0.0, 0.3, 7.0], p, "relu"), [0, 0, 0.3, 7])
    np.testing.assert_array_equal(transfer_gradient([-1.0, 0.3, 7.0], p, "relu"), [0, 1, 1])
    np.testing.assert_array_equal(graded_transfer([-1.0, 0.0, 0.05], p), [0, 0, 0])
    S = np.array([1.0, 3.0, 10.0])
    error = 1 - graded_transfer(S, p) / S
    assert (np.diff(error) < 0).all()
    assert error[-1] < 2e-3


@given(coarse=st.floats(0.15, 0.6), share=st.floats(0.2, 0.9))
def test_another_precision_encodes_the_same_at_another_potential(coarse, share):
    p, finer = ASNParameters(m_f=coarse), ASNParameters(m_f=share * coarse)
    S = np.linspace(-1, 1.5, 26)
    found, f = same_output(S, p, finer), transfer(S, p)
    np.testing.assert_allclose(transfer(found, finer)[f > 0], f[f > 0], rtol=1e-6)
    silent = f == 0
    np.testing.assert_allclose((found - finer.theta0 / 2)[silent], (S - p.theta0 / 2)[silent], atol=1e-12)
