"""Bias correction: what it promises about mean potentials, on networks and inputs of its own."""

import dataclasses

import numpy as np
import pytest
from correction_cases import images, network

from snntb_adsnn.engine import simulate
from snntb_adsnn.errors import ParameterError
from snntb_adsnn.measure.correction import SLOPES, Correction, correct_biases, distance
from snntb_adsnn.measure.potentials import analog_potentials, spiking_potentials
from snntb_adsnn.network import Input, Neurons, Readout, SpikingNetwork
from snntb_adsnn.network.maps import Conv2D, Dense, Reshape, Window
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


# ---- other precisions ------------------------------------------------------------------------------------------------


def encoded(net, x, name):
    """What a layer's spikes encode, by channel: the mean current that they make behind a weight of 1."""
    layer = net.by_name[name]
    spikes = simulate(net, x, duration=1200, record="spikes").records["spikes"][name][:, 400:]
    rate = by_channel(spikes.mean(axis=1)).mean(axis=0)
    return layer.spike_height * rate / (1 - layer.parameters.k_beta)


def activations(net, x):
    """By layer and channel, the mean of what the ANN computes."""
    potentials = dict(analog_potentials(net, x))
    values = {net.input.name: net.held(x, np.float64)}
    for node, total in net.propagate(values):
        if isinstance(node, Neurons):
            values[node.name] = node.analog(total)
            assert np.array_equal(node.potential(total), potentials[node.name])
    return {p.name: by_channel(values[p.name]).mean(axis=0) for p in net.populations}


def test_a_finer_precision_encodes_what_was_trained(monkeypatch):
    trained, fresh = network(m_f=0.25), images(2, 60)
    finer, wanted = trained.with_m_f(0.1), activations(trained, fresh)

    def error(net, name):
        return np.abs(encoded(net, fresh, name) - wanted[name]).mean()

    corrected = correct_biases(finer, images(1, 100), trained=trained)
    monkeypatch.setattr("snntb_adsnn.measure.correction._wanted", lambda node, known, S: S)
    same_potentials = correct_biases(finer, images(1, 100), trained=trained)
    for name in ("second", "third"):
        assert error(corrected, name) < 0.4 * error(finer, name), name
        assert error(corrected, name) < 0.5 * error(same_potentials, name), name


def pixels(m_f=0.8):
    """Two pixels that see the same, through two layers; each has a third layer's neurons of its own."""
    random = np.random.default_rng(5)
    parameters = ASNParameters(m_f=m_f)
    weights = random.normal(0.2, 0.7, (1, 1, 3, 4)).astype(np.float32)
    bias = random.normal(0.2, 0.1, 4).astype(np.float32)
    return SpikingNetwork(
        (
            Input("x", (), (), (1, 2, 3)),
            Neurons("first", ("x",), ((1, 2, 3),), bias[:3], parameters),
            Conv2D("conv", ("first",), ((1, 2, 3),), weights, Window((1, 1))),
            Neurons("second", ("conv",), ((1, 2, 4),), bias, parameters),
            Reshape("flat", ("second",), ((1, 2, 4),), (8,)),
            Readout("out", ("flat",), ((8,),), np.zeros(8, np.float32)),
        )
    )


@pytest.mark.parametrize("slopes", [False, True])
def test_several_precisions_in_a_channel_are_each_corrected_alone(slopes):
    """Against networks all of whose neurons have one of them."""
    trained, levels = pixels(), (0.2, 0.9)
    x = np.repeat(np.random.default_rng(6).uniform(0, 1.5, (50, 1, 1, 3)), 2, axis=2)
    how = {"trained": trained, "duration": 400, "settle": 200}
    own = np.array(levels)[None, :, None]
    mixed = correct_biases(trained.with_m_f({"first": own, "second": own}), x, slopes=slopes, **how)
    biases = []
    for pixel, m_f in enumerate(levels):
        alone = correct_biases(trained.with_m_f(m_f), x, **how)
        for name in ("first", "second"):
            np.testing.assert_allclose(mixed.by_name[name].bias[0, pixel], alone.by_name[name].bias, atol=1e-5)
        biases.append(alone.by_name["second"].bias)
    assert np.abs(biases[0] - biases[1]).max() > 0.02


# ---- held-out inputs decide ------------------------------------------------------------------------------------------


def test_a_correction_that_makes_it_worse_is_left_out(capsys):
    """Its training inputs are nothing like those that it is judged on."""
    trained, held_out = network(m_f=0.25), images(6, 30)
    net = trained.with_m_f(0.1)
    misled = Correction(-images(5, 40), slopes=False, held_out=held_out)
    assert misled.of(net, trained) is net
    printed = capsys.readouterr().out
    worse = dataclasses.replace(misled, held_out=None).of(net, trained)
    before, after = (deviation(n, trained, held_out) for n in (net, worse))
    assert after > before
    assert printed == (
        "The correction is left out: on 30 held-out training inputs the outputs are no nearer to the ANN's with it "
        f"({after:.4g} against {before:.4g}).\n"
    )
    helping = Correction(images(5, 40), slopes=False, held_out=held_out)
    corrected = helping.of(net, trained)
    assert all(p.corrected for p in corrected.populations)
    assert distance(corrected, trained, held_out) == pytest.approx(deviation(corrected, trained, held_out), rel=1e-5)
    assert deviation(corrected, trained, held_out) < before
    assert capsys.readouterr().out == ""


def deviation(net, trained, x):
    """Root mean square of the outputs' differences, averaged over the last 150 of 500 ms: by hand."""
    potentials = simulate(net, x, duration=500).outputs[:, 350:].astype(np.float64)
    e = np.exp(potentials - potentials.max(axis=-1, keepdims=True))
    classes = (e / e.sum(axis=-1, keepdims=True)).mean(axis=1)
    return np.sqrt(np.mean((classes - trained.analog(x)) ** 2))


def test_what_was_corrected_is_not_corrected_again():
    net, x = network(), images(1, 5)
    times = {"duration": 60, "settle": 30}
    corrected = correct_biases(net, x, **times)
    with pytest.raises(ParameterError, match="corrected before; correct the one that was converted"):
        correct_biases(corrected, x, **times)
    same = Correction(x, always=False)
    assert same.of(net, net) is net  # its spikes encode what it was trained for
    assert same.of(net.with_m_f(0.4), net, **times) is not net
