"""Compiled kernels are never older than their sources."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import snntb_adsnn
from snntb_adsnn.engine.compiled import source_digest, sources
from snntb_adsnn.engine.event import kernels, record, team  # noqa: F401

KERNEL = """from snntb_adsnn.engine.compiled import compiled
from kernelpackage.middle import CONSTANT, middle

@compiled
def kernel(x):
    return middle(x) + CONSTANT
"""
MIDDLE = """from snntb_adsnn.engine.compiled import part
from kernelpackage import constants
from kernelpackage.constants import CONSTANT

@part
def middle(x):
    return x * constants.FACTOR
"""
CONSTANTS = "CONSTANT = 1\nFACTOR = 10\n"
PROGRAM = """import sys
sys.dont_write_bytecode = True
from kernelpackage.kernel import kernel
print(kernel(2), sum(kernel.stats.cache_hits.values()), sum(kernel.stats.cache_misses.values()))
"""


@pytest.fixture
def package(tmp_path):
    folder = tmp_path / "kernelpackage"
    folder.mkdir()
    texts = {"__init__": "", "kernel": KERNEL, "middle": MIDDLE, "constants": CONSTANTS, "other": "UNUSED = 1\n"}
    for name, text in texts.items():
        (folder / f"{name}.py").write_text(text)
    return folder


def called(package: Path, first: str = "") -> tuple[int, int, int]:
    """What the kernel returns, cache hits, cache misses; ``first`` is run before."""
    path = os.pathsep.join([str(package.parent), *filter(None, sys.path)])
    environment = {**os.environ, "PYTHONPATH": path, "NUMBA_CACHE_DIR": str(package.parent / "cache")}
    done = subprocess.run(
        [sys.executable, "-c", f"{first}{PROGRAM}"], env=environment, capture_output=True, text=True, check=True
    )
    return tuple(map(int, done.stdout.split()))


def test_a_change_of_any_source_compiles_anew(package):
    assert called(package) == (21, 0, 1)
    (package / "other.py").write_text("UNUSED = 2\n")  # not imported by the kernel
    assert called(package) == (21, 1, 0)
    for file, old, new, result in (
        ("constants", "CONSTANT = 1", "CONSTANT = 3", 23),  # frozen in the kernel
        ("constants", "FACTOR = 10", "FACTOR = 20", 41),  # frozen in what it calls
        ("middle", "x * constants", "-x * constants", -19),
    ):
        path = package / f"{file}.py"
        times, text = path.stat(), path.read_text()
        path.write_text(text.replace(old, new))
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))  # the time of a file tells nothing
        assert called(package) == (result, 0, 1)
        path.write_text(text)
    assert called(package) == (21, 1, 0)


def test_a_cache_without_room_or_damaged_costs_time_only(package):
    """As on a full disk: no file may grow."""
    full = "import resource, signal\nsignal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
    assert called(package, f"{full}resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))\n") == (21, 0, 1)
    assert not [file for file in (package.parent / "cache").rglob("*") if file.is_file()]
    assert called(package) == (21, 0, 1)
    assert called(package) == (21, 1, 0)
    for file in (package.parent / "cache").rglob("*.nb[ci]"):
        file.write_bytes(file.read_bytes()[:-100])
    assert called(package)[0] == 21


def test_digest_covers_all_that_the_kernels_freeze_and_little_more():
    event = {f"engine.event.{name}" for name in ("kernels", "collect", "deliver", "update", "simd", "words", "layout")}
    found = {name.removeprefix("snntb_adsnn.") for name in sources("snntb_adsnn.engine.event.kernels")}
    assert found == event | {"engine.event.team", "engine.event.arrays", "engine.compiled", "neuron.constants"}
    assert sources("snntb_adsnn.engine.event.record") >= {
        f"snntb_adsnn.engine.event.{name}" for name in ("layout", "words")
    }
    digest = source_digest("snntb_adsnn.engine.event.kernels")
    assert digest[:16] in kernels.advance._cache._cache_file._index_name


def test_nothing_else_is_kept_compiled():
    """numba's own cache would miss changes of what a kernel imports."""
    package = Path(snntb_adsnn.__file__).parent
    users = [f for f in package.rglob("*.py") if re.search(r"\bnjit\b|cache=True", f.read_text())]
    assert users == [package / "engine/compiled.py"]
