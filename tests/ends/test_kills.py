"""Commands that are stopped or killed at random moments, and started again: the result is that of an undisturbed one.

``ADSNN_KILLS`` is how many the slow test does in all (200), ``ADSNN_KILLS_SEED`` draws the moments.
"""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
NET = ROOT / "tests" / "catalogue" / "net.h5"
KILLS = int(os.environ.get("ADSNN_KILLS", "200"))
SEED = int(os.environ.get("ADSNN_KILLS_SEED", "0"))
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)
STOPPED = {
    signal.SIGINT: "snntb-adsnn: stopped by Ctrl-C;",
    signal.SIGTERM: "snntb-adsnn: stopped by SIGTERM;",
}
LONGEST = 300
"""Seconds that a command may take, whatever else the machine does."""

_TRAINED = """
[paths]
filename_ann = net
path_wd = run
dataset_path = data
[training]
dataset = iris
architecture = iris
epochs = 6
learning_rate = 0.03
"""
_SIMULATED = """
[paths]
filename_ann = net
[simulation]
simulator = adsnn
duration = 30
num_to_test = 20
batch_size = 10
[output]
log_vars = {'all'}
[adsnn]
engine = reference
plots = False
[training]
dataset = digits
architecture = digits
[sweep]
m_f = 0.1, 0.2, 0.4
[arousal]
threshold = 0.05
m_f_low = 0.5
waiting_time = 10
accumulation_time = 10
"""
_HARDWARE = f"""
[paths]
filename_ann = net
path_wd = run
dataset_path = data
[simulation]
duration = 20
[adsnn]
pretrained = {ROOT / "configs" / "models" / "iris.h5"}
[training]
dataset = iris
architecture = iris
[hls]
steps = 8
accuracy_images = 10
calibration_images = 10
"""
COMMANDS: dict[str, tuple[str, tuple[str, ...]]] = {
    "train": (_TRAINED, ("train", "c.ini")),
    "run": (_SIMULATED, ("run", "c.ini", "--json", "copy.json")),
    "sweep": (_SIMULATED, ("sweep", "c.ini", "--workers", "1")),
    "arousal": (_SIMULATED, ("arousal", "c.ini", "--workers", "1")),
    "hls": (_HARDWARE, ("hls", "c.ini", "--output", "project", "--csim", "2")),
    "paper": (_SIMULATED, ("paper", "c.ini", "--quick", "--output", "paper")),
}
"""By name the configuration and the words of a command."""
_UNLIKE = {"seconds", "versions", "sha256"}
"""Keys of JSON files that differ between two equal runs: times, and digests of what holds them."""


@dataclass
class Place:
    """A folder in which a command is started, stopped and started again.

    Attributes:
        command: its name in ``COMMANDS``.
        folder: with a folder ``temporary`` for temporary files.
        happened: what was done, for messages.
        faults: what was not as it should be.
    """

    command: str
    folder: Path
    happened: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        text, _ = COMMANDS[self.command]
        self.work.mkdir(parents=True)
        self.temporary.mkdir()
        (self.work / "c.ini").write_text(text)
        if "path_wd" not in text:
            shutil.copy(NET, self.work / "net.h5")
            x = np.random.default_rng(0).random((30, 64)).astype(np.float32)
            for name, array in {"x_test": x, "x_norm": x, "y_test": np.eye(10)[np.arange(30) % 10]}.items():
                np.savez(self.work / f"{name}.npz", array)

    @property
    def work(self) -> Path:
        """Where the command is at work."""
        return self.folder / "work"

    @property
    def temporary(self) -> Path:
        """The command's TMPDIR."""
        return self.folder / "temporary"

    def start(self) -> subprocess.Popen[str]:
        """Start the command, and wait until it handles SIGTERM: before that it is not ours yet."""
        paths = os.pathsep.join(str(ROOT / name) for name in (".", "hls", "autoload"))
        # one thread: parallel sums are rounded differently each time
        threads = dict.fromkeys(("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"), "1")
        process = subprocess.Popen(
            [sys.executable, "-m", "snntb_adsnn.cli", *COMMANDS[self.command][1]],
            cwd=self.work,
            env={
                **os.environ,
                **threads,
                "PYTHONPATH": paths,
                "CUDA_VISIBLE_DEVICES": "",
                "TMPDIR": str(self.temporary),
                "PYTHONHASHSEED": "0",  # the toolbox writes sets
            },
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl-C goes to a terminal's whole group
            # tests that a shell started in the background ignore SIGINT, and so would the command
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        caught = 0
        while not caught >> (signal.SIGTERM - 1) & 1 and process.poll() is None:
            status = Path(f"/proc/{process.pid}/status").read_text()
            caught = int(next(line for line in status.splitlines() if line.startswith("SigCgt")).split()[1], 16)
        return process

    def finish(self) -> float:
        """Let the command do its work; returns the seconds that it took."""
        process = self.start()
        start = time.monotonic()
        _, errors = process.communicate(timeout=LONGEST)
        self.wrong(process.returncode != 0 or bool(errors), errors)
        return time.monotonic() - start

    def disturb(self, number: signal.Signals, delay: float) -> bool:
        """Start the command and send it a signal after ``delay`` seconds; returns whether it came in time."""
        process = self.start()
        time.sleep(delay)
        (os.killpg if number == signal.SIGINT else os.kill)(process.pid, number)
        _, errors = process.communicate(timeout=LONGEST)
        self.happened.append(f"{number.name} after {delay:.3f} s: exit code {process.returncode}")
        lines = errors.splitlines()
        if process.returncode == 0:  # it was at its end
            self.wrong(bool(lines), errors)
        elif number == signal.SIGKILL:
            self.wrong(process.returncode != -number, errors)
        else:
            as_said = len(lines) == 1 and lines[0].startswith(STOPPED[number])
            self.wrong(process.returncode != 128 + number or not as_said, errors)
        return process.returncode != 0

    def wrong(self, is_wrong: bool, told: str) -> None:
        """Note a fault."""
        if is_wrong:
            self.faults.append("\n".join([self.command, *self.happened, told]))

    def no_leftovers(self) -> None:
        """Nothing unfinished is left in the folders."""
        left = [str(path) for path in self.folder.rglob("*") if unfinished(path.relative_to(self.folder))]
        self.wrong(bool(left), f"left: {left}")


def unfinished(path: Path) -> bool:
    """Whether a file or folder is one that a command makes while it is at work."""
    inside = path.parts[0] == "temporary" and len(path.parts) > 1
    return inside or any(re.match(r"\.tmp-|\.project-", part) for part in path.parts)


# ---- what a command has written ----------------------------------------------------------------------------------------


def contents(place: Place) -> dict[str, Any]:
    """All files of a finished command by name, in a form that is the same after every run."""
    found = {}
    for path in sorted(place.work.rglob("*")):
        name = str(path.relative_to(place.work))
        if path.is_file() and path.suffix != ".lock" and path.name != ".lock" and not unfinished(Path("work", name)):
            found[name] = content(path, str(place.work))
    return found


def content(path: Path, folder: str) -> Any:
    """Of one file: paths, times, versions and what compilers write apart."""
    if path.suffix == ".npz":
        with np.load(path, allow_pickle=True) as file:
            return {key: plain(file[key]) for key in sorted(file)}
    if path.suffix == ".h5":
        weights: dict[str, Any] = {}
        with h5py.File(path) as file:
            file.visititems(
                lambda name, item: weights.update({name: plain(item[()])} if hasattr(item, "shape") else {})
            )
        return weights
    data = path.read_bytes()
    if path.suffix in (".png", ".html") or data[:4] == b"\x7fELF":
        return bool(data)
    text = data.decode(errors="surrogateescape").replace(folder, "FOLDER")
    if path.suffix == ".json":
        return without(json.loads(text))
    text = re.sub(r"(Stamp: |LIB_STAMP=)\w+", r"\1", text)  # hls4ml draws one for each project
    return re.sub(r"/tmp[\w/.-]*", "TEMPORARY", text)


def plain(array: np.ndarray[Any, Any]) -> tuple[Any, ...]:
    """An array's type, shape and bytes; of one of objects, what they hold. A header in JSON is told without times."""
    if array.dtype == object:
        return array.shape, tuple(plain(np.asarray(item)) for item in array.ravel())
    return array.dtype.str, array.shape, array.tobytes()


def without(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: without(value) for key, value in data.items() if key not in _UNLIKE}
    return [without(value) for value in data] if isinstance(data, list) else data


def unlike(found: dict[str, Any], expected: dict[str, Any]) -> list[str]:
    """Names of the files that differ or are there in one of both only."""
    return sorted(name for name in {*found, *expected} if name not in found or found[name] != expected.get(name))


# ---- tests -------------------------------------------------------------------------------------------------------------


def disturbed(command: str, folder: Path, kills: int, most: int, report: Any = None) -> int:
    """Disturb a command ``kills`` times, at most ``most`` times in one folder, and compare each time that it is let to
    its end; returns how many came in time."""
    calm = Place(command, folder / "calm")
    duration = calm.finish()
    expected = contents(calm)
    calm.no_leftovers()
    assert not calm.faults, calm.faults
    draw, done, in_time, faults = random.Random(f"{SEED} {command}"), 0, 0, []
    while done < kills:
        place = Place(command, folder / str(done))
        killed = False
        for _ in range(min(draw.randint(1, most), kills - done)):
            chosen = SIGNALS[done % len(SIGNALS)]
            in_time += place.disturb(chosen, draw.uniform(0, duration))
            done += 1
            killed = killed or chosen == signal.SIGKILL
            if not killed:
                place.no_leftovers()
        place.finish()
        different = unlike(contents(place), expected)
        place.wrong(bool(different), f"differ from an undisturbed run: {different}")
        if report:
            report(f"{time.strftime('%H:%M:%S')} {command} {done}: {'; '.join(place.happened)}")
            for fault in place.faults:
                report(f"FAULT {fault}")
        faults += place.faults
        if not place.faults:
            shutil.rmtree(place.folder)
    assert not faults, "\n\n".join(faults)
    return in_time


@pytest.mark.parametrize("command", ["train", "run"])
def test_a_few_kills(command, tmp_path):
    assert disturbed(command, tmp_path, 3, most=3)


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_many_kills(command, tmp_path, capsys):
    at = list(COMMANDS).index(command)
    share = KILLS // len(COMMANDS) + (at < KILLS % len(COMMANDS))

    def report(line: str) -> None:
        with capsys.disabled():
            print(line, flush=True)

    in_time = disturbed(command, tmp_path, share, most=3, report=report)
    report(f"{command}: {in_time} of {share} came before the end")
    assert in_time > share / 2
