"""Each stage alone, in all its variants, under idle clocks, back-pressure and resets."""

from __future__ import annotations

from pathlib import Path

from adsnn_hls.cores import core_sources

from verification.cases import STAGES
from verification.runner import simulate
from verification.tops import stages_top


def test_stages(tmp_path: Path) -> None:
    top, memories = stages_top(STAGES)
    outcome = simulate("stages", "stages", {**core_sources(), "stages.sv": top, **memories}, tmp_path)
    assert (outcome.tests, outcome.failed) == (3, 0)
    assert sum(int(r["compared"]) for r in outcome.reports) > 30_000
    assert sum(int(r["negative"]) for r in outcome.reports) > 80
