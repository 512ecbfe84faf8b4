"""FST waves on request, from the C++ bench and from cocotb."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from adsnn_hls.cores import core_sources
from adsnn_hls.fixed import FixedNetwork
from adsnn_hls.rtl.cosim import Simulation
from adsnn_hls.rtl.tools import ToolError, check_waves

from verification.cases import analog, readout
from verification.runner import extra_sources, simulate
from verification.tops import neurons_top

BLOCK_HEADER = 0
"""First byte of an FST file that was closed properly."""


@pytest.fixture(autouse=True)
def needs_headers() -> None:
    try:
        check_waves()
    except ToolError as error:
        pytest.skip(str(error))


def is_fst(path: Path) -> bool:
    """Whether there is a wave file with something in it."""
    content = path.read_bytes()
    return content[0] == BLOCK_HEADER and len(content) > 1000


def test_cpp_bench_writes_waves(tmp_path: Path) -> None:
    network = FixedNetwork((analog((4,), seed=1), readout(4, 2, seed=2)))
    Simulation(network, tmp_path, waves=True).run(np.full((2, 4), 200), 5)
    assert is_fst(tmp_path / "waves.fst")


def test_cocotb_writes_waves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASN_WAVES", "1")
    files = {**core_sources(), **extra_sources(), "neurons.sv": neurons_top()}
    simulate("neurons", "neurons", files, tmp_path, environment={"ASN_VECTORS": "20"})
    assert is_fst(tmp_path / "waves.fst")
