"""Stream properties: harnesses in ``rtl/``, with stand-ins for arithmetic and constants that do anything at all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from adsnn_hls.cores import core_sources

from verification.formal.tools import Outcome, solve

RTL = Path(__file__).parent / "rtl"
_STAND_INS = ("asn_filter.sv", "asn_fire.sv", "asn_rom.sv")


@dataclass(frozen=True)
class Harness:
    """A design with assertions around it.

    Attributes:
        top: module and file.
        stand_ins: sources that replace cores.
        side: its parameter SIDE, if it has one.
        depth: clocks within which the assertions hold.
        cover_depth: clocks within which the cover statements are reached.
    """

    top: str
    stand_ins: tuple[str, ...]
    side: int | None
    depth: int
    cover_depth: int


HARNESSES = {
    "events": Harness("events_formal", (), None, 16, 20),
    "stage: events in": Harness("stage_formal", _STAND_INS, 0, 20, 60),
    "stage: sums": Harness("stage_formal", _STAND_INS, 1, 24, 60),
    "stage: spikes out": Harness("stage_formal", _STAND_INS, 2, 36, 60),
    "stage: progress": Harness("stage_formal", _STAND_INS, 3, 50, 60),
}


def prove_streams(
    name: str, folder: Path, *, cores: Mapping[str, str] | None = None, depth: int | None = None, cover: bool = False
) -> Outcome:
    """Check the assertions of a harness, or reach its cover statements; ``cores`` replaces the sources."""
    harness = HARNESSES[name]
    files = {**(core_sources() if cores is None else cores)}
    text = (RTL / f"{harness.top}.sv").read_text()
    files[f"{harness.top}.sv"] = text.replace("parameter int SIDE = 0", f"parameter int SIDE = {harness.side}")
    files |= {file: (RTL / file).read_text() for file in harness.stand_ins}
    default = harness.cover_depth if cover else harness.depth
    return solve(folder, harness.top, files, depth or default, cover=cover)
