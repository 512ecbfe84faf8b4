"""Waits and read-out as brute force would choose them; windows of layers that settle late."""

from dataclasses import replace

import numpy as np
import pytest
from correction_cases import images, network

from snntb_adsnn.engine import simulate
from snntb_adsnn.errors import ParameterError
from snntb_adsnn.measure import settling
from snntb_adsnn.measure.potentials import MEASURED, SHORTEST, _Layer, spiking_potentials
from snntb_adsnn.measure.settling import Waits, choose_waits, read_out, with_read_out
from snntb_adsnn.network import Input, Neurons, Readout, SpikingNetwork
from snntb_adsnn.network.depth import staggered
from snntb_adsnn.network.maps import Dense
from snntb_adsnn.neuron import ASNParameters

ONSETS, TIMES = (3.0, 0.0, 8.0), (5.0, 20.0, 50.0)
QUARTER = 50


@pytest.fixture
def short(monkeypatch):
    monkeypatch.setattr(settling, "DURATION", 4.0 * QUARTER)


@pytest.mark.parametrize("tau_phi", [4.0, 30.0, 120.0])
def test_another_read_out_is_that_of_a_simulation(tau_phi):
    net, x = network(), images(3, 4)
    found = read_out(simulate(net, x, duration=150).outputs, net, tau_phi)
    expected = simulate(with_read_out(net, tau_phi), x, duration=150)
    np.testing.assert_allclose(found, expected.outputs, atol=2e-5)
    np.testing.assert_array_equal(found.argmax(axis=-1), expected.decisions)


def brute_force(net, x):
    """Every combination simulated; decisions counted step by step."""
    settled = simulate(net, x, duration=4 * QUARTER).outputs[:, -QUARTER:].sum(axis=1).argmax(axis=1)
    agreements = {
        (onset, tau_phi): [
            np.mean(decisions == settled)
            for decisions in simulate(
                with_read_out(staggered(net, onset), tau_phi), x, duration=4 * QUARTER
            ).decisions.T
        ]
        for onset in ONSETS
        for tau_phi in TIMES
    }
    needed = 0.99 * max(np.mean(shares[-QUARTER:]) for shares in agreements.values())
    best = None
    for (onset, tau_phi), shares in agreements.items():
        time = 4 * QUARTER
        while time > 0 and shares[time - 1] >= needed:
            time -= 1
        candidate = (time, onset, -tau_phi)
        if best is None or candidate < best[0]:
            best = candidate, Waits(onset, tau_phi, float(time), float(np.mean(shares[-QUARTER:])))
    return best[1]


@pytest.mark.parametrize("m_f", [0.2, 0.8])
def test_waits_are_those_of_brute_force(short, m_f):
    net, x = network(m_f), images(4, 40)
    chosen = choose_waits(net, x, onsets=ONSETS, times=TIMES)
    expected = brute_force(net, x)
    assert (chosen.onset, chosen.tau_phi, chosen.decided) == (expected.onset, expected.tau_phi, expected.decided)
    assert chosen.agreement == pytest.approx(expected.agreement)
    assert chosen.decided > 0
    waiting = chosen.of(net)
    assert waiting.readout.tau_phi == chosen.tau_phi
    assert [p.onset for p in waiting.populations] == [0, chosen.onset, 2 * chosen.onset]


def test_of_equal_times_the_smaller_wait_and_the_slower_read_out(short):
    """A bias decides from the first step on, whatever is chosen."""
    net = network()
    bias = np.array([0, 100, 0, 0], np.float32)
    net = SpikingNetwork((*net.nodes[:-1], replace(net.readout, bias=bias)))
    assert choose_waits(net, images(4, 5), onsets=ONSETS, times=TIMES) == Waits(0.0, 50.0, 0.0, 1.0)


def test_waits_need_classes():
    net = network()
    net = SpikingNetwork((*net.nodes[:-1], replace(net.readout, activation="linear")))
    with pytest.raises(ParameterError, match="onset = auto"):
        choose_waits(net.with_task("regression"), images(4, 2))


# ---- windows ---------------------------------------------------------------------------------------------------------


def chain(layers=5):
    random = np.random.default_rng(3)
    nodes = [Input("x", (), (), (6,))]
    for k in range(layers):
        if k:
            weights = random.normal(0.1, 0.4, (6, 6)).astype(np.float32)
            nodes.append(Dense(f"d{k}", (nodes[-1].name,), ((6,),), weights))
        zero = np.full(6, 0.1, np.float32)
        nodes.append(Neurons(f"n{k}", (nodes[-1].name,), ((6,),), zero, ASNParameters(m_f=0.05)))
    return SpikingNetwork((*nodes, Readout("out", (nodes[-1].name,), ((6,),), np.zeros(6, np.float32))))


def window(net, x, name):
    return _Layer(net, name).settled(x, "auto")


def test_a_late_layer_is_measured_later():
    net, x = chain(), np.random.default_rng(2).uniform(0, 1.5, (20, 6))
    early, late = window(net, x, "n1"), window(net, x, "n4")
    assert 0 < early.first < late.first
    for found in (early, late):
        assert found.end - found.first >= MEASURED
    last = window(staggered(net, 60.0), x, "n4")
    assert last.first > max(180, late.first)  # nothing reaches it before the one in front of it spikes
    assert last.end > SHORTEST  # so it was watched for longer


def test_potentials_are_averaged_over_the_window():
    net, x = chain(3), np.random.default_rng(2).uniform(0, 1.5, (20, 6))
    for name in ("n2", "out"):
        first, end = (found := window(net, x, name)).first, found.end
        result = simulate(net, x, duration=end, engine="reference", record="S")
        S = result.outputs if name == "out" else result.records["S"][name]
        (potentials,) = spiking_potentials(net, x, name)
        np.testing.assert_allclose(potentials, S[:, first:].mean(axis=1, dtype=np.float64), atol=1e-5)
        # settled: later on, the channels' means stay where they are
        later = simulate(net, x, duration=end + 600, engine="reference", record="S")
        S = later.outputs if name == "out" else later.records["S"][name]
        drift = S[:, end:].mean(axis=(0, 1)) - potentials.mean(axis=0)
        assert np.sqrt((drift**2).mean()) < 0.03 * S[:, end:].mean(axis=1).std(axis=0).mean()
