"""Bias correction: what it promises about mean potentials, on networks and inputs of its own."""

import dataclasses

import numpy as np
import pytest
from correction_cases import images, network

from snntb_adsnn.engine import simulate
from snntb_adsnn.errors import ParameterError
from snntb_adsnn.measure.correction import analog_means, correct_biases, spiking_means
from snntb_adsnn.network.maps import Window

PAIR = Window((2, 2), (2, 2))


def errors(simulated, trained, x):
    """Mean absolute difference of the channels' mean potentials, by layer."""
    spiking, analog = spiking_means(simulated, x), analog_means(trained, x)
    return {name: float(np.abs(spiking[name] - analog[name]).mean()) for name in analog}


def test_means_are_those_of_the_potentials():
    net, x = network(), images(0, 3)
    result = simulate(net, x, duration=50, engine="reference", record="S")
    means = spiking_means(net, x, duration=50, settle=20, engine="reference")
    np.testing.assert_allclose(means["second"], result.records["S"]["second"][:, 20:].mean((0, 1, 2, 3)), rtol=1e-5)
    np.testing.assert_allclose(means["out"], result.outputs[:, 20:].mean((0, 1)), rtol=1e-5)
    np.testing.assert_allclose(analog_means(net, x)["out"], net.analog(x, logits=True).mean(0))
    np.testing.assert_allclose(analog_means(net, x)["first"], x.mean((0, 1, 2)) + net.by_name["first"].bias, rtol=1e-6)


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
            if field.init and field.name != "bias":
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
    whole = spiking_means(net, x)
    monkeypatch.setattr("snntb_adsnn.measure.correction._RECORDED", 3 * net.neuron_count * 300)
    for name, mean in spiking_means(net, x).items():
        np.testing.assert_allclose(mean, whole[name], rtol=1e-6)


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
