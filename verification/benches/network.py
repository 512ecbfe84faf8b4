"""The whole accelerator: registers, results and every state word of every stage against the golden model."""

from __future__ import annotations

import os
import random
import time
from functools import partial
from typing import Any

import cocotb
import numpy as np
from adsnn_hls.arithmetic import Words
from adsnn_hls.arithmetic.steps import Assign
from adsnn_hls.fixed import RECORDABLE, GoldenResult, simulate
from cocotb.clock import Clock
from cocotbext.axi import AxiLiteBus, AxiLiteMaster

from verification.benches.probes import probe
from verification.benches.report import report
from verification.benches.streams import Sink, Source, reset, run
from verification.networks import NETWORKS, cases

NAME = os.environ["ASN_NETWORK"]
NETWORK = NETWORKS[NAME][0]
IMAGES, STEPS = 4, 15
ID, RESET, STEPS_AT, MARGIN, DECISIONS, RESULTS = 0x00, 0x04, 0x08, 0x0C, 0x10, 0x14


def images(seed: int) -> Words:
    """Random pixel words."""
    return np.random.default_rng(seed).integers(0, 255, (IMAGES, *NETWORK.input_shape), endpoint=True)


async def start(dut: Any, steps: int, margin: int) -> AxiLiteMaster:
    """Reset and set the registers."""
    Clock(dut.clk, 10, "ns").start()
    dut.s_axis_tvalid.value, dut.m_axis_tready.value = 0, 0
    registers = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axil"), dut.clk, dut.rst_n, reset_active_level=False)
    await reset(dut)
    assert await registers.read_dword(ID) == 0x41534E31
    await registers.write_dword(RESET, 1)
    await registers.write_dword(STEPS_AT, steps)
    await registers.write_dword(MARGIN, margin)
    assert await registers.read_dword(STEPS_AT) == steps
    assert await registers.read_dword(MARGIN) == margin
    await registers.write_dword(RESET, 0)
    return registers


def finished(sink: Sink, count: int) -> bool:
    """Whether so many beats have come."""
    return len(sink.beats) >= count


def states(golden: GoldenResult, pixels: Words, name: str) -> dict[str, list[Any]]:
    """The golden model's records as the probes want them."""
    found = {
        quantity: list(words.reshape(IMAGES * STEPS, -1))
        for quantity, words in golden.records[name].items()
        if quantity != "spikes"
    }
    if name == NETWORK.analog.name:
        held = Assign(NETWORK.analog.neurons.current)(*NETWORK.analog.held_current(pixels))
        found["held"] = list(held.reshape(IMAGES, -1))
    return found


@cocotb.test()
async def every_word(dut: Any) -> None:
    """All results and state words, with pauses."""
    for stall in (0.0, 0.4):
        registers = await start(dut, STEPS, 0)
        pixels = images(int(10 * stall))
        golden = simulate(NETWORK, pixels, STEPS, record=RECORDABLE)
        rng = random.Random(1)
        source = Source(dut, "s_axis", [(int(p),) for p in pixels.ravel()], stall, rng)
        sink = Sink(dut, "m_axis", stall, rng)
        probes = {name: probe(getattr(dut.u_network, name), case) for name, case in cases(NAME).items()}
        begin = time.perf_counter()
        wanted = [
            (step << 16 | int(c), int(step == STEPS - 1)) for row in golden.decisions for step, c in enumerate(row)
        ]
        done = partial(finished, sink, len(wanted))
        clocks = await run(dut, [source, sink, *probes.values()], done, 100_000)
        seconds = time.perf_counter() - begin
        assert sink.beats == wanted
        compared = len(wanted)
        for name, p in probes.items():
            compared += p.compare(name, states(golden, pixels, name.split("_", 1)[1]))
        assert await registers.read_dword(DECISIONS) == IMAGES
        assert await registers.read_dword(RESULTS) == len(wanted)
        report(f"{NAME} network, stall {stall}", compared=compared, clocks=clocks, seconds=seconds)


def last_steps(leads: Words, margin: int) -> list[int]:
    """The step of each image's decision, from the leads of the best class, shape (images, steps)."""
    reached = leads >= margin
    return [int(row.argmax()) if row.any() else STEPS - 1 for row in reached]


@cocotb.test()
async def early_decisions(dut: Any) -> None:
    """An image ends when its two best classes are far enough apart, and the next one is not disturbed."""
    pixels = images(3)
    outputs = simulate(NETWORK, pixels, STEPS).outputs
    best = np.sort(outputs, axis=-1)
    leads = best[..., -1] - best[..., -2]
    # as many different ends as a margin can give
    margin = int(max(np.unique(leads), key=lambda m: len(set(last_steps(leads, m)))))
    ends = last_steps(leads, margin)
    assert len({step for step in ends if step < STEPS - 1}) > 1, "no decisions in different steps"
    await start(dut, STEPS, margin)
    wanted = [
        (step << 16 | int(output[step].argmax()), int(step == last))
        for last, output in zip(ends, outputs, strict=True)
        for step in range(last + 1)
    ]
    rng = random.Random(2)
    sink = Sink(dut, "m_axis", 0.2, rng)
    source = Source(dut, "s_axis", [(int(p),) for p in pixels.ravel()], 0.0, rng)
    begin = time.perf_counter()
    clocks = await run(dut, [source, sink], partial(finished, sink, len(wanted)), 100_000)
    assert sink.beats == wanted
    report(f"{NAME} network, early decisions", compared=len(wanted), clocks=clocks, seconds=time.perf_counter() - begin)
