"""Commands end with one line and an exit code, wherever they are stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest

from snntb_adsnn.ends import ending
from snntb_adsnn.errors import OutputError

ROOT = Path(__file__).parents[2]
LINES = {
    signal.SIGINT: "snntb-adsnn: stopped by Ctrl-C; no half-written file is left.",
    signal.SIGTERM: "snntb-adsnn: stopped by SIGTERM; no half-written file is left.",
}


def environment() -> dict[str, str]:
    """This checkout first, its hook for the start of Python too."""
    folders = [ROOT, ROOT / "hls", ROOT / "autoload"]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, folders)), "CUDA_VISIBLE_DEVICES": ""}


def start(*command: object, folder: Path | None = None) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, *map(str, command)],
        env=environment(),
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # tests that a shell started in the background ignore SIGINT, and so would the command
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


@pytest.fixture
def _handlers():
    before = {number: signal.getsignal(number) for number in LINES}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("_handlers")
@pytest.mark.parametrize("number", LINES)
@pytest.mark.parametrize("made_of_it", [None, ValueError, OutputError, OSError], ids=str)
def test_a_stop_is_a_stop_whatever_a_library_makes_of_it(number, made_of_it, capsys):
    """zipfile, for one, raises ValueError where an interrupt leaves a member open."""

    def library() -> None:
        try:
            signal.raise_signal(number)
        except KeyboardInterrupt:
            if made_of_it is None:
                raise
            raise made_of_it("of the interrupt") from None

    with pytest.raises(SystemExit) as stop, ending("snntb-adsnn"):
        library()
    assert stop.value.code == 128 + number
    assert capsys.readouterr().err == LINES[number] + "\n"


@pytest.mark.usefixtures("_handlers")
@pytest.mark.parametrize("number", LINES)
def test_a_stop_that_python_drops_comes_again(number, capsys):
    """In a finalizer, nobody is there to catch it."""

    class Finalized:
        def __del__(self) -> None:
            signal.raise_signal(number)

    def library() -> None:
        Finalized()
        time.sleep(60)
        pytest.fail("it was dropped")

    hook = sys.unraisablehook
    with pytest.raises(SystemExit) as stop, ending("snntb-adsnn"):
        library()
    assert stop.value.code == 128 + number
    assert capsys.readouterr().err == LINES[number] + "\n"
    assert sys.unraisablehook is hook


C_CODE_RUNS_PYTHON = """
import ctypes
from snntb_adsnn.ends import ending

run = ctypes.pythonapi.PyRun_String
run.argtypes, run.restype = [ctypes.c_char_p, ctypes.c_int, ctypes.py_object, ctypes.py_object], ctypes.py_object
with ending("snntb-adsnn"):
    run(b"import signal; signal.raise_signal(signal.SIGTERM)", 257, {}, {})  # 257: statements, as in a file
"""


def test_a_stop_that_comes_out_of_c_code(tmp_path):
    """At the end of ``python -m`` CPython would kill itself with SIGINT."""
    (tmp_path / "stopped.py").write_text(C_CODE_RUNS_PYTHON)
    process = start("-m", "stopped", folder=tmp_path)
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (143, LINES[signal.SIGTERM] + "\n")


AT_THE_END = """
import atexit, signal
from snntb_adsnn.ends import ending

atexit.register(lambda: signal.raise_signal(signal.SIG{}))  # runs after what is registered later
with ending("snntb-adsnn"):
    print("done")
"""


@pytest.mark.parametrize("name", ["INT", "TERM"])
def test_a_stop_that_comes_when_all_is_done(name):
    """Python itself ends then, which takes tenths of a second with TensorFlow."""
    process = start("-c", AT_THE_END.format(name))
    assert process.communicate(timeout=60) == ("done\n", "")
    assert process.returncode == 0


def test_other_errors_of_finalizers_are_shown(monkeypatch):
    class Finalized:
        def __del__(self) -> None:
            raise ValueError

    shown = []
    monkeypatch.setattr(sys, "unraisablehook", lambda dropped: shown.append(dropped.exc_type))
    with ending("snntb-adsnn"):
        Finalized()
    assert shown == [ValueError]


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (OutputError("it is full."), "snntb-adsnn: it is full."),
        (OSError(28, "No space left on device", "/x"), "snntb-adsnn: /x: the disk is full; free space, or choose"),
        (
            FileNotFoundError(2, "No usable temporary directory found in ['/tmp']"),
            "snntb-adsnn: no folder takes temporary",
        ),
        (OSError(36, "File name too long", "/xx"), "snntb-adsnn: /xx: the path is too long for this file system"),
    ],
)
def test_mistakes_end_with_2(error, line, capsys):
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as stop, ending("snntb-adsnn"):
        raise error
    assert stop.value.code == 2
    assert capsys.readouterr().err.startswith(line)
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_bug_keeps_its_traceback():
    with pytest.raises(ZeroDivisionError), ending("snntb-adsnn"):
        raise ZeroDivisionError


@pytest.mark.usefixtures("_handlers")
def test_a_file_in_the_making(tmp_path, capsys, monkeypatch):
    """What ``zipfile`` does with an interrupt at its worst moment."""
    from snntb_adsnn.network import Input, Readout, SpikingNetwork

    original = zipfile.ZipFile.open

    def stopped(self, *args, **kwargs):
        original(self, *args, **kwargs)
        signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(zipfile.ZipFile, "open", stopped)
    network = SpikingNetwork((Input("x", (), (), (2,)), Readout("out", ("x",), ((2,),), np.zeros(2))))
    with pytest.raises(SystemExit) as stop, ending("snntb-adsnn"):
        network.save(tmp_path / "n.npz")
    assert stop.value.code == 143
    assert capsys.readouterr().err == LINES[signal.SIGTERM] + "\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", LINES)
def test_stopped_while_it_imports(number, tmp_path):
    """At growing delays from the moment that Python has read the hook."""
    config = tmp_path / "c.ini"
    config.write_text("[paths]\nfilename_ann = net\n[training]\ndataset = iris\narchitecture = iris\nepochs = 100000\n")
    for delay in (0.0, 0.1, 0.3, 0.8):
        process = start("-m", "snntb_adsnn.cli", "train", config)
        # the hook has run where the process handles SIGTERM
        mask = 0
        while not mask >> (signal.SIGTERM - 1) & 1 and process.poll() is None:
            status = Path(f"/proc/{process.pid}/status").read_text()
            mask = int(next(line for line in status.splitlines() if line.startswith("SigCgt")).split()[1], 16)
        time.sleep(delay)
        process.send_signal(number)
        _, errors = process.communicate(timeout=60)
        assert (process.returncode, errors.strip().splitlines()) == (128 + number, [LINES[number]]), delay
