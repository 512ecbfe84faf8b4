"""Stages one by one: every beat and every state word that is written back, against the golden model's step."""

from __future__ import annotations

import os
import random
import time
from typing import Any

import cocotb
import numpy as np
from adsnn_hls.arithmetic import Words
from adsnn_hls.cores.instance import address_width
from adsnn_hls.stages.neurons import Spikes
from cocotb.clock import Clock
from numpy.typing import NDArray

from verification.benches.probes import probe
from verification.benches.report import report
from verification.benches.streams import Beat, Sink, Source, cycle, reset, run
from verification.cases import STAGES, Case

NAMES = os.environ.get("ASN_STAGES", ",".join(STAGES)).split(",")
STEPS = int(os.environ.get("ASN_STEPS", "8"))  # of the longest image


def event(address: Any, spikes: Spikes) -> int:
    """The word of a neuron's spike: its address, and above that a bit that says whether it is negative."""
    return int(address) | int(spikes[address] < 0) << address_width(len(spikes))


class Expectation:
    """What a stage should receive, send and store for a list of images.

    Attributes:
        sent: beats to send.
        beats: beats to receive.
        negative: how many of the spikes to receive are.
        states: by state word, one array (steps of all images, words), and for the first stage "held" (images, words).
    """

    def __init__(self, case: Case, steps: list[int], seed: int) -> None:
        self.case, self.rng = case, np.random.default_rng(seed)
        self.sent: list[Beat] = []
        self.beats: list[Beat] = []
        self.negative = 0
        self.states: dict[str, list[NDArray[Any]]] = {}
        for count in steps:
            self._image(count)

    def _keep(self, **words: Any) -> None:
        for name, value in words.items():
            self.states.setdefault(name, []).append(np.asarray(value).ravel().copy())

    def _spikes(self, inputs: int, step: int, steps: int) -> Spikes:
        """Input spikes of a step, sent in random order now and then: no order is promised."""
        rate = self.rng.choice([0.0, 0.1, 0.4, 1.0], p=[0.1, 0.4, 0.4, 0.1])
        spikes: Spikes = self.rng.random((1, inputs)) < rate
        if self.case.stage.signed_in:
            spikes = spikes * self.rng.choice(np.array([-1, 1], np.int8), spikes.shape, p=[0.3, 0.7])
        order = self.rng.permutation(np.flatnonzero(spikes[0]))
        self.sent += [(event(address, spikes[0]), 0, 0) for address in order]
        self.sent.append((0, 1, int(step == steps - 1)))
        return spikes

    def _pixels(self) -> Words:
        """An image, sent a pixel a beat."""
        stage: Any = self.case.stage
        pixels: Words = self.rng.integers(0, stage.pixel.high, (1, *stage.input_shape), endpoint=True)
        self.sent += [(int(p),) for p in pixels.ravel()]
        return pixels

    def _image(self, steps: int) -> None:
        stage = self.case.stage
        state = stage.start(1)
        pixels = self._pixels() if stage.place == "first" else None
        for step in range(steps):
            got = self._spikes(int(np.prod(stage.input_shape)), step, steps) if pixels is None else pixels
            sent = state.step(got)
            words = dict(state.words)
            if pixels is not None:
                held = words.pop("I")  # loaded once an image
                if step == 0:
                    self._keep(held=held)
            self._keep(**words)
            end = int(step == steps - 1)
            if stage.place == "last":
                self.beats.append((step << 16 | int(sent.argmax()), end))
            else:
                self.beats += [(event(address, sent.ravel()), 0, 0) for address in np.flatnonzero(sent)]
                self.negative += np.count_nonzero(sent < 0)
                self.beats.append((0, 1, end))


class Bench:
    """All stages with their drivers, probes and expectations."""

    def __init__(self, dut: Any, steps: list[int], stall: float, seed: int) -> None:
        self.dut = dut
        self.expected = {name: Expectation(STAGES[name], steps, seed + k) for k, name in enumerate(NAMES)}
        rng = random.Random(seed)
        self.sources = {n: Source(dut, f"{n}_s", e.sent, stall, rng) for n, e in self.expected.items()}
        self.sinks = {n: Sink(dut, f"{n}_m", stall, rng) for n in self.expected}
        self.probes = {n: probe(getattr(dut, n), STAGES[n]) for n in self.expected}

    async def finish(self, limit: int = 60_000) -> tuple[int, int]:
        """Run to the end and compare; returns (compared, clocks)."""
        parts = [*self.sources.values(), *self.sinks.values(), *self.probes.values()]

        def done() -> bool:
            return all(len(self.sinks[n].beats) >= len(e.beats) for n, e in self.expected.items())

        clocks = await run(self.dut, parts, done, limit)
        compared = 0
        for name, e in self.expected.items():
            got = self.sinks[name].beats
            assert got == e.beats, f"{name}: first difference at beat {_first_difference(got, e.beats)}"
            compared += len(e.beats) + self.probes[name].compare(name, e.states)
        return compared, clocks


def _first_difference(got: list[Beat], wanted: list[Beat]) -> str:
    for i, (a, b) in enumerate(zip(got, wanted, strict=False)):
        if a != b:
            return f"{i}: {a}, not {b}"
    return f"{min(len(got), len(wanted))}: lengths {len(got)} and {len(wanted)}"


async def start(dut: Any, steps: int) -> None:
    """Clock, settings, reset."""
    Clock(dut.clk, 10, "ns").start()
    dut.steps.value, dut.margin.value, dut.stop.value, dut.stop_image.value = steps, 0, 0, 0
    await reset(dut)


async def _compare(dut: Any, name: str, steps: list[int], stall: float, seed: int) -> None:
    await start(dut, steps[0])
    begin = time.perf_counter()
    bench = Bench(dut, steps, stall, seed)
    compared, clocks = await bench.finish()
    negative = sum(int(e.negative) for e in bench.expected.values())
    report(name, compared=compared, negative=negative, clocks=clocks, seconds=time.perf_counter() - begin)


@cocotb.test()
async def full_speed(dut: Any) -> None:
    """No pauses; images follow each other directly, one of them a single step long."""
    await _compare(dut, "stages, full speed", [STEPS, STEPS], 0.0, 1)
    await _compare(dut, "stages, one step an image", [1, 1, 1], 0.0, 2)


@cocotb.test()
async def pauses(dut: Any) -> None:
    """Random idle clocks and back-pressure on every stream."""
    await _compare(dut, "stages, pauses", [STEPS, STEPS], 0.4, 3)
    await _compare(dut, "stages, mostly stalled", [STEPS // 2], 0.85, 4)


@cocotb.test()
async def reset_in_the_middle(dut: Any) -> None:
    """Whatever was going on, after reset a run is as good as the first."""
    await start(dut, STEPS)
    compared = 0
    begin = time.perf_counter()
    for k in range(3):
        dut.steps.value = STEPS
        broken = Bench(dut, [STEPS, STEPS], 0.3, 10 + k)
        for _ in range(random.Random(k).randrange(40, 600)):
            await cycle(dut, [*broken.sources.values(), *broken.sinks.values()])
        await reset(dut, 1)
        dut.steps.value = STEPS // 2
        more, clocks = await Bench(dut, [STEPS // 2], 0.3, 20 + k).finish()
        compared += more
    report("stages, reset in the middle", compared=compared, clocks=clocks, seconds=time.perf_counter() - begin)
