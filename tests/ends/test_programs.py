"""Programs that a command runs end with it, and may remove what they have written."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest
from adsnn_hls.cpp.programs import run_program

SLOW = """
sh -c 'trap "rm -f written; exit 1" TERM; touch written; echo $$ > pid; while :; do sleep 0.02; done' &
wait
"""


def test_a_program_that_ends(tmp_path):
    done = run_program(["sh", "-c", "echo out; echo err >&2; pwd >&2; exit 3"], tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (3, "out\n", f"err\n{tmp_path}\n")


def test_an_interrupt_ends_what_a_program_has_started(tmp_path):
    def interrupt(number, frame):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.5)
    try:
        with pytest.raises(KeyboardInterrupt):
            run_program(["sh", "-c", SLOW], tmp_path)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    number = (tmp_path / "pid").read_text().strip()
    assert not (tmp_path / "written").exists()
    end = time.monotonic() + 5
    while time.monotonic() < end:
        try:
            state = Path(f"/proc/{number}/stat").read_text().split()[2]
        except OSError:
            break
        if state == "Z":
            break
    else:
        raise AssertionError("it is still at work")
