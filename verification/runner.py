"""Builds and runs cocotb testbenches with the project's Verilator."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from adsnn_hls.rtl.tools import COMPILE, LINT, RANDOM_START, find_verilator
from cocotb_tools.check_results import get_results
from cocotb_tools.runner import get_runner

ROOT = Path(__file__).parent.parent
EXTRA_SOURCES = Path(__file__).parent / "rtl"


@dataclass(frozen=True)
class Outcome:
    """Result of a testbench.

    Attributes:
        tests, failed: number of cocotb tests.
        reports: what they compared.
    """

    tests: int
    failed: int
    reports: list[dict[str, float]]


def simulate(
    top: str,
    bench: str,
    files: Mapping[str, str],
    folder: Path,
    *,
    seed: int = 1,
    environment: Mapping[str, str] | None = None,
    test: str | None = None,
) -> Outcome:
    """Build ``top`` from ``files`` and run the cocotb module ``verification.benches.<bench>``.

    Waves are written to ``folder`` as FST when the environment variable ASN_WAVES is 1.

    Args:
        top: name of the top module.
        bench: name of the module.
        files: sources and memories by name.
        folder: where all of it happens; not shared with another run.
        seed: of cocotb's random numbers and of the registers' initial values.
        environment: more variables for the testbench.
        test: run only tests whose names match this.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text)
    waves = os.environ.get("ASN_WAVES") == "1"
    # the bench spends its time in Python: compiling fast matters more than simulating fast
    found = find_verilator().environment() | {"MAKEFLAGS": "OPT_FAST=-O0 OPT_SLOW=-O0"}
    common: dict[str, Any] = {"hdl_toplevel": top, "build_dir": folder, "waves": waves}
    with mock.patch.dict(os.environ, found, clear=True):
        runner = get_runner("verilator")
        runner.build(
            sources=[folder / name for name in files if name.endswith(".sv")],
            includes=[folder],
            build_args=["-O3", *RANDOM_START, *LINT, *COMPILE, *(["--trace-fst"] if waves else [])],
            log_file=folder / "build.log",
            **common,
        )
        report = folder / "report.jsonl"
        report.unlink(missing_ok=True)
        paths = [str(ROOT), str(ROOT / "hls"), os.environ.get("PYTHONPATH", "")]
        with contextlib.suppress(SystemExit):  # failed tests are counted below
            runner.test(
                test_module=f"verification.benches.{bench}",
                test_dir=folder,
                seed=seed,
                test_args=["--trace-file", "waves.fst"] if waves else [],
                plusargs=["+verilator+rand+reset+2", f"+verilator+seed+{seed}"],
                extra_env={"ASN_REPORT": str(report), "PYTHONPATH": os.pathsep.join(paths), **(environment or {})},
                test_filter=test,
                log_file=folder / "test.log",
                results_xml=str(folder / "results.xml"),
                **common,
            )
    tests, failed = get_results(folder / "results.xml")
    lines = report.read_text().splitlines() if report.exists() else []
    return Outcome(tests, failed, [json.loads(line) for line in lines])


def extra_sources() -> dict[str, str]:
    """SystemVerilog that only testbenches and proofs use."""
    return {path.name: path.read_text() for path in sorted(EXTRA_SOURCES.glob("*.sv"))}
