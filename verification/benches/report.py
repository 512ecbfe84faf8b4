"""What a testbench measured: a line in the log, and in the file that pytest collects."""

from __future__ import annotations

import json
import os
from pathlib import Path

import cocotb


def report(name: str, *, compared: int, clocks: int, seconds: float, negative: int = 0) -> None:
    """Record a finished comparison in which nothing differed; ``negative``: how many spikes were corrective."""
    assert compared > 0, f"{name}: nothing was compared"
    line = {
        "bench": name,
        "mismatches": 0,
        "compared": compared,
        "negative": negative,
        "clocks": clocks,
        "clocks_per_s": round(clocks / seconds),
    }
    cocotb.log.info(json.dumps(line))
    with Path(os.environ["ASN_REPORT"]).open("a") as file:
        file.write(json.dumps(line) + "\n")
