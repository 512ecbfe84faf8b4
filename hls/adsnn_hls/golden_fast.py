"""The golden model, compiled: the same words as ``golden.reference``, in minutes for a whole test set.

A chain has no loops, so a stage can run all its steps before the next stage starts; one image's states then stay in
the cache, and only spikes travel, as lists of neuron numbers. A dense layer is a convolution of one pixel.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adsnn_hls.fixed import FixedType, Words
from adsnn_hls.golden import GoldenResult, Range, empty_records, held_current
from adsnn_hls.golden_kernels import CLIP, WRAP, ZERO, Cast, Filter, Fire, run_readout, run_spiking
from adsnn_hls.stages import AnalogStage, ConvStage, FixedNetwork, FixedNeurons, ReadoutStage, Stage, SynapticStage
from snntb_adsnn.network.maps import NO_PADDING, Window

_NARROW = 31  # states of up to so many bits are kept in int32: half the memory traffic, and cheaper products
_CHUNK = 16  # images of one task


def _cast(kind: FixedType, fraction: int) -> Cast:
    shift = fraction - kind.fraction
    assert shift >= 0
    half = 1 << (shift - 1) if shift else 0
    less = max(half - 1, 0)
    negative, positive, even = {
        "TRN": (0, 0, 0),
        "TRN_ZERO": ((1 << shift) - 1, 0, 0),
        "RND": (half, half, 0),
        "RND_MIN_INF": (less, less, 0),
        "RND_ZERO": (half, less, 0),
        "RND_INF": (less, half, 0),
        "RND_CONV": (less, less, int(shift > 0)),
    }[kind.rounding]
    overflow = {"SAT": CLIP, "SAT_SYM": CLIP, "SAT_ZERO": ZERO, "WRAP": WRAP}[kind.overflow]
    spare = 64 - kind.width if kind.signed else -1
    return Cast(shift, negative, positive, even, kind.low, kind.high, overflow, spare)


def _filter(
    current: FixedType, potential: FixedType, coefficient: FixedType, k_beta: int, g_phi: int, drive: int
) -> Filter:
    c = coefficient.fraction
    i = current.fraction + c
    total = max(i, drive)
    f = max(potential.fraction, current.fraction)
    return Filter(
        k_beta=k_beta,
        product=total - i,
        drive=total - drive,
        current=_cast(current, total),
        g_phi=g_phi,
        I_up=f - current.fraction,
        V_up=f - potential.fraction,
        V_total=f + c - potential.fraction,
        potential=_cast(potential, f + c),
    )


def _fire(n: FixedNeurons) -> Fire:
    c = n.coefficient.fraction
    v, s, a = n.potential.fraction, n.refractory.fraction, n.adaptation.fraction
    finest, jump = max(v, s, a), max(s, a)
    return Fire(
        k_eta=n.k_eta,
        decay=_cast(n.refractory, s + c),
        V_up=finest - v,
        S_hat_up=finest - s,
        theta_up=finest - a,
        jump=_cast(n.refractory, jump),
        S_hat_jump=jump - s,
        theta_jump=jump - a,
        k_gamma=n.k_gamma,
        m_gamma=n.m_gamma,
        theta0=n.theta0,
        adapt=_cast(n.adaptation, a + c),
    )


# ---- Python side ---------------------------------------------------------------------------------------------------


def run(network: FixedNetwork, pixels: Words, steps: int, record: Collection[str]) -> GoldenResult:
    """As ``golden.reference``, on all cores."""
    images = len(pixels)
    result = _Buffers(network, images, steps, record)
    prepared = [_Prepared(stage) for stage in network.stages]
    currents = _held(network.analog, pixels)
    chunks = [range(start, min(start + _CHUNK, images)) for start in range(0, images, _CHUNK)]

    def work(chunk: range) -> tuple[Words, list[Words]]:
        return _run_chunk(network, prepared, currents[0], chunk, result)

    with ThreadPoolExecutor(min(len(chunks), os.cpu_count() or 1)) as executor:
        finished = list(executor.map(work, chunks))
    per_step = np.sum([spikes for spikes, _ in finished], axis=0)
    ranges: dict[str, dict[str, Range]] = {}
    for i, stage in enumerate(network.stages):
        stats = np.stack([parts[i] for _, parts in finished])
        names = ("I", "V") if isinstance(stage, ReadoutStage) else ("I", "V", "S_hat", "theta_a")
        ranges[stage.name] = {
            q: Range(int(stats[:, k, 0].min()), int(stats[:, k, 1].max()), int(stats[:, k, 2].sum()))
            for k, q in enumerate(names)
        }
    ranges[network.analog.name]["I"] = currents[1]
    spiking = [stage.name for stage in network.spiking]
    return GoldenResult(
        result.outputs, result.counts, dict(zip(spiking, per_step, strict=True)), ranges, network.dt, result.records
    )


def _held(stage: AnalogStage, pixels: Words) -> tuple[Words, Range]:
    exact, fraction = held_current(stage, pixels)
    kind = stage.neurons.current
    I = kind.cast(exact, fraction)
    rounded = FixedType(62, 62 - kind.fraction, True, kind.rounding).cast(exact, fraction)
    return I, Range(min(int(I.min()), 0), max(int(I.max()), 0), int(np.count_nonzero(I != rounded)))


class _Buffers:
    """Where the chunks write their images' results."""

    def __init__(self, network: FixedNetwork, images: int, steps: int, record: Collection[str]) -> None:
        self.steps = steps
        self.outputs = np.empty((images, steps, network.readout.classes), np.int64)
        self.counts = {s.name: np.zeros((images, *s.neurons.shape), np.int32) for s in network.spiking}
        self.records = empty_records(network, images, steps, record)

    def kept(self, stage: Stage, image: int, names: tuple[str, ...]) -> tuple[Words, ...]:
        """Rows (steps, neurons) that the kernels fill; empty where nothing is recorded."""
        records = self.records[stage.name]
        nothing = np.empty((0, 0), np.int64)
        return tuple(records[q][image].reshape(self.steps, -1) if q in records else nothing for q in names)


class _Prepared:
    """A stage in the form that the kernels take."""

    def __init__(self, stage: Stage) -> None:
        self.weights: NDArray[np.int32] = np.zeros((0, 0, 0, 0), np.int32)
        self.geometry: Any = None
        drive = 0
        self.sum_dtype: type[np.signedinteger[Any]] = np.int32
        if isinstance(stage, SynapticStage):
            self.sum_dtype = np.int32 if stage.accumulator.width <= _NARROW else np.int64
            convolution = isinstance(stage, ConvStage)
            window = stage.window if isinstance(stage, ConvStage) else Window((1, 1))
            image = stage.image if isinstance(stage, ConvStage) else (1, 1, stage.weights.shape[0])
            weights = stage.weights if convolution else stage.weights[None, None]
            self.weights = np.ascontiguousarray(weights, np.int32)
            output = window.output_size(*image[:2])
            top_left = (window.padding[0][0], window.padding[1][0])
            self.geometry = (image, window.size, window.strides, top_left, output)
            self.pixels, self.channels = output[0] * output[1], weights.shape[3]
            drive = stage.accumulator.fraction
        if isinstance(stage, ReadoutStage):
            self.filter = _filter(stage.current, stage.potential, stage.coefficient, stage.k_beta, stage.g_phi, drive)
            return
        n: FixedNeurons = stage.neurons  # type: ignore[attr-defined]
        self.channels = n.input_shape[-1]
        self.pixels = int(np.prod(n.input_shape[:-1]))
        self.geometry = self.geometry or ((1, 1, 1), (1, 1), (1, 1), (0, 0), (1, 1))
        self.filter = _filter(n.current, n.potential, n.coefficient, n.k_beta, n.g_phi, drive)
        self.fire = _fire(n)
        self.bias = np.ascontiguousarray(np.broadcast_to(n.bias, n.shape)).reshape(-1)
        self.neurons = n
        widest = max(t.width for t in (n.current, n.potential, n.refractory, n.adaptation))
        self.dtype = np.int32 if widest <= _NARROW else np.int64
        pool = n.pool or Window((1, 1))
        if n.pool is None or (pool.size == (1, 1) and pool.padding == NO_PADDING and pool.strides == (1, 1)):
            self.pool = ((0, 0), (0, 0), (0, 0), (0, 0), (0, 0), (0, 0))
        else:
            top_left = (pool.padding[0][0], pool.padding[1][0])
            shape = (n.input_shape[0], n.input_shape[1])
            self.pool = (shape, (n.shape[0], n.shape[1]), pool.size, pool.strides, top_left, pool.dilation)

    def accumulator(self) -> NDArray[Any]:
        """Fresh memory for one step's sums."""
        return np.empty((self.pixels, self.channels), self.sum_dtype)


def _run_chunk(
    network: FixedNetwork, prepared: list[_Prepared], currents: Words, chunk: range, result: _Buffers
) -> tuple[Words, list[Words]]:
    """Simulate some images; returns spikes by stage and step, and the statistics by stage."""
    steps = result.steps
    per_step = np.zeros((len(network.spiking), steps), np.int64)
    stats = [np.zeros((4, 3), np.int64) for _ in network.stages]
    accumulators = [p.accumulator() for p in prepared]
    buffers = [np.empty(steps * stage.neurons.size, np.int32) for stage in network.spiking]
    for image in chunk:
        events, offsets = np.empty(0, np.int32), np.zeros(steps + 1, np.int64)
        for i, stage in enumerate(network.spiking):
            p, n = prepared[i], stage.neurons
            # held currents may need the wider type although the state words are narrow: both fit ``dtype``
            I = np.zeros(p.pixels * p.channels, p.dtype)
            if isinstance(stage, AnalogStage):
                I[:] = currents[image].reshape(-1)
            states = (I, np.zeros_like(I), *(np.zeros(n.size, p.dtype) for _ in range(3)))
            offsets_out = np.zeros(steps + 1, np.int64)
            run_spiking(
                events,
                offsets,
                p.weights,
                p.geometry,
                accumulators[i],
                p.filter,
                p.fire,
                p.bias,
                p.pool,
                states,
                buffers[i],
                offsets_out,
                stats[i],
                result.kept(stage, image, ("I", "V", "S_hat", "theta_a")),
            )
            events, offsets = buffers[i], offsets_out
            fired = events[: offsets[-1]]
            result.counts[stage.name][image] = np.bincount(fired, minlength=n.size).reshape(n.shape)
            per_step[i] += np.diff(offsets)
            if "spikes" in result.records[stage.name]:
                train = np.zeros((steps, n.size), np.bool_)
                train[np.repeat(np.arange(steps), np.diff(offsets)), fired] = True
                result.records[stage.name]["spikes"][image] = train.reshape(steps, *n.shape)
        p, last = prepared[-1], network.readout
        run_readout(
            events,
            offsets,
            p.weights,
            p.geometry,
            accumulators[-1],
            p.filter,
            last.bias,
            result.outputs[image],
            stats[-1],
            result.kept(last, image, ("I", "V")),
        )
    return per_step, stats
