"""What the C++ is made for."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from adsnn_hls.stages import Stage
from snntb_adsnn.errors import ParameterError

BACKENDS = ("vitis", "vivado")
IO_TYPES = ("io_stream", "io_parallel")
STRATEGIES = ("auto", "latency", "resource")

# families of AMD (Xilinx) parts that the tools know: 7 series, UltraScale(+), Zynq, Kria, Versal, Spartan UltraScale+
_PART = re.compile(r"x[cqa](7[ask]\d+\w*|7vx?h?\d+\w*|7z\d+\w*|[akvsz]u\w+|k(24|26)|v[ehpmcr]\d+)-?[a-z]+\w*-\S+", re.I)


@dataclass(frozen=True)
class Options:
    """What the hardware is made for.

    Attributes:
        backend: ``vitis`` or ``vivado``.
        part: FPGA, with package and speed grade.
        clock_ns: clock period.
        io_type: ``io_stream``: a call is an image, stages work on successive steps at the same time; ``io_parallel``:
            a call is a step.
        steps: time steps of an image.
        reuse_factor: cycles that a stage's adders and neurons are shared over; 0 is automatic. By stage, or of all.
        strategy: ``auto``, ``latency`` or ``resource`` (hls4ml's), of the weighted sums.
        project: name of the C++ function and files.

    Raises:
        ParameterError: unknown backend, part or io type, or a number out of range.
    """

    backend: str = "vitis"
    part: str = "xcvu13p-flga2577-2-e"
    clock_ns: float = 5.0
    io_type: str = "io_stream"
    steps: int = 150
    reuse_factor: int | Mapping[str, int] = 0
    strategy: str = "auto"
    project: str = field(default="adsnn")

    def __post_init__(self) -> None:
        for name, allowed in (("backend", BACKENDS), ("io_type", IO_TYPES), ("strategy", STRATEGIES)):
            value = getattr(self, name)
            if value not in allowed:
                raise ParameterError(f"{name} {value!r} is unknown: choose {' or '.join(allowed)}.")
        if not _PART.fullmatch(self.part):
            raise ParameterError(
                f"part {self.part!r} is not the name of an AMD FPGA with package and speed grade; write it like "
                "xcvu13p-flga2577-2-e or xc7z020clg400-1."
            )
        if not (math.isfinite(self.clock_ns) and 0.5 <= self.clock_ns <= 1000):
            raise ParameterError(f"clock_ns = {self.clock_ns:g} is not allowed: choose a period of 0.5 to 1000 ns.")
        if not 1 <= self.steps <= 1 << 20:
            raise ParameterError(f"steps = {self.steps} is not allowed: choose 1 to {1 << 20}.")
        factors = self.reuse_factor.values() if isinstance(self.reuse_factor, Mapping) else [self.reuse_factor]
        if min(factors, default=0) < 0:
            raise ParameterError("reuse_factor is not allowed below 1 (or 0 for automatic).")

    def with_io_type(self, io_type: str) -> Options:
        """The same with another io type."""
        return dataclasses.replace(self, io_type=io_type)

    def reuse(self, stage: Stage) -> int:
        """The reuse factor asked for ``stage``; 0 is automatic."""
        return self.reuse_factor.get(stage.name, 0) if isinstance(self.reuse_factor, Mapping) else self.reuse_factor
