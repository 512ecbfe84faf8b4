"""The switch of precision in mid-run (arousal), and precisions of single neurons, in the reference engine."""

from __future__ import annotations

import numpy as np
import pytest
from random_networks import conv_net

from snntb_adsnn.engine import Switch, simulate
from snntb_adsnn.errors import NetworkError, ParameterError
from snntb_adsnn.network import Input, Neurons, Readout, SpikingNetwork
from snntb_adsnn.neuron import ASNParameters
from snntb_adsnn.neuron.transfer import spike_height, transfer


def images(count: int = 4) -> np.ndarray:
    return np.random.default_rng(3).random((count, 16, 16, 1)).astype(np.float32)


def pair(parameters: ASNParameters, **fields: object) -> SpikingNetwork:
    """Two input neurons, each its own output."""
    neurons = Neurons("n", ("x",), ((2,),), np.zeros(2, np.float32), parameters, **fields)
    return SpikingNetwork((Input("x", (), (), (2,)), neurons, Readout("out", ("n",), ((2,),), np.zeros(2, np.float32))))


def test_switched_neurons_follow_the_equations_with_the_new_constants():
    """An independent simulation of one neuron, in plain Python."""
    low, high, stop = ASNParameters(m_f=0.4), ASNParameters(m_f=0.1), 60
    x = np.array([[1.0, 0.3]], np.float32)
    switch = Switch(0.1, waiting_time=40, accumulation_time=20, threshold=np.inf)
    found = simulate(pair(low), x, duration=150, engine="reference", switch=switch, record=("theta", "spikes", "S_hat"))
    for neuron in range(2):
        V = S_hat = theta_a = current = smoothed = 0.0
        for t in range(150):
            p = low if t < stop else high
            theta = p.m_f + theta_a
            V = p.k_phi * V + (1 - p.k_phi) * float(x[0, neuron])
            S_hat *= p.k_eta
            spike = 2 * (V - S_hat) > theta
            S_hat += spike * theta
            theta_a = p.k_gamma * (theta_a + spike * p.m_f * theta)
            current = p.k_beta * current + spike * spike_height(p)
            smoothed += (1 - np.exp(-1 / 50)) * (current - smoothed)
            assert found.records["spikes"]["n"][0, t, neuron] == spike
            assert found.records["theta"]["n"][0, t, neuron] == pytest.approx(p.m_f + theta_a, rel=1e-4)
            assert found.records["S_hat"]["n"][0, t, neuron] == pytest.approx(S_hat, rel=1e-4)
            assert found.outputs[0, t, neuron] == pytest.approx(smoothed, rel=1e-3, abs=1e-5)
    assert found.spike_counts["n"][0, 0] > 10


def test_an_image_switches_where_its_margin_does_not_exceed_the_threshold():
    network, x = conv_net(8), images(6)
    plain = simulate(network, x, duration=120, m_f=0.5, engine="reference")
    highest = np.sort(plain.outputs[:, 50:80], axis=-1)
    expected = (highest[..., -1] - highest[..., -2]).mean(axis=1)
    for threshold in (float(np.sort(expected)[2:4].mean()), np.inf, -np.inf):
        switch = Switch(0.1, waiting_time=50, accumulation_time=30, threshold=threshold)
        found = simulate(network, x, duration=120, m_f=0.5, engine="reference", switch=switch)
        assert found.margins.dtype == np.float32
        np.testing.assert_allclose(found.margins, expected, rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(found.switched, expected <= threshold)
        np.testing.assert_array_equal(found.outputs[:, :80], plain.outputs[:, :80])
        stays = ~found.switched
        np.testing.assert_array_equal(found.outputs[stays], plain.outputs[stays])
        more = [found.spike_counts[n].sum() > plain.spike_counts[n].sum() for n in plain.spike_counts]
        assert all(more) or not found.switched.any()
    assert plain.margins is None
    assert plain.switched is None


def test_an_image_equal_to_the_threshold_switches():
    x = np.zeros((1, 2), np.float32)  # both outputs 0: the margin is 0
    found = simulate(pair(ASNParameters()), x, duration=10, engine="reference", switch=Switch(0.05, 0, 10, 0.0))
    assert found.margins.tolist() == [0.0]
    assert found.switched.tolist() == [True]


def test_a_switch_to_the_same_precision_changes_nothing_and_one_layer_can_switch_alone():
    network, x = conv_net(8), images()
    plain = simulate(network, x, duration=60, engine="reference")
    same = simulate(network, x, duration=60, engine="reference", switch=Switch(0.2, 20, 10, np.inf))
    np.testing.assert_array_equal(same.outputs, plain.outputs)
    one = simulate(network, x, duration=60, engine="reference", switch=Switch({"n2": 0.05}, 20, 10, np.inf))
    np.testing.assert_array_equal(one.spike_counts["n1"], plain.spike_counts["n1"])
    assert one.spike_counts["n2"].sum() > plain.spike_counts["n2"].sum()


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"waiting_time": -1}, "waiting_time = -1"),
        ({"waiting_time": 50, "accumulation_time": 51}, "window from 50 ms, 51 ms long"),
        ({"accumulation_time": 0}, "at least one step"),
        ({"accumulation_time": float("nan")}, "accumulation_time = nan"),
        ({"threshold": float("nan")}, "threshold = nan"),
        ({"threshold": None}, "threshold = None"),
        ({"to": 0}, "m_f = 0"),
        ({"to": {"n9": 0.1}}, "unknown layers.*n9"),
        ({"to": {"n1": np.array([[[0.1, -1.0]]])}}, "n1.*finite numbers above 0"),
    ],
)
def test_a_switch_that_cannot_be_is_refused(fields, says):
    arguments = {"to": 0.1, "waiting_time": 20, "accumulation_time": 10, "threshold": 0.1} | fields
    with pytest.raises(ParameterError, match=says):
        simulate(conv_net(8), images(1), duration=100, engine="reference", switch=Switch(**arguments))


def test_one_output_cannot_be_undecided():
    neurons = Neurons("n", ("x",), ((1,),), np.zeros(1, np.float32), ASNParameters())
    readout = Readout("out", ("n",), ((1,),), np.zeros(1, np.float32))
    network = SpikingNetwork((Input("x", (), (), (1,)), neurons, readout))
    with pytest.raises(ParameterError, match="one softmax output, which is always 1"):
        simulate(network, np.ones((1, 1)), duration=20, engine="reference", switch=Switch(0.1, 0, 10, 0.0))


def test_a_network_remembers_a_few_precisions():
    network = conv_net(8)
    first = network.with_m_f(0.1)
    assert network.with_m_f(0.1) is first
    assert network.with_m_f({"n1": 0.1}) is not first
    network.with_m_f(0.3)
    assert network.with_m_f(0.1) is not first
    assert network.with_m_f(0.1).populations[0].parameters == first.populations[0].parameters


# ---- precisions of single neurons -----------------------------------------------------------------------------------


def test_each_neuron_can_have_its_own_precision():
    """Neurons of a masked layer behave as in a network where all have their precision."""
    network, x = conv_net(8), images(2)
    mask = np.where(np.arange(16)[:, None, None] < 8, 0.05, 0.4)
    found = simulate(network, x, duration=80, m_f={"input": mask}, engine="reference")
    for m_f, rows in ((0.05, slice(0, 8)), (0.4, slice(8, 16))):
        whole = simulate(network, x, duration=80, m_f={"input": m_f}, engine="reference")
        np.testing.assert_array_equal(found.spike_counts["input"][:, rows], whole.spike_counts["input"][:, rows])
    # what the next layer hears is scaled by each neuron's own height: the outputs stay close
    plain = simulate(network, x, duration=400, engine="reference")
    masked = simulate(network, x, duration=400, m_f={"input": mask}, engine="reference")
    assert np.abs(masked.outputs[:, -1] - plain.outputs[:, -1]).max() < 0.2 * np.abs(plain.outputs[:, -1]).max()


def test_a_switch_may_lead_to_a_mask():
    network, x = conv_net(8), images(1)
    mask = np.where(np.arange(16)[:, None, None] < 8, 0.05, 0.2)
    found = simulate(network, x, duration=60, engine="reference", switch=Switch({"input": mask}, 20, 10, np.inf))
    plain = simulate(network, x, duration=60, engine="reference")
    more = found.spike_counts["input"] - plain.spike_counts["input"]
    assert more[:, :8].sum() > 100
    assert not more[:, 8:].any()


def test_a_masked_layer_is_saved_and_evaluated_neuron_by_neuron(tmp_path):
    mask = np.array([0.05, 0.6])
    network = pair(ASNParameters(m_f=0.2, theta0=0.3)).with_m_f({"n": mask})
    network = SpikingNetwork.load(network.save(tmp_path / "n.npz"))
    x = np.array([[0.7, 0.9], [0.1, 2.0]])
    expected = [transfer(x[:, i], ASNParameters(m_f=m, theta0=1.5 * m)) for i, m in enumerate(mask)]
    np.testing.assert_allclose(network.analog(x, logits=True), np.stack(expected, 1))
    assert network.with_m_f(0.1).populations[0].m_f is None
    with pytest.raises(NetworkError, match="n: every neuron has its own m_f"):
        _ = network.populations[0].spike_height
    with pytest.raises(NetworkError, match=r"n: m_f of shape \(3,\) cannot be spread"):
        network.with_m_f({"n": np.ones(3)})
