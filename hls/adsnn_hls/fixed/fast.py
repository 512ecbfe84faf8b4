"""The golden model, compiled: the same words as ``golden.reference``, in minutes for a whole test set.

A chain has no loops, so a stage can run all its steps before the next stage starts; one image's states then stay in
the cache, and only spikes travel, as lists of neuron numbers.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from adsnn_hls.arithmetic import Words
from adsnn_hls.arithmetic.kernels import Train
from adsnn_hls.arithmetic.steps import Range
from adsnn_hls.fixed.network import FixedNetwork
from adsnn_hls.fixed.result import GoldenResult, empty_corrective, empty_records
from adsnn_hls.stages import Stage
from adsnn_hls.stages.running import Program
from snntb_adsnn.neuron.constants import STATES

_CHUNK = 16  # images of one task


def fast(network: FixedNetwork, pixels: Words, steps: int, record: Collection[str]) -> GoldenResult:
    """As ``golden.reference``, on all cores."""
    images = len(pixels)
    result = _Buffers(network, images, steps, record)
    programs = [stage.program() for stage in network.stages]
    chunks = [range(start, min(start + _CHUNK, images)) for start in range(0, images, _CHUNK)]

    def work(chunk: range) -> tuple[Words, list[Words]]:
        return _run_chunk(network, programs, pixels, chunk, result)

    with ThreadPoolExecutor(min(len(chunks), os.cpu_count() or 1)) as executor:
        finished = list(executor.map(work, chunks))
    per_step = np.sum([spikes for spikes, _ in finished], axis=0)
    ranges: dict[str, dict[str, Range]] = {}
    for i, stage in enumerate(network.stages):
        stats = np.stack([parts[i] for _, parts in finished])
        ranges[stage.name] = {
            state.name: Range(int(stats[:, k, 0].min()), int(stats[:, k, 1].max()), int(stats[:, k, 2].sum()))
            for k, state in enumerate(STATES)
            if state.name in stage.state_types
        }
    spiking = [stage.name for stage in network.spiking]
    return GoldenResult(
        result.outputs,
        result.counts,
        dict(zip(spiking, per_step, strict=True)),
        ranges,
        network.dt,
        result.records,
        result.corrective,
    )


class _Buffers:
    """Where the chunks write their images' results."""

    def __init__(self, network: FixedNetwork, images: int, steps: int, record: Collection[str]) -> None:
        self.steps = steps
        self.outputs = np.empty((images, steps, network.readout.classes), np.int64)
        self.counts = {s.name: np.zeros((images, *s.shape), np.int32) for s in network.spiking}
        self.corrective = empty_corrective(network, images)
        self.records = empty_records(network, images, steps, record)

    def kept(self, stage: Stage, image: int) -> tuple[Words, ...]:
        """By state, rows (steps, words) that the kernels fill; empty where nothing is recorded."""
        records = self.records[stage.name]
        nothing = np.empty((0, 0), np.int64)
        names = (state.name for state in STATES)
        return tuple(records[q][image].reshape(self.steps, -1) if q in records else nothing for q in names)

    def spikes(self, stage: Stage, image: int, train: Train) -> Words:
        """Keep a stage's spikes of an image; returns their number in each step."""
        events, by_step = train.events[: train.offsets[-1]], np.diff(train.offsets)
        fired = events
        if stage.name in self.corrective:
            fired = np.where(events < 0, ~events, events)
            negative = self.corrective[stage.name][image]
            negative[...] = np.bincount(~events[events < 0], minlength=negative.size).reshape(negative.shape)
        counts = self.counts[stage.name][image]
        counts[...] = np.bincount(fired, minlength=counts.size).reshape(counts.shape)
        if "spikes" in self.records[stage.name]:
            found = np.zeros((self.steps, counts.size), self.records[stage.name]["spikes"].dtype)
            found[np.repeat(np.arange(self.steps), by_step), fired] = np.where(events < 0, -1, 1)
            self.records[stage.name]["spikes"][image] = found.reshape(self.steps, *counts.shape)
        return by_step


def _run_chunk(
    network: FixedNetwork, programs: list[Program], pixels: Words, chunk: range, result: _Buffers
) -> tuple[Words, list[Words]]:
    """Simulate some images; returns spikes by stage and step, and the statistics by stage."""
    steps = result.steps
    per_step = np.zeros((len(network.spiking), steps), np.int64)
    loops = [program.start(steps) for program in programs]
    for image in chunk:
        signal: Any = pixels[image]
        for i, (stage, loop) in enumerate(zip(network.stages, loops, strict=True)):
            signal = loop.run(signal, result.kept(stage, image))
            if stage.name in result.counts:
                per_step[i] += result.spikes(stage, image, signal)
        result.outputs[image] = signal
    return per_step, [loop.stats for loop in loops]
