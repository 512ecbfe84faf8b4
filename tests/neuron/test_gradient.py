"""The gradient of training: a bounded slope, that of the form itself wherever it is small enough."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snntb_adsnn import ASNParameters, transfer
from snntb_adsnn.errors import ParameterError
from snntb_adsnn.neuron.gradient import LARGEST_SLOPE, TAIL, training_gradient
from snntb_adsnn.neuron.transfer import FORMS, transfer_gradient

STEP = 1e-6


def difference(f, S):
    return (f(S + STEP) - f(S - STEP)) / (2 * STEP)


@given(m_f=st.floats(0.02, 1.5), S=st.floats(-5, 20))
def test_never_above_its_bound_nor_below_zero(m_f, S):
    p = ASNParameters(m_f=m_f)
    for near in (S, p.theta0 / 2, np.nextafter(p.theta0 / 2, 1)):
        assert 0 <= training_gradient(near, p) <= LARGEST_SLOPE


@pytest.mark.parametrize("m_f", [0.05, 0.2, 0.8])
def test_above_the_threshold_it_is_the_slope_of_the_form_up_to_the_bound(m_f):
    p = ASNParameters(m_f=m_f)
    S = np.linspace(p.theta0 / 2 + 1e-3, 3, 400)
    slopes = difference(lambda x: transfer(x, p), S)
    assert slopes[0] > 2 * LARGEST_SLOPE > 2 * slopes[-1]
    np.testing.assert_allclose(training_gradient(S, p), np.minimum(slopes, LARGEST_SLOPE), rtol=1e-4)


def test_below_the_threshold_it_falls_with_the_distance():
    p = ASNParameters(m_f=0.4)
    e = np.linspace(-1, -1e-3, 50)
    slopes = difference(lambda x: LARGEST_SLOPE * TAIL * np.exp(x / TAIL), e)
    np.testing.assert_allclose(training_gradient(0.2 + e, p), slopes, rtol=1e-5)


def test_the_other_form_keeps_its_own_which_is_bounded():
    S, p = np.linspace(-1, 5, 1001), ASNParameters(m_f=0.1)
    slopes = training_gradient(S, p, "taylor")
    np.testing.assert_array_equal(slopes, transfer_gradient(S, p, "taylor"))
    assert slopes.max() < 1.5


@pytest.mark.parametrize("form", FORMS)
def test_the_exact_gradient_is_there_to_choose(form):
    S, p = np.linspace(-1, 5, 101), ASNParameters(m_f=0.3)
    np.testing.assert_array_equal(training_gradient(S, p, form, "exact"), transfer_gradient(S, p, form))


def test_another_gradient_is_refused():
    with pytest.raises(ParameterError, match="no gradient 'steep': choose one of bounded, exact"):
        training_gradient(0.5, ASNParameters(), gradient="steep")
