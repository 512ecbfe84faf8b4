"""AXI4-Stream drivers; one loop serves all devices under test, since cocotb's cost is in waking coroutines."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from cocotb.triggers import ReadOnly, RisingEdge

Beat = tuple[int, ...]


def signals(dut: Any, prefix: str, names: Sequence[str]) -> dict[str, Any]:
    """The signals of a stream that exist."""
    return {name: getattr(dut, f"{prefix}_{name}") for name in names if hasattr(dut, f"{prefix}_{name}")}


class Source:
    """Sends beats (tdata[, tlast, tuser]); pauses in a share ``stall`` of the clocks, never within an offer."""

    def __init__(self, dut: Any, prefix: str, beats: Sequence[Beat], stall: float, rng: random.Random) -> None:
        self.fields = list(signals(dut, prefix, ("tdata", "tlast", "tuser")).values())
        self.valid, self.ready = getattr(dut, f"{prefix}_tvalid"), getattr(dut, f"{prefix}_tready")
        self.beats, self.stall, self.rng = beats, stall, rng
        self.sent, self.offering = 0, False
        self.valid.value = 0

    def drive(self) -> None:
        if not self.offering:
            self.offering = self.sent < len(self.beats) and self.rng.random() >= self.stall
            self.valid.value = int(self.offering)
            if self.offering:
                for signal, value in zip(self.fields, self.beats[self.sent], strict=True):
                    signal.value = value

    def sample(self) -> None:
        if self.offering and self.ready.value == 1:
            self.sent += 1
            self.offering = False


class Sink:
    """Collects beats, pauses, and checks that an offer stays as it is until it is taken."""

    def __init__(self, dut: Any, prefix: str, stall: float, rng: random.Random) -> None:
        self.prefix = prefix
        self.fields = list(signals(dut, prefix, ("tdata", "tlast", "tuser")).values())
        self.valid, self.ready = getattr(dut, f"{prefix}_tvalid"), getattr(dut, f"{prefix}_tready")
        self.stall, self.rng = stall, rng
        self.beats: list[Beat] = []
        self._taking = False
        self._waiting: Beat | None = None
        self.ready.value = 0

    def drive(self) -> None:
        self._taking = self.rng.random() >= self.stall
        self.ready.value = int(self._taking)

    def sample(self) -> None:
        if self.valid.value == 1:
            beat = tuple(int(signal.value) for signal in self.fields)
            assert self._waiting in (None, beat), f"{self.prefix}: offer {self._waiting} became {beat}"
            if self._taking:
                self.beats.append(beat)
            self._waiting = None if self._taking else beat
        else:
            assert self._waiting is None, f"{self.prefix}: offer {self._waiting} was withdrawn"


async def reset(dut: Any, clocks: int = 3) -> None:
    """Hold reset for some clocks."""
    dut.rst_n.value = 0
    for _ in range(clocks):
        await RisingEdge(dut.clk)
    dut.rst_n.value = 1


async def cycle(dut: Any, parts: Sequence[Any]) -> None:
    """One clock: drive, let it settle, sample."""
    for part in parts:
        part.drive()
    await ReadOnly()
    for part in parts:
        part.sample()
    await RisingEdge(dut.clk)


async def run(dut: Any, parts: Sequence[Any], done: Any, limit: int) -> int:
    """Clock all ``parts`` until ``done()``; returns the clocks it took.

    Raises:
        AssertionError: not done after ``limit`` clocks: a deadlock or lost beats.
    """
    for clock in range(limit):
        await cycle(dut, parts)
        if clock % 16 == 0 and done():
            return clock
    assert done(), f"not done after {limit} clocks"
    return limit
