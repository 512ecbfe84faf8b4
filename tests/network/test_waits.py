"""Waits, corrective spikes and corrected biases as properties of a network."""

from dataclasses import replace

import numpy as np
import pytest

from snntb_adsnn import SpikingNetwork, simulate
from snntb_adsnn.errors import NetworkError, ParameterError
from snntb_adsnn.network import Input, Neurons, Readout
from snntb_adsnn.network.depth import depths, staggered
from snntb_adsnn.network.maps import Add, Concatenate, Dense
from snntb_adsnn.neuron import ASNParameters, simulate_neuron

P = ASNParameters(m_f=0.1)
ZERO = np.zeros(2, np.float32)
TURN = np.array([[0.9, 0.2], [0.3, 0.8]], np.float32)


def neurons(name, source, width=2):
    return Neurons(name, (source,), ((width,),), np.zeros(width, np.float32), P)


def dense(name, source, weights=TURN):
    return Dense(name, (source,), (weights.shape[:1],), weights)


def chain():
    return SpikingNetwork(
        (
            Input("x", (), (), (2,)),
            neurons("a", "x"),
            dense("ab", "a"),
            neurons("b", "ab"),
            dense("bc", "b"),
            neurons("c", "bc"),
            dense("last", "c"),
            Readout("out", ("last",), ((2,),), ZERO),
        )
    )


def branches():
    """A residual sum of a long branch and a short one, and a concatenation with a branch that no population is in."""
    pair = ((2,), (2,))
    return SpikingNetwork(
        (
            Input("x", (), (), (2,)),
            neurons("first", "x"),
            dense("d1", "first"),
            neurons("long1", "d1"),
            dense("d2", "long1"),
            neurons("long2", "d2"),
            dense("d3", "long2"),
            Add("sum", ("first", "d3"), pair),
            neurons("after_sum", "sum"),
            dense("direct", "x"),
            Concatenate("both", ("direct", "first"), pair),
            neurons("side", "both", 4),
            dense("d4", "side", np.ones((4, 2), np.float32)),
            Add("end", ("after_sum", "d4"), pair),
            Readout("out", ("end",), ((2,),), ZERO),
        )
    )


def test_depth_is_the_longest_way_from_the_input():
    assert depths(chain()) == {"a": 0, "b": 1, "c": 2}
    assert depths(branches()) == {"first": 0, "long1": 1, "long2": 2, "after_sum": 3, "side": 1}


def test_staggered_waits_for_each_population_before():
    network = staggered(branches(), 2.5)
    assert {p.name: p.onset for p in network.populations} == {
        "first": 0,
        "long1": 2.5,
        "long2": 5,
        "after_sum": 7.5,
        "side": 2.5,
    }
    assert {p.onset for p in staggered(network, 0).populations} == {0}


def test_onset_of_all_or_by_layer():
    assert [p.onset for p in chain().with_onset(4).populations] == [4, 4, 4]
    assert [p.onset for p in chain().with_onset(4).with_onset({"b": 7}).populations] == [4, 7, 4]
    with pytest.raises(ParameterError, match=r"onset names unknown layers \['z'\]; known: \['a', 'b', 'c'\]"):
        chain().with_onset({"z": 1})
    for time in (-1.0, float("inf"), float("nan")):
        with pytest.raises(NetworkError, match=rf"a: onset = {time} must be a time in ms, 0 or more"):
            chain().with_onset(time)


@pytest.mark.parametrize("dt", [1.0, 0.5])
def test_a_layer_keeps_still_until_its_onset(dt):
    """Its potential rises as without a wait; then it spikes as a neuron does that finds this potential."""
    parameters = replace(P, dt=dt)
    *nodes, readout = chain().nodes
    nodes = [replace(n, parameters=parameters) if isinstance(n, Neurons) else n for n in nodes]
    network = SpikingNetwork((*nodes, replace(readout, dt=dt)))
    x, steps, waits = np.array([[1.0, 0.6]]), round(80 / dt), round(20 / dt)
    how = {"duration": 80, "engine": "reference", "record": ("spikes", "V")}
    plain = simulate(network, x, **how).records
    found = simulate(network.with_onset({"a": 20, "c": 35}), x, **how).records
    np.testing.assert_array_equal(found["V"]["a"], plain["V"]["a"])
    assert plain["spikes"]["a"][:, :waits].any()
    # held at 0, a neuron is as at rest: the drive that it then meets is the potential of that moment
    drive = np.repeat(x, steps, axis=0)
    alone = np.array([still(drive[:, k], parameters, waits) for k in range(2)]).T
    np.testing.assert_array_equal(found["spikes"]["a"][0], alone)
    spiking = {name: np.flatnonzero(spikes.any(axis=(0, 2))) * dt for name, spikes in found["spikes"].items()}
    assert spiking["a"][0] == 20
    assert 20 <= spiking["b"][0] < 35 == spiking["c"][0]


def still(drive, p, waits):
    """Spikes of one neuron that rests for a number of steps while its potential rises."""
    V = simulate_neuron(drive, p).S
    S_hat, theta_a, spikes = 0.0, 0.0, np.zeros(len(drive), bool)
    for t in range(waits, len(drive)):
        S_hat, theta = S_hat * np.exp(-p.dt / p.tau_eta), p.theta0 + theta_a
        spikes[t] = V[t] - S_hat > theta / 2
        S_hat += theta * spikes[t]
        theta_a = (theta_a + p.m_f * theta * spikes[t]) * np.exp(-p.dt / p.tau_gamma)
    return spikes


def test_files_keep_waits_corrective_spikes_and_what_was_corrected(tmp_path):
    network = chain().with_onset({"b": 3.5}).with_corrective(2.5)
    network = network.map_neurons(lambda n: replace(n, corrected=n.name == "c"))
    network.save(tmp_path / "net.npz")
    loaded = SpikingNetwork.load(tmp_path / "net.npz")
    kept = [(p.name, p.onset, p.corrective, p.corrected) for p in loaded.populations]
    assert kept == [("a", 0, 2.5, False), ("b", 3.5, 2.5, False), ("c", 0, 2.5, True)]
    x = np.array([[1.0, 0.3]])
    np.testing.assert_array_equal(simulate(loaded, x, duration=60).outputs, simulate(network, x, duration=60).outputs)


def test_corrective_spikes_of_all_layers_or_none():
    network = chain().with_corrective(3)
    assert [p.corrective for p in network.populations] == [3, 3, 3]
    assert [p.corrective for p in network.with_corrective(None).populations] == [None] * 3
    with pytest.raises(ParameterError, match=r"corrective = 1\.5 is not allowed"):
        chain().with_corrective(1.5)
    with pytest.raises(ParameterError, match=r"corrective = 1\.0 is not allowed"):
        chain().map_neurons(lambda n: replace(n, corrective=1.0))


def test_corrected_biases_belong_to_one_precision():
    network = chain().map_neurons(lambda n: replace(n, corrected=n.name == "b"))
    with pytest.raises(ParameterError, match="the biases of layer 'b' were corrected for its m_f, and fit no other"):
        network.with_m_f(0.2)
    with pytest.raises(ParameterError, match="were corrected"):
        network.with_m_f({"b": np.array([0.1, 0.2])})
    with pytest.raises(NetworkError, match=r"m_f of shape \(3,\) cannot be spread over \(2,\)"):
        network.with_m_f({"b": np.full(3, 0.1)})
    for same in (0.1, {"b": 0.1}, {"b": np.array([0.1, 0.1])}, {"a": 0.3}):
        changed = network.with_m_f(same)
        assert changed.by_name["b"] is network.by_name["b"]
    assert changed.by_name["a"].parameters.m_f == 0.3


def test_corrected_biases_of_neurons_with_their_own_precisions():
    own = np.array([0.1, 0.3])
    network = chain().with_m_f({"b": own}).map_neurons(lambda n: replace(n, corrected=True))
    assert network.with_m_f({"b": own}).by_name["b"] is network.by_name["b"]
    for other in (0.1, own[::-1]):
        with pytest.raises(ParameterError, match="layer 'b' were corrected"):
            network.with_m_f({"b": other})
