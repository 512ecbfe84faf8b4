"""Neurons without memories: random and extreme state words, every result bit against the golden model."""

from __future__ import annotations

import dataclasses
import os
import time
from typing import Any

import cocotb
import numpy as np
from adsnn_hls.arithmetic import FixedType, Words
from adsnn_hls.stages import FixedNeurons, NeuronState
from cocotb.clock import Clock
from cocotb.triggers import ReadOnly, RisingEdge

from snntb_adsnn.neuron.constants import STATES
from verification.benches.report import report
from verification.cases import TYPES, Types, neurons
from verification.tops import DRIVE_FRACTION, DRIVE_WIDTH, NEURON_LATENCY, neuron_fields

VECTORS = int(os.environ.get("ASN_VECTORS", "1500"))


CANDIDATES = 100_000


def stimuli(types: Types, seed: int) -> list[Words]:
    """I, V, S_hat, theta_a, drive: full range, around zero, ends of the ranges, spikes that just do not happen."""
    rng = np.random.default_rng(seed)
    found = []
    kinds = [*(getattr(types, state.word) for state in STATES), FixedType(DRIVE_WIDTH, DRIVE_WIDTH)]
    for kind in kinds:
        low, high = (-(1 << (kind.width - 1)) if kind.signed else 0), kind.high
        anywhere = rng.integers(low, high, CANDIDATES, endpoint=True)
        small = np.clip(rng.integers(-20, 20, CANDIDATES), low, high)
        ends = rng.choice([low, low + 1, 0, high - 1, high], CANDIDATES)
        found.append(np.choose(rng.integers(0, 4, CANDIDATES), [anywhere, anywhere, small, ends]))
    n = neurons((1,), types)
    draw = rng.random(CANDIDATES)
    found[2] = np.where(draw < 0.5, near_threshold(n, found, rng), found[2])
    if n.corrective:
        found[2] = np.where(draw < 0.25, near_threshold(n, found, rng, n.corrective / 4), found[2])
    # 2 (S - S_hat) equals theta, or is less than a step below it: a spike if theta0 were one step lower
    lower = dataclasses.replace(n, theta0=n.theta0 - 1)
    chosen = np.arange(0)
    for sign in (1, -1) if n.corrective else (1,):
        critical = np.flatnonzero((step(lower, found)[4] == sign) & (step(n, found)[4] == 0))[: VECTORS // 4]
        assert critical.size >= 20, "too few vectors at the threshold"
        chosen = np.concatenate([chosen, critical])
    chosen = np.concatenate([chosen, np.arange(VECTORS - chosen.size)])
    return [words[chosen] for words in found]


def near_threshold(n: FixedNeurons, words: list[Words], rng: np.random.Generator, c: float = 0) -> Words:
    """S_hat for which 2 (S - S_hat) comes within a few steps of theta, where the range allows it; with a ``c``, for
    which 2 (S_hat - max(S, 0)) comes near c theta.
    """
    S = (step(n, words)[1] + n.bias[0]) / 2.0**n.potential.fraction
    theta = (n.theta0 + words[3]) / 2.0**n.adaptation.fraction
    decayed = (np.maximum(S, 0) + c * theta / 2 if c else S - theta / 2) * 2.0**n.refractory.fraction
    before = np.round(decayed / (n.k_eta / 2.0**n.coefficient.fraction)) + rng.integers(-3, 3, len(S), endpoint=True)
    return np.clip(before, 0, n.refractory.high).astype(np.int64)


def step(n: FixedNeurons, words: list[Words]) -> list[Words]:
    """The golden model's next I, V, S_hat, theta_a and spikes."""
    state = NeuronState(n, len(words[0]))
    for s, w in zip(STATES, words, strict=False):
        setattr(state, s.name, w[:, None].copy())
    state.receive(words[-1][:, None], DRIVE_FRACTION)
    spikes = state.fire()
    return [w[:, 0] for w in (*state.words.values(), spikes)]


def pack(words: list[Words], widths: list[int]) -> list[int]:
    """One integer for each vector, the first field highest."""
    result = [0] * len(words[0])
    for field, width in zip(words, widths, strict=True):
        mask = (1 << width) - 1
        result = [r << width | (int(v) & mask) for r, v in zip(result, field.tolist(), strict=True)]
    return result


@cocotb.test()
async def every_bit(dut: Any) -> None:
    """A vector a clock into every neuron."""
    Clock(dut.clk, 10, "ns").start()
    feeds, checks = [], []
    for k, (name, types) in enumerate(TYPES.items()):
        ins, outs = neuron_fields(types)
        words = stimuli(types, k)
        wanted = step(neurons((1,), types), words)
        rate = (wanted[4] != 0).mean()
        assert (wanted[4] < 0).mean() > 0.02 or not types.corrective, f"{name}: few corrective spikes"
        assert 0.02 < rate < 0.98, f"{name}: {rate:.1%} of the vectors spike, which tests little"
        packed_in, packed_out = pack(words, ins), pack(wanted, outs)
        for variant in ("mul", "add"):
            feeds.append((getattr(dut, f"{name}_{variant}_in"), packed_in))
            checks.append((getattr(dut, f"{name}_{variant}_out"), packed_out, f"{name}_{variant}"))
    start = time.perf_counter()
    for clock in range(VECTORS + NEURON_LATENCY):
        if clock < VECTORS:
            for signal, values in feeds:
                signal.value = values[clock]
        await ReadOnly()
        if clock >= NEURON_LATENCY:
            for signal, values, name in checks:
                got = int(signal.value)
                assert got == values[clock - NEURON_LATENCY], (
                    f"{name}, vector {clock - NEURON_LATENCY}: {got:#x}, not {values[clock - NEURON_LATENCY]:#x}"
                )
        await RisingEdge(dut.clk)
    report("neurons", compared=5 * VECTORS * len(checks), clocks=VECTORS, seconds=time.perf_counter() - start)
