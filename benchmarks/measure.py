"""Time, CPU time and peak memory of this process."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple


class Usage(NamedTuple):
    """Wall seconds, CPU seconds (all threads), peak resident memory in MB."""

    seconds: float
    cpu_seconds: float
    peak_mb: float

    def __sub__(self, earlier: Usage) -> Usage:
        """What was used since; the peak stays the peak."""
        return Usage(self.seconds - earlier.seconds, self.cpu_seconds - earlier.cpu_seconds, self.peak_mb)


def usage() -> Usage:
    """What this process has used so far."""
    r = resource.getrusage(resource.RUSAGE_SELF)
    return Usage(time.perf_counter(), r.ru_utime + r.ru_stime, _peak_mb())


def _peak_mb() -> float:
    """Linux counts the parent's memory in ``ru_maxrss``; ``VmHWM`` is the process's own."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024
    except (OSError, StopIteration):
        unit = 1024**2 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def measure(run: Callable[[], Any], min_seconds: float = 0.0) -> Usage:
    """What one call of ``run`` takes, averaged over as many calls as fill ``min_seconds``."""
    before, calls = usage(), 0
    while True:
        run()
        calls += 1
        used = usage() - before
        if used.seconds >= min_seconds:
            return Usage(used.seconds / calls, used.cpu_seconds / calls, used.peak_mb)
