"""The neuron's arithmetic, with multipliers and without, for five sets of types."""

from __future__ import annotations

from pathlib import Path

from adsnn_hls.cores import core_sources

from verification.runner import extra_sources, simulate
from verification.tops import neurons_top


def test_every_bit(tmp_path: Path) -> None:
    files = {**core_sources(), **extra_sources(), "neurons.sv": neurons_top()}
    outcome = simulate("neurons", "neurons", files, tmp_path)
    assert (outcome.tests, outcome.failed) == (1, 0)
    assert outcome.reports[0]["compared"] >= 10_000
