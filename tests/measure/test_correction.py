"""Bias correction: what it promises about mean potentials, on networks and inputs of its own."""

import dataclasses

import numpy as np
import pytest
from correction_cases import images, network

from snntb_adsnn.engine import simulate
from snntb_adsnn.errors import ParameterError
from snntb_adsnn.measure.correction import SLOPES, correct_biases
from snntb_adsnn.measure.potentials import analog_potentials, spiking_potentials
from snntb_adsnn.network import Input, Neurons, Readout, SpikingNetwork
from snntb_adsnn.network.maps import Dense
from snntb_adsnn.neuron import ASNParameters
from snntb_adsnn.neuron.transfer import GRADED, graded_transfer


def spiking(net, x, name, **how):
    return np.concatenate(list(spiking_potentials(net, x, name, **how)))


def by_channel(potentials):
    return potentials.reshape(-1, potentials.shape[-1])


def errors(simulated, trained, x):
    """Mean absolute difference of the channels' mean potentials, by layer."""
    return {
        name: float(np.abs(by_channel(spiking(simulated, x, name)).mean(0) - by_channel(wanted).mean(0)).mean())
        for name, wanted in analog_potentials(trained, x)
    }


def test_potentials_are_those_of_a_simulation():
    net, x = network(), images(0, 3)
    result = simulate(net, x, duration=50, engine="reference", record="S")
    how = {"duration": 50, "settle": 20, "engine": "reference"}
    second = spiking(net, x, "second", **how)
    assert second.shape == (3, 2, 2, 6)
    np.testing.assert_allclose(second, result.records["S"]["second"][:, 20:].mean(1, dtype=np.float64), rtol=1e-6)
    np.testing.assert_allclose(spiking(net, x, "out", **how), result.outputs[:, 20:].mean(1), rtol=1e-5)
    analog = dict(analog_potentials(net, x))
    np.testing.assert_allclose(analog["out"], net.analog(x, logits=True))
    np.testing.assert_allclose(analog["first"], x + net.by_name["first"].bias, rtol=1e-6)


def test_the_mean_error_falls_on_fresh_images():
    net, fresh = network(), images(2, 200)
    corrected = correct_biases(net, images(1, 200))
    before, after = errors(net, net, fresh), errors(corrected, net, fresh)
    for layer in ("second", "third", "out"):
        assert before[layer] > 0.02
        assert after[layer] < 0.25 * before[layer], layer


def test_the_goal_is_the_network_at_the_precision_it_was_trained_at():
    trained, fresh = network(m_f=0.2), images(2, 200)
    simulated = trained.with_m_f(0.8)
    corrected = correct_biases(simulated, images(1, 200), trained=trained)
    before, after = errors(simulated, trained, fresh), errors(corrected, trained, fresh)
    assert all(after[layer] < 0.25 * before[layer] for layer in ("second", "third", "out"))
    assert {p.parameters.m_f for p in corrected.populations} == {0.8}


def test_only_biases_change_and_only_where_there_is_something_to_correct():
    net = network()
    corrected = correct_biases(net, images(1))
    for old, new in zip(net.nodes, corrected.nodes, strict=True):
        for field in dataclasses.fields(old):
            if field.init and field.name not in ("bias", "corrected"):
                assert np.array_equal(getattr(old, field.name), getattr(new, field.name)), (old.name, field.name)
    # the first layer's potential is its input itself: V reaches it within rounding
    np.testing.assert_allclose(corrected.by_name["first"].bias, net.by_name["first"].bias, atol=1e-5)
    # a population with a bias for each neuron: one shift a channel
    shift = corrected.by_name["second"].bias - net.by_name["second"].bias
    assert shift.shape == (2, 2, 6)
    np.testing.assert_allclose(shift, np.broadcast_to(shift[:1, :1], shift.shape), atol=1e-6)
    assert np.abs(shift).max() > 0.02


def test_batches_do_not_matter(monkeypatch):
    net, x = network(), images(1, 7)
    times = {"duration": 300, "settle": 100}
    whole = {name: spiking(net, x, name, **times) for name in ("first", "third", "out")}
    monkeypatch.setattr("snntb_adsnn.measure.potentials._RECORDED", 3 * net.neuron_count * 300)
    for name, potentials in whole.items():
        np.testing.assert_array_equal(spiking(net, x, name, **times), potentials)


# ---- slopes ----------------------------------------------------------------------------------------------------------


def test_slopes_are_the_least_squares_fit():
    """Against NumPy's own fit, layer by layer, on the simulated potentials."""
    net, x = network(), images(1, 100)
    corrected = correct_biases(net, x, slopes=True)
    reached = {}
    for name, wanted in analog_potentials(net, x):
        before, goal = by_channel(spiking(corrected, x, name)), by_channel(wanted)
        # a least squares fit leaves an error without mean, that the fitted values do not explain
        error = goal - before
        np.testing.assert_allclose(error.mean(0), 0, atol=2e-3)
        slopes = [np.polyfit(s, g, 1)[0] for s, g in zip(before.T, goal.T, strict=True)]
        reached[name] = np.abs(np.array(slopes) - 1).max()
    assert max(reached.values()) < 0.02
    plain = correct_biases(net, x)
    rest = {
        label: by_channel(spiking(n, x, "out") - dict(analog_potentials(net, x))["out"]).std()
        for label, n in (("biases", plain), ("slopes", corrected))
    }
    assert rest["slopes"] < rest["biases"]


def graded_chain(scale=None):
    """Two layers of graded neurons in a row, and a read-out."""
    parameters, weights = ASNParameters(m_f=1.5), np.array([[2.0, 0], [0, 0.5]], np.float32)
    zero = np.zeros(2, np.float32)
    return SpikingNetwork(
        (
            Input("x", (), (), (2,)),
            Neurons("first", ("x",), ((2,),), zero, parameters, GRADED, scale=scale),
            Dense("dense", ("first",), ((2,),), weights),
            Neurons("second", ("dense",), ((2,),), zero, parameters, GRADED, scale=scale),
            Readout("out", ("second",), ((2,),), zero),
        )
    )


def test_slopes_give_back_what_graded_spikes_lose():
    net = graded_chain()
    x = np.array([[0.85, 0.9]]) * np.linspace(0.95, 1.05, 21)[:, None]  # so small that spikes are rare: 6 to 9 Hz
    lost = (graded_transfer(x, net.populations[0].parameters) / x).mean(0)
    assert lost.max() < 0.75
    long = {"duration": 4000, "settle": 1000}
    found = spiking(net, x, "second", **long).mean(0) / (x @ net.by_name["dense"].weights).mean(0)
    np.testing.assert_allclose(found, lost, rtol=0.05)
    corrected = correct_biases(net, x, slopes=True, **long)
    for name, wanted in analog_potentials(net, x):
        np.testing.assert_allclose(spiking(corrected, x, name, **long).mean(0), wanted.mean(0), rtol=0.01)
    weights = corrected.by_name["dense"].weights.diagonal() / net.by_name["dense"].weights.diagonal()
    assert np.all((weights >= SLOPES[0]) & (weights <= SLOPES[1]) & (weights != 1))


def test_a_channel_that_never_changes_keeps_its_slope():
    net, x = graded_chain(), np.ones((5, 2))
    corrected = correct_biases(net, x, slopes=True)
    np.testing.assert_array_equal(corrected.by_name["dense"].weights, net.by_name["dense"].weights)
    assert np.all(corrected.by_name["second"].bias > 0)


@pytest.mark.parametrize(
    ("x", "times", "words"),
    [
        (images(1), {"settle": 300}, "300 to 300 ms"),
        (images(1), {"settle": -1}, "-1 to 300 ms"),
        (np.zeros((0, 6, 6, 2)), {}, "at least one image"),
        (np.zeros((3, 5, 5, 2)), {}, "takes at least one image of shape"),
    ],
)
def test_mistakes_are_named(x, times, words):
    with pytest.raises(ParameterError, match=words):
        correct_biases(network(), x, **times)
