"""Deciding early: the rule, and that a stopped image costs nothing more, in every engine."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from random_networks import RANDOM_NETWORKS, assert_same, conv_net, exact, networks, switch_at
from shrinking import NOT_SHRUNK

from snntb_adsnn.engine import reference, simulate
from snntb_adsnn.engine.early import Early
from snntb_adsnn.engine.event import engine as event
from snntb_adsnn.errors import ParameterError
from snntb_adsnn.network.deciding import safe_after


@given(st.integers(0, 2**32 - 1), st.integers(1, 3), st.integers(0, 3))
def test_a_decision_is_safe_where_one_class_leads_long_enough(seed, margin, patience):
    outputs = np.random.default_rng(seed).integers(0, 5, (2, 12, 3))
    for image, found in zip(outputs, safe_after(outputs, margin, patience), strict=True):
        expected, run, leader = 0, 0, -1
        for t, values in enumerate(image):
            order = np.sort(values)
            if order[-1] - order[-2] < margin:
                run = 0
                continue
            run = run + 1 if run and values.argmax() == leader else 1
            leader = values.argmax()
            if run == patience + 1:
                expected = t + 1
                break
        assert found == expected


@pytest.mark.parametrize("engine", ["reference", "event", "tensorflow"])
def test_a_stopped_image_is_a_run_that_was_cut_off(engine):
    network, x = conv_net(8), np.random.default_rng(3).random((6, 16, 16, 1)).astype(np.float32)
    network = network.with_corrective(2.0)
    whole = simulate(network, x, duration=150, engine="reference", record="spikes")
    leads = np.sort(whole.outputs, axis=-1)
    margin = float(np.quantile((leads[..., -1] - leads[..., -2])[:, 60:], 0.6))
    found = simulate(network, x, duration=150, engine=engine, margin=margin, patience=4)
    expected = safe_after(whole.outputs, margin, 4)
    stopped = np.where(expected > 0, expected, 150)
    np.testing.assert_array_equal(found.stopped, stopped)
    assert 0 < (expected > 0).sum()
    assert len(set(stopped)) > 2
    for image, last in enumerate(stopped):
        np.testing.assert_allclose(found.outputs[image, :last], whole.outputs[image, :last], atol=1e-5)
        assert (found.outputs[image, last:] == found.outputs[image, last - 1]).all()
        for name, spikes in whole.records["spikes"].items():
            counts = np.count_nonzero(spikes[image, :last], axis=0)
            assert abs(int(found.spike_counts[name][image].sum()) - int(counts.sum())) <= 0.002 * counts.sum() + 1
            negative = np.count_nonzero(spikes[image, :last] < 0, axis=0)
            assert abs(int(found.corrective_counts[name][image].sum()) - int(negative.sum())) <= 1
    for name, counts in found.spike_counts.items():
        assert found.spikes_per_step[name].sum() == counts.sum()
    spikes = sum(int(counts.sum()) for counts in found.spike_counts.values())
    rate = spikes / network.neuron_count / (stopped.sum() * 1e-3)
    assert found.firing_rate_hz == pytest.approx(rate)


@settings(RANDOM_NETWORKS, phases=NOT_SHRUNK.phases, max_examples=20)
@given(
    networks(dyadic=True), st.floats(0.05, 1.0), st.integers(0, 8), st.booleans(), st.sampled_from([("spikes",), ()])
)
def test_an_early_decision_is_the_references_bit_by_bit(case, margin, patience, switched, record):
    network, x = case
    assume(exact(network) and network.readout.shape[0] > 1)
    schedule = switch_at(network, x, 10, 5, 1).schedule(network, 60) if switched else None
    early = Early(margin, patience)
    expected = reference.run(network, x, 60, frozenset(record), schedule, early=early)
    found = event.run(network, x, 60, frozenset(record), schedule, early=early)
    np.testing.assert_array_equal(found.stopped, expected.stopped)
    assert_same(found, expected)


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ({"margin": 0}, "margin = 0 is not allowed"),
        ({"margin": float("nan")}, "margin = nan"),
        ({"margin": 1, "patience": -1}, "patience = -1"),
        ({"patience": 5}, "patience = 5 has no effect without a margin"),
    ],
)
def test_a_rule_that_cannot_be_is_refused(rule, says):
    with pytest.raises(ParameterError, match=says):
        simulate(conv_net(8), np.zeros((1, 16, 16, 1)), duration=10, **rule)
