"""The golden model: compiled against NumPy, NumPy against a neuron written out in Python, both against the float net."""

from __future__ import annotations

import dataclasses
import math
from fractions import Fraction

import numpy as np
import pytest
from adsnn_hls.fixed import RECORDABLE, FixedNetwork, GoldenResult, simulate
from adsnn_hls.quantize import Widths, calibrate, quantize
from hls_nets import NETWORKS, RESTLESS, conv_net, dense_net, fixed_networks, pixels
from hypothesis import given, settings
from shrinking import NOT_SHRUNK

from snntb_adsnn.engine import reference as float_engine
from snntb_adsnn.errors import ParameterError

WIDE = Widths(weights=20, current=30, potential=30, refractory=30, adaptation=30, coefficient=22, rounding="RND")


def assert_equal(a: GoldenResult, b: GoldenResult) -> None:
    """Every word, count and statistic."""
    np.testing.assert_array_equal(a.outputs, b.outputs)
    assert a.ranges == b.ranges
    for stage, quantities in a.records.items():
        assert set(quantities) == set(b.records[stage])
        for quantity, words in quantities.items():
            np.testing.assert_array_equal(words, b.records[stage][quantity], err_msg=f"{stage} {quantity}")
    for stage, counts in a.spike_counts.items():
        np.testing.assert_array_equal(counts, b.spike_counts[stage])
        np.testing.assert_array_equal(a.spikes_per_step[stage], b.spikes_per_step[stage])
    assert set(a.corrective_counts) == set(b.corrective_counts)
    for stage, counts in a.corrective_counts.items():
        np.testing.assert_array_equal(counts, b.corrective_counts[stage])


@given(fixed_networks())
@settings(NOT_SHRUNK, max_examples=40)  # the networks are small as they are
def test_compiled_equals_reference(case: tuple[FixedNetwork, np.ndarray]) -> None:
    network, words = case
    slow = simulate(network, words, 25, record=RECORDABLE, engine="reference")
    assert_equal(slow, simulate(network, words, 25, record=RECORDABLE))


def test_compiled_equals_reference_over_many_chunks() -> None:
    network = conv_net()
    x = pixels(network, 40)
    fixed = quantize(network, calibrate(network, x, 30))
    assert_equal(simulate(fixed, fixed.pixels(x), 30, engine="reference"), simulate(fixed, fixed.pixels(x), 30))


def test_int64_states_equal_reference() -> None:
    network = dense_net()
    x = pixels(network)
    wide = dataclasses.replace(WIDE, current=36, potential=36, refractory=36, adaptation=36, coefficient=18)
    fixed = quantize(network, calibrate(network, x, 30), wide)
    assert_equal(
        simulate(fixed, fixed.pixels(x), 30, record=RECORDABLE, engine="reference"),
        simulate(fixed, fixed.pixels(x), 30, record=RECORDABLE),
    )


def test_reference_equals_one_neuron_in_exact_fractions() -> None:
    """docs/fixed-point.md once more, with exact rational numbers, for a chain of single neurons."""
    network = dense_net((1, 1, 2), seed=4, parameters=RESTLESS, onset=20.0, corrective=2.25)
    x = np.array([[0.8]])
    fixed = quantize(
        network,
        calibrate(network, x, 60),
        Widths(weights=6, current=12, potential=11, refractory=10, adaptation=12, coefficient=9),
    )
    words = fixed.pixels(x)
    seen = simulate(fixed, words, 200, record=RECORDABLE, engine="reference").records
    spikes_in: list[int] = []
    for stage in fixed.spiking:
        n = stage.neurons
        one = Fraction(1, 2**n.coefficient.fraction)

        def assign(kind, value):
            scaled = value * Fraction(2) ** kind.fraction
            rounded = {"TRN": math.floor, "TRN_ZERO": math.trunc, "RND": lambda v: math.floor(v + Fraction(1, 2))}[
                kind.rounding
            ](scaled)
            return min(max(rounded, kind.low), kind.high) * Fraction(2) ** -kind.fraction

        I = V = S_hat = theta_a = Fraction(0)
        if stage is fixed.analog:
            gain = int(stage.gain.flat[0]) * Fraction(2) ** -stage.gain_type.fraction
            I = assign(n.current, gain * int(words.flat[0]))
        spikes = []
        for t in range(200):
            if stage is not fixed.analog:
                weight = int(stage.weights.flat[0]) * Fraction(2) ** -stage.weight_type.fraction
                I = assign(n.current, n.k_beta * one * I + weight * spikes_in[t])
            V = assign(n.potential, V + n.g_phi * one * (I - V))
            S = V + int(n.bias[0]) * Fraction(2) ** -n.bias_type.fraction
            S_hat = assign(n.refractory, n.k_eta * one * S_hat)
            theta = n.theta0 * Fraction(2) ** -n.adaptation.fraction + theta_a
            waits = t < (0 if stage is fixed.analog else 20)
            spike = int(S - S_hat > theta / 2) - int(S_hat - max(S, 0) > Fraction(9, 8) * theta)
            spike = 0 if waits or (stage is fixed.analog and spike < 0) else spike
            S_hat = assign(n.refractory, S_hat + spike * theta) if spike else S_hat
            theta_a = assign(n.adaptation, n.k_gamma * one * theta_a + (n.m_gamma * one * theta if spike else 0))
            spikes.append(spike)
            for quantity, value, kind in (
                ("I", I, n.current),
                ("V", V, n.potential),
                ("S_hat", S_hat, n.refractory),
                ("theta_a", theta_a, n.adaptation),
            ):
                assert seen[stage.name][quantity][0, t].item() == value * 2**kind.fraction, (stage.name, quantity, t)
            assert seen[stage.name]["spikes"][0, t].item() == spike
        assert 5 < spikes.count(1) < 195
        assert (-1 in spikes) == (stage is not fixed.analog)
        spikes_in = spikes


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_wide_words_follow_the_float_network(name: str) -> None:
    network = NETWORKS[name](3)
    x = pixels(network, 8)
    fixed = quantize(network, calibrate(network, x, 100), WIDE)
    golden = simulate(fixed, fixed.pixels(x), 100)
    exact = float_engine.run(network, x, 100, frozenset(), dtype=np.float64)
    for stage, counts in golden.spike_counts.items():
        # a comparison within rounding error of the threshold may fall the other way
        assert np.abs(counts - exact.spike_counts[stage]).max() <= 1
        assert np.mean(counts != exact.spike_counts[stage]) < 0.01
        assert counts.sum() > 50
    assert set(golden.corrective_counts) == set(exact.corrective_counts)
    for stage, counts in golden.corrective_counts.items():
        assert np.abs(counts - exact.corrective_counts[stage]).max() <= 1
        assert counts.sum() > 50
    outputs = fixed.readout.potential.value(golden.outputs)
    assert np.abs(outputs - exact.outputs).max() < 0.05 * np.abs(exact.outputs).max()


def test_a_coefficient_off_by_one_is_seen() -> None:
    network = dense_net()
    x = pixels(network)
    fixed = quantize(network, calibrate(network, x))
    first, second = fixed.spiking
    for factor in second.neurons.FACTORS:
        neurons = dataclasses.replace(second.neurons, **{factor: getattr(second.neurons, factor) + 1})
        other = dataclasses.replace(fixed, stages=(first, dataclasses.replace(second, neurons=neurons), fixed.readout))
        a, b = (simulate(n, fixed.pixels(x), 50, record=("I", "V", "S_hat", "theta_a")) for n in (fixed, other))
        assert any((a.records[second.name][q] != b.records[second.name][q]).any() for q in a.records[second.name]), (
            factor
        )


def test_silence_returns_to_the_reset_state() -> None:
    """Black input after activity: every state word decays to zero, so that images do not see each other."""
    network = dense_net((4, 6, 3), seed=2)
    x = pixels(network, 2)
    fixed = quantize(network, calibrate(network, x))
    n = fixed.spiking[1].neurons
    # the second stage alone: a burst, then nothing
    from adsnn_hls.stages import NeuronState

    state = NeuronState(dataclasses.replace(n, bias=np.zeros_like(n.bias)), 1)
    for t in range(3000):
        drive = np.array([[1, -1, 2, -2, 0, 3]]) << 12 if t < 20 else np.zeros((1, 6), np.int64)
        state.receive(drive, n.current.fraction + 2)
        state.fire()
        if t == 20:
            assert state.I.any()
            assert state.S_hat.any()
            assert state.theta_a.any()
    for words in (state.I, state.V, state.S_hat, state.theta_a):
        assert not words.any()


def test_ranges_count_saturation() -> None:
    network = dense_net()
    x = pixels(network)
    ranges = calibrate(network, x)
    fixed = quantize(network, ranges)
    assert all(
        r.overflows == 0 for by_word in simulate(fixed, fixed.pixels(x), 100).ranges.values() for r in by_word.values()
    )
    tight = {n: {q: (low / 4, high / 4) for q, (low, high) in words.items()} for n, words in ranges.items()}
    narrow = quantize(network, tight)
    overflows = 0
    for stage in narrow.stages:
        for word, seen in simulate(narrow, narrow.pixels(x), 100).ranges[stage.name].items():
            kind = stage.state_types[word]
            assert kind.low <= seen.low <= seen.high <= kind.high
            assert not seen.overflows or seen.low == kind.low or seen.high == kind.high
            overflows += seen.overflows
    assert overflows > 100


def test_last_steps() -> None:
    outputs = np.array(
        [[[0, 1, 0], [5, 9, 1], [0, 9, 0]], [[7, 0, 7], [3, 3, 3], [2, 3, 1]], [[9, 5, 1], [0, 0, 0], [0, 0, 0]]]
    )
    result = GoldenResult(outputs, {}, {}, {}, 1.0)
    assert result.last_steps().tolist() == [2, 2, 2]
    assert result.last_steps(4).tolist() == [1, 2, 0]
    assert result.last_steps(1).tolist() == [0, 2, 0]


def test_accuracy_and_rates() -> None:
    network = dense_net()
    x = pixels(network, 5)
    fixed = quantize(network, calibrate(network, x))
    result = simulate(fixed, fixed.pixels(x), 80)
    decisions = result.decisions
    assert decisions.shape == (5, 80)
    np.testing.assert_array_equal(result.accuracy(decisions[:, -1])[-1], 1.0)
    spikes = sum(int(c.sum()) for c in result.spike_counts.values())
    assert result.firing_rate_hz == pytest.approx(spikes / (5 * fixed.neuron_count * 0.080))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pixels": np.zeros((2, 5), int)}, "do not fit"),
        ({"pixels": np.full((2, 12), 256)}, "0 to 255"),
        ({"pixels": np.full((2, 12), 0.5)}, "whole numbers"),
        ({"steps": 0}, "at least one step"),
        ({"record": ["S"]}, "cannot record"),
        ({"engine": "gpu"}, "unknown"),
    ],
)
def test_bad_arguments_are_refused(change: dict, message: str) -> None:
    network = dense_net()
    fixed = quantize(network, calibrate(network, pixels(network), 5))
    arguments = {"pixels": np.zeros((2, 12), int), "steps": 5} | change
    with pytest.raises(ParameterError, match=message):
        simulate(fixed, **arguments)


@pytest.mark.parametrize("engine", ["reference", "fast"])
def test_a_potential_of_exactly_half_the_threshold_does_not_spike(engine: str) -> None:
    network = dense_net((1, 1, 2))
    fixed = quantize(network, calibrate(network, pixels(network)), Widths(adaptation=10))
    n = fixed.analog.neurons
    shift = n.potential.fraction - n.adaptation.fraction - 1
    half = n.theta0 << shift if shift >= 0 else n.theta0 >> -shift
    assert half * 2.0**-n.potential.fraction * 2 == n.theta0 * n.adaptation.step
    for bias, spikes in ((half, 0), (half + 1, 1)):
        neurons = dataclasses.replace(n, bias=np.array([bias]), bias_type=n.potential)
        first = dataclasses.replace(fixed.analog, neurons=neurons)
        changed = dataclasses.replace(fixed, stages=(first, *fixed.stages[1:]))
        result = simulate(changed, np.zeros((1, 1), int), 1, engine=engine)
        assert int(result.spike_counts[first.name].sum()) == spikes
