"""The precision search on a small network that is right about its own decisions."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from adsnn_hls.arithmetic.powers import multiplier_free_parameters
from adsnn_hls.quantize import Recipe, Widths, calibrate, quantize
from adsnn_hls.quantize.search import SIGNALS, memory_bits, plot, search
from hls_nets import PARAMETERS, dense_net, pixels

from snntb_adsnn.engine import simulate
from snntb_adsnn.errors import OutputError, ParameterError
from snntb_adsnn.network import SpikingNetwork

STEPS = 40


def _problem(parameters=PARAMETERS) -> tuple[SpikingNetwork, np.ndarray, np.ndarray]:
    """A network, and as labels what it decides itself: the float accuracy is near 1."""
    network = dense_net((8, 10, 4), 1, parameters)
    x = pixels(network, 120)
    return network, x, simulate(network, x, duration=STEPS).decisions[:, -1]


def test_search_finds_smaller_words_within_the_loss(tmp_path: Path) -> None:
    network, x, labels = _problem()
    result = search(network, x, labels, loss=0.05, steps=STEPS)
    assert result.accuracy >= result.float_accuracy - 0.05
    assert result.memory_bits[1] < 0.7 * result.memory_bits[0]
    # no width is one that lost too much when it alone was narrowed
    lost = [t for t in result.trials if t.accuracy < result.float_accuracy - 0.05]
    assert lost
    for trial in lost:
        assert getattr(result.widths[trial.layer], trial.signal) > trial.bits
    assert {t.signal for t in result.curves} == set(SIGNALS)
    accuracies = [t.accuracy for t in result.curves]
    assert accuracies[0] > 0.95
    assert min(accuracies) < 0.7
    table = result.table()
    assert table[0] == ["layer", *SIGNALS]
    assert table[1][1] == "-"
    assert table[2][1] == str(result.widths["neurons_4"].weights)
    assert plot(result, tmp_path / "bits.png").stat().st_size > 5000


def test_an_interrupted_search_goes_on(tmp_path: Path) -> None:
    network, x, labels = _problem()
    memory = tmp_path / "search.json"
    whole = search(network, x, labels, loss=0.05, steps=STEPS)
    seen = 0

    def stop(widths, accuracy) -> None:
        nonlocal seen
        seen += 1
        if seen == 12:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        search(network, x, labels, loss=0.05, steps=STEPS, memory=memory, progress=stop)
    again: list[float] = []
    result = search(network, x, labels, loss=0.05, steps=STEPS, memory=memory, progress=lambda w, a: again.append(a))
    assert result == whole
    repeated: list[float] = []
    search(network, x, labels, loss=0.05, steps=STEPS, memory=memory, progress=lambda w, a: repeated.append(a))
    assert again
    assert not repeated
    with pytest.raises(OutputError, match="another network"):
        search(network, x, labels, loss=0.05, steps=STEPS + 1, memory=memory)
    memory.write_text("{")
    with pytest.raises(OutputError, match="damaged"):
        search(network, x, labels, loss=0.05, steps=STEPS, memory=memory)


def test_multiplier_free_search_leaves_coefficients_alone() -> None:
    network, x, labels = _problem(multiplier_free_parameters(PARAMETERS))
    result = search(network, x, labels, loss=0.05, steps=STEPS, recipe=Recipe(multiplier_free=True))
    assert all("coefficient" not in signals for signals in result.signals.values())
    assert "coefficient" not in {t.signal for t in (*result.curves, *result.trials)}


def test_a_hopeless_start_is_refused() -> None:
    network, x, labels = _problem()
    with pytest.raises(ParameterError, match="start with wider words"):
        search(network, x, labels, loss=0.01, steps=STEPS, start=Widths(weights=2, current=8))
    with pytest.raises(ParameterError, match="120 images; give at least 1000"):
        search(network, x, labels, loss=0.001, steps=STEPS)
    with pytest.raises(ParameterError, match="loss"):
        search(network, x, labels, loss=0.0)


def test_memory_bits() -> None:
    network = dense_net((8, 10, 4))
    fixed = quantize(
        network, calibrate(network, pixels(network), 10), dataclasses.replace(Widths(), weights=7, current=11)
    )
    weights = 7 * (8 * 10 + 10 * 4)
    states = (8 + 10) * (11 + 18 + 18 + 18) + 4 * (11 + 18)
    assert memory_bits(fixed) == weights + states
