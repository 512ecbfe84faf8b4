"""Whole accelerators: in cocotb with every state word, in the C++ bench with every spike."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from adsnn_hls.rtl.cosim import Simulation, cosimulate
from adsnn_hls.rtl.generate import generate
from adsnn_hls.rtl.wrapper import WRAPPER

from verification.networks import NETWORKS
from verification.runner import simulate


@pytest.mark.parametrize("name", NETWORKS)
def test_accelerator(name: str, tmp_path: Path) -> None:
    network, lanes, multiplier = NETWORKS[name]
    files = generate(network, lanes, multiplier_free=not multiplier)
    outcome = simulate(WRAPPER, "network", files, tmp_path, environment={"ASN_NETWORK": name})
    assert (outcome.tests, outcome.failed) == (2, 0)
    assert sum(int(r["compared"]) for r in outcome.reports) > 5_000


def test_cpp_bench(tmp_path: Path) -> None:
    network, lanes, _ = NETWORKS["dense"]
    pixels = np.random.default_rng(5).integers(0, 255, (300, 12), endpoint=True)
    simulation = Simulation(network, tmp_path, lanes)
    clocks = {}
    for stall in (0.0, 0.5):
        found = cosimulate(simulation, pixels, 20, np.zeros(300), stall=stall)
        assert found.mismatches == 0
        assert found.compared == 300 * 20 * (12 + 16 + 6 + 1)
        clocks[stall] = found.cycles_per_image
    for stall in (0.0, 0.5):
        found = cosimulate(simulation, pixels, 100, np.zeros(300), margin=2850, stall=stall)
        assert found.mismatches == 0
        assert 5 < found.steps_per_image < 15
        assert found.compared > 300 * found.steps_per_image * (12 + 16 + 6 + 1)
        assert found.cycles_per_image < 3 * clocks[stall]  # five times as many without early decisions
