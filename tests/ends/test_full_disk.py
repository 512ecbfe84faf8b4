"""A full disk is one sentence that says so: for our own files, for copies of folders, and for other programs.

What needs no root: stand-ins of compilers that print what real ones do, and a limit for the size of files. Where a disk
can be mounted, a real one is filled.
"""

from __future__ import annotations

import errno
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest
from adsnn_hls.cpp import project
from adsnn_hls.cpp.folder import replaced_folder
from adsnn_hls.rtl.tools import run_tool

from snntb_adsnn import files
from snntb_adsnn.errors import OutputError
from snntb_adsnn.files import atomic_write, need_space, reason, write_json
from snntb_adsnn.frontends.keras.choice import quiet_start
from snntb_adsnn.toolbox.logs import save

ROOT = Path(__file__).parents[2]
SAYS = r"^{} stopped since the disk is full: it writes to .*\. Free space, choose another folder, or set TMPDIR .*\.$"


# ---- words -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "the disk is full"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "the disk is full"),
        (OSError(errno.EFBIG, "File too large"), "it would be larger than a file may be here"),
        (OSError(errno.EROFS, "Read-only file system"), "the disk is read-only"),
        (PermissionError(errno.EACCES, "Permission denied"), "you have no permission"),
        (shutil.Error([("a", "b", "[Errno 28] No space left on device: 'b'")] * 300), "the disk is full"),
        (OSError(errno.ELOOP, "Too many levels of symbolic links"), "symbolic links lead in a circle"),
        (OSError(), "OSError"),
    ],
)
def test_reasons(error, words):
    assert reason(error) == words


# ---- other programs ----------------------------------------------------------------------------------------------------


def stand_in(folder: Path, text: str) -> Path:
    """A program that prints ``text`` and fails."""
    program = folder / "tool"
    program.write_text(f"#!/bin/sh\ncat >&2 <<'END'\n{text}\nEND\nexit 1\n")
    program.chmod(0o755)
    return program


COMPILER = "net.cpp: fatal error: error writing to /tmp/cc.s: No space left on device\ncompilation terminated."
LINKER = "/usr/bin/ld: final link failed: No space left on device\ncollect2: error: ld returned 1 exit status"


@pytest.mark.parametrize("output", [COMPILER, LINKER])
def test_the_compiler(tmp_path, monkeypatch, output):
    monkeypatch.setenv("CXX", str(stand_in(tmp_path, output)))
    (tmp_path / "csim.sh").write_text('exec $CXX "$@"\n')
    with pytest.raises(OutputError, match=SAYS.format(r"the C\+\+ compiler")):
        project.compile_project(tmp_path)


def test_a_mistake_of_the_compiler_is_not_taken_for_a_full_disk(tmp_path, monkeypatch):
    monkeypatch.setenv("CXX", str(stand_in(tmp_path, "net.cpp:3: error: expected ';'")))
    (tmp_path / "csim.sh").write_text('exec $CXX "$@"\n')
    with pytest.raises(project.ToolError, match="the C.. compiler stopped: .* expected"):
        project.compile_project(tmp_path)


@pytest.mark.parametrize("output", [COMPILER, "%Error: Cannot write obj/Vtop.cpp: No space left on device"])
def test_verilator_and_make(tmp_path, output):
    with pytest.raises(OutputError, match=SAYS.format("tool")):
        run_tool([str(stand_in(tmp_path, output))], tmp_path)


def test_a_program_without_words(tmp_path, monkeypatch):
    """One that dies of it, or whose own output did not fit, either."""
    need_space("tool", tmp_path, "Bus error")
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(files.shutil, "disk_usage", lambda place: usage(1, 1, 0 if place == str(tmp_path) else 9999))
    with pytest.raises(OutputError, match=rf"it writes to {tmp_path}\. Free space"):
        need_space("tool", tmp_path, "Bus error")


# ---- a limit for the size of files -------------------------------------------------------------------------------------


def test_a_command(tmp_path):
    """The model of a run does not fit; it ends before TensorFlow is imported."""
    (tmp_path / "c.ini").write_text(
        "[paths]\nfilename_ann = net\n[simulation]\nsimulator = adsnn\nduration = 9\n[training]\ndataset = digits\n"
        f"architecture = digits\n[adsnn]\npretrained = {ROOT / 'configs' / 'models' / 'digits.h5'}\n"
    )

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))

    done = subprocess.run(
        [sys.executable, "-m", "snntb_adsnn.cli", "sweep", "c.ini"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "hls")])},
        capture_output=True,
        text=True,
        preexec_fn=limit,
    )
    says = f"snntb-adsnn: {tmp_path / 'net.h5'}: cannot be written (it would be larger than a file may be here); "
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"{says}free space, or choose another folder.\n"
    assert {path.name for path in tmp_path.iterdir()} == {"c.ini"}


# ---- a real disk -------------------------------------------------------------------------------------------------------


@pytest.fixture
def full_disk(tmp_path):
    """A small disk with some bytes left, which only root can mount."""
    place = tmp_path / "disk"
    place.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=128k", "none", str(place)]
    if shutil.which("mount") is None or subprocess.run(words, capture_output=True).returncode:
        pytest.skip("mounting a small disk needs root")
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


def test_our_files(full_disk):
    random = np.random.default_rng(0).bytes(300_000)
    for write in (
        lambda path: atomic_write(path, random),
        lambda path: write_json(path, [0.1] * 100_000),
        lambda path: save(path, {"x": np.frombuffer(random, np.uint8)}),
    ):
        with pytest.raises(
            OutputError, match=rf"^{full_disk}/f\.x: cannot be written \(the disk is full\); free space"
        ):
            write(full_disk / "f.x")
        assert list(full_disk.iterdir()) == []


def test_copies_of_folders(full_disk, tmp_path):
    (tmp_path / "source").mkdir()
    for number in range(20):
        (tmp_path / "source" / str(number)).write_bytes(bytes(20_000))
    with (
        pytest.raises(
            OutputError,
            match=rf"^{full_disk}/p: cannot be written \(the disk is full\); free space, or choose another folder\.$",
        ),
        replaced_folder(full_disk / "p") as folder,
    ):
        shutil.copytree(tmp_path / "source", folder / "copy")
    assert list(full_disk.iterdir()) == []


def test_temporary_files(full_disk, monkeypatch):
    """What is written to standard error while TensorFlow starts is no reason to fail."""
    (full_disk / "fill").write_bytes(bytes(128 * 1024))
    monkeypatch.setattr(tempfile, "tempdir", str(full_disk))
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "3")
    with quiet_start():
        os.write(2, b"")
    with pytest.raises(OutputError, match=rf"tool stopped since the disk is full: it writes to {full_disk}\."):
        need_space("tool", full_disk.parent, "")
