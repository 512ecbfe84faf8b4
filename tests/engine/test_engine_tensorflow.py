"""The TensorFlow engine against the reference, on the CPU."""

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from random_maps import LINEAR, linear_maps, values
from random_networks import ALL, assert_same, assert_same_counts, conv_net, exact, networks, switch_at

from snntb_adsnn.engine import Switch, automatic, reference, simulate
from snntb_adsnn.engine import tensorflow as engine
from snntb_adsnn.network.maps import Linear

# each network is traced and compiled anew
FEW = settings(max_examples=6, suppress_health_check=list(HealthCheck))


@FEW
@given(networks(dyadic=True))
def test_every_state_is_the_references_bit_by_bit_on_a_dyadic_grid(case):
    network, x = case
    assume(exact(network))
    expected = reference.run(network, x, 12, ALL)
    assert_same(engine.run(network, x, 12, ALL), expected)


@FEW
@given(networks(dyadic=True), st.integers(0, 2))
def test_a_switched_network_is_the_references_bit_by_bit_on_a_dyadic_grid(case, chosen):
    network, x = case
    assume(exact(network))
    schedule = switch_at(network, x, 3, 3, chosen).schedule(network, 12)
    assert_same(engine.run(network, x, 12, ALL, schedule), reference.run(network, x, 12, ALL, schedule))


def test_batches_switch_each_for_itself_and_neurons_have_their_own_precision(monkeypatch, short_chunks):
    network = conv_net(8)
    x = np.random.default_rng(0).random((5, 16, 16, 1)).astype(np.float32)
    mask = np.where(np.arange(16)[:, None, None] < 8, 0.05, 0.4)
    switch = Switch({"input": mask}, 10, 5, 0.05)
    monkeypatch.setattr(engine, "BATCH", 2)
    found, expected = (
        simulate(network, x, duration=40, engine=name, switch=switch) for name in ("tensorflow", "reference")
    )
    assert 0 < expected.switched.sum() < 5
    np.testing.assert_array_equal(found.switched, expected.switched)
    np.testing.assert_allclose(found.margins, expected.margins, atol=1e-5)
    np.testing.assert_array_equal(found.spike_counts["input"], expected.spike_counts["input"])


@pytest.fixture
def short_chunks(monkeypatch):
    """Less to trace and compile."""
    monkeypatch.setattr(engine, "CHUNK", 10)


def test_chunks_and_batches_join_up(monkeypatch, short_chunks):
    network = conv_net(8)
    x = np.random.default_rng(0).random((5, 16, 16, 1)).astype(np.float32)
    whole = engine.run(network, x, 30, frozenset({"spikes"}))
    monkeypatch.setattr(engine, "CHUNK", 13)
    monkeypatch.setattr(engine, "BATCH", 2)
    engine._chunks.clear()
    parts = engine.run(network, x, 30, frozenset({"spikes"}))
    np.testing.assert_allclose(parts.outputs, whole.outputs, atol=1e-6)
    assert_same_counts(parts, whole)
    for name, spikes in whole.records["spikes"].items():
        np.testing.assert_array_equal(parts.records["spikes"][name], spikes)


def test_decides_as_the_reference(short_chunks):
    network = conv_net(16)
    x = np.random.default_rng(1).random((20, 16, 16, 1)).astype(np.float32)
    found = simulate(network, x, duration=100, engine="tensorflow")
    expected = simulate(network, x, duration=100, engine="reference")
    np.testing.assert_array_equal(found.decisions[:, -1], expected.decisions[:, -1])
    assert found.firing_rate_hz == pytest.approx(expected.firing_rate_hz, rel=1e-3)


def test_auto_takes_the_accelerator_only_where_there_is_one(monkeypatch):
    monkeypatch.setattr("pathlib.Path.exists", lambda path: True)
    engine.accelerator.cache_clear()
    monkeypatch.setattr(engine.tf.config, "list_physical_devices", lambda kind: ["a GPU"])
    assert automatic() == "tensorflow"
    engine.accelerator.cache_clear()
    monkeypatch.setattr(engine.tf.config, "list_physical_devices", lambda kind: [])
    assert automatic() == "event"
    engine.accelerator.cache_clear()


@pytest.mark.parametrize("kind", sorted(LINEAR))
@settings(max_examples=8, deadline=None)
@given(data=st.data())
def test_each_linear_map_gives_what_its_edges_give(kind, data):
    """By its own entry and by the default that other kinds have."""
    node = data.draw(linear_maps(kind))
    xs = values(node, np.float32)
    expected = Linear.apply(node, *xs)
    default = engine.apply.dispatch(Linear)
    for apply in (engine.apply, default):
        np.testing.assert_allclose(apply(node, *map(engine.tf.constant, xs)), expected, rtol=1e-5, atol=1e-5)
