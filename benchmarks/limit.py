"""The machine's limit for the event-driven algorithm: minimal kernels, times how often a run needs them.

What a run cannot avoid: every neuron is updated in every step, with each membrane potential that its pooling window
reads, and every spike adds one row of weights to each pixel it reaches. The kernels do this and nothing else: explicit
vectors, state in registers, everything else in the first cache, no event lists to make, no memory to clear. They round
as the reference does (no fused multiply-add), as the engine must.

``python -m benchmarks.limit NETWORK.npz IMAGES.npy STEPS`` prints JSON: on one core, the kernels' rates, the limit and
the engine's CPU time per image, measured in turns.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from snntb_adsnn.engine.event import engine as event
from snntb_adsnn.engine.event.arrays import aligned
from snntb_adsnn.engine.event.layout import CELL, CHANNEL_BITS, VECTOR
from snntb_adsnn.engine.event.maps import cells, drives
from snntb_adsnn.engine.event.simd import _Emitter, add_row_16, add_row_32, add_row_48, add_row_64
from snntb_adsnn.engine.event.words import address, pointer
from snntb_adsnn.engine.result import SimulationResult
from snntb_adsnn.network import Neurons, SpikingNetwork
from snntb_adsnn.network.edges import PixelMap, pixels
from snntb_adsnn.network.maps import Array

STEPS = 32
"""Steps of a kernel's inner loop: with them the drive of all widths stays in the first cache."""
WIDTHS = (16, 32, 64)
"""Neurons that a kernel updates side by side; the fastest counts."""
ROUNDS = 30
CHANNEL_MASK = CELL - 1
CONSTANTS = tuple(map(float, np.float32([0.98, 0.67, 0.33, 0.98, 0.935, 0.4, 0.4])))


# ---- what a run needs ------------------------------------------------------------------------------------------------


def updates(network: SpikingNetwork, steps: int) -> dict[tuple[int, bool], float]:
    """Neuron updates of one image, by (membrane potentials a neuron reads, whether spikes drive it)."""
    driven = {node.name: bool(paths) for node, paths in drives(network)}
    found: dict[tuple[int, bool], float] = {}
    for node in (*network.populations, network.readout):
        positions = 1
        if isinstance(node, Neurons) and node.pool is not None:
            read = np.unique(node.pool.pixels(*node.input_shapes[0][:2]))
            positions = max(1, round((read >= 0).sum() / pixels(node.shape)))
        key = (positions, driven[node.name])
        found[key] = found.get(key, 0) + np.prod(node.shape) * steps
    return found


def additions(network: SpikingNetwork, result: SimulationResult) -> dict[int, float]:
    """Row additions of one image of ``result``, by vectors of ``VECTOR`` weights in a row (a part counts whole)."""
    found: dict[int, float] = {}
    for node, paths in drives(network):
        reached = np.ones(pixels(node.input_shapes[0]), bool)
        if isinstance(node, Neurons) and node.pool is not None:
            reached[:] = False
            read = node.pool.pixels(*node.input_shapes[0][:2])
            reached[read[read >= 0]] = True
        for source, path in paths.items():
            spikes = _spikes_by_cell(result.spike_counts[source]) / len(result.outputs)
            for vectors, rows in _rows(path, reached, spikes):
                found[vectors] = found.get(vectors, 0) + rows
    return found


def _spikes_by_cell(counts: Array) -> Array:
    """Spikes of each cell (see ``engine.event.maps``) over all images."""
    channels = counts.shape[-1]
    by_pixel = counts.sum(axis=0, dtype=np.int64).reshape(-1, channels)
    starts = np.arange(len(cells(channels))) * CELL
    return np.add.reduceat(by_pixel, starts, axis=1).reshape(-1)


def _rows(path: PixelMap, reached: Array, spikes: Array) -> list[tuple[int, float]]:
    kept = reached[path.target]
    by_edge = np.where(kept, spikes[path.source], 0)
    by_band = np.bincount(path.band, by_edge, minlength=len(path.bands))
    return [(-(-band.width // VECTOR), float(rows)) for band, rows in zip(path.bands, by_band, strict=True)]


# ---- minimal kernels -------------------------------------------------------------------------------------------------


@cache
def update_kernel(positions: int, driven: bool, lanes: int) -> Callable[..., None]:
    """Compiled ``f(repeats, state, drive, masks)``: equations 1 to 7 of ``lanes`` neurons over ``STEPS`` steps.

    ``state`` holds I and V of each position, then S_hat, theta_a and bias (an undriven I is constant).
    """

    @intrinsic
    def advance(typing: Any, state: Any, drive: Any, masks: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            emit = _Emitter(builder, lanes)
            state, drive, masks = args
            k_beta, k_phi, g_phi, k_eta, k_gamma, m_f, theta0 = map(emit.constant, CONSTANTS)

            def at(k: int) -> Any:
                return ir.Constant(state.type, k * lanes)

            slots = [emit.variable(emit.load(state, at(k))) for k in range(2 * positions + 3)]
            S_hat, theta_a, bias = slots[2 * positions :]
            with cgutils.for_range(builder, ir.Constant(state.type, STEPS)) as loop:
                best = None
                for p in range(positions):
                    I, V = slots[p], slots[positions + p]
                    current = builder.load(I)
                    if driven:
                        row = builder.mul(loop.index, at(positions))
                        spikes = emit.load(drive, builder.add(row, at(p)))
                        current = builder.fadd(builder.fmul(k_beta, current), spikes)
                        builder.store(current, I)
                        current = builder.fmul(g_phi, current)
                    new_V = builder.fadd(builder.fmul(k_phi, builder.load(V)), current)
                    builder.store(new_V, V)
                    best = new_V if best is None else _larger(builder, best, new_V)
                S = builder.fadd(best, builder.load(bias))
                decayed, old = builder.fmul(k_eta, builder.load(S_hat)), builder.load(theta_a)
                theta = builder.fadd(theta0, old)
                twice = builder.fmul(emit.constant(2.0), builder.fsub(S, decayed))
                spiking = builder.fcmp_ordered(">", twice, theta)
                builder.store(builder.select(spiking, builder.fadd(decayed, theta), decayed), S_hat)
                raised = builder.select(spiking, builder.fadd(old, builder.fmul(m_f, theta)), old)
                builder.store(builder.fmul(k_gamma, raised), theta_a)
                word = ir.IntType(lanes)
                builder.store(builder.bitcast(spiking, word), pointer(builder, masks, loop.index, word, word))
            for k, slot in enumerate(slots):
                emit.store(builder.load(slot), state, at(k))
            return context.get_dummy_value()

        return types.void(*(types.int64,) * 3), generate

    @njit(nogil=True)
    def repeat(repeats: int, state: Array, drive: Array, masks: Array) -> None:
        for _ in range(repeats):
            advance(address(state), address(drive), address(masks))

    return repeat  # type: ignore[no-any-return]


def _larger(builder: Any, a: Any, b: Any) -> Any:
    return builder.select(builder.fcmp_ordered(">", a, b), a, b)


_ADD = {1: add_row_16, 2: add_row_32, 3: add_row_48, 4: add_row_64}


@cache
def addition_kernel(vectors: int) -> Callable[..., None]:
    """Compiled ``f(repeats, events, drive, weights)``: adds the weights' row of each event (step and channel)."""
    add, width = _ADD[vectors], vectors * VECTOR

    @njit(nogil=True, boundscheck=False)
    def repeat(repeats: int, events: Array, drive: Array, weights: Array) -> None:
        into, rows = address(drive), address(weights)
        for _ in range(repeats):
            for spike in events:
                add(into, (spike >> CHANNEL_BITS) * width, rows, (spike & CHANNEL_MASK) * width)

    return repeat  # type: ignore[no-any-return]


class _Timer:
    """The shortest time of one item of a kernel, over all calls of ``measure``."""

    def __init__(self, call: Callable[[int], Any], items: int) -> None:
        self.call, self.items, self.repeats, self.best = call, items, 1, np.inf
        call(1)  # compiles
        while self._time() < 1e-3:
            self.repeats *= 2

    def _time(self) -> float:
        start = time.perf_counter()
        self.call(self.repeats)
        return time.perf_counter() - start

    def measure(self) -> None:
        self.best = min(self.best, self._time() / (self.repeats * self.items))


def _update_timer(positions: int, driven: bool, lanes: int) -> _Timer:
    kernel = update_kernel(positions, driven, lanes)
    state, masks = aligned((2 * positions + 3) * lanes), aligned(STEPS, np.uint64)
    state[-lanes:] = 0.3  # bias: neurons spike now and then
    drive = aligned(STEPS * positions * lanes)
    return _Timer(lambda repeats: kernel(repeats, state, drive, masks), STEPS * lanes)


def _addition_timer(vectors: int) -> _Timer:
    kernel = addition_kernel(vectors)
    # neighbours add to different rows: none waits for the one before
    events = np.random.default_rng(0).permutation(STEPS * CELL)[:1024].astype(np.int32)
    drive, weights = aligned(STEPS * vectors * VECTOR), aligned(CELL * vectors * VECTOR)
    return _Timer(lambda repeats: kernel(repeats, events, drive, weights), len(events))


# ---- the comparison --------------------------------------------------------------------------------------------------


def distance(network: SpikingNetwork, x: Array, steps: int, rounds: int = ROUNDS) -> dict[str, Any]:
    """The limit, and the event engine on one core, in milliseconds of one image; see the module."""
    result = event.run(network, x, steps, frozenset(), threads=1)
    needed_updates, needed_additions = updates(network, steps), additions(network, result)
    by_update = {key: [_update_timer(*key, lanes) for lanes in WIDTHS] for key in needed_updates}
    by_addition = {v: _addition_timer(v) for v in {min(vectors, 4) for vectors in needed_additions}}
    ours = np.inf
    for _ in range(rounds):
        for timer in (t for timers in (*by_update.values(), by_addition.values()) for t in timers):
            timer.measure()
        start = time.thread_time()
        event.run(network, x, steps, frozenset(), threads=1)
        ours = min(ours, time.thread_time() - start)
    per_update = {key: min(t.best for t in timers) for key, timers in by_update.items()}
    update_ms = sum(n * per_update[key] for key, n in needed_updates.items()) * 1e3
    addition_ms = 0.0
    for vectors, rows in needed_additions.items():
        whole, rest = divmod(vectors, 4)
        addition_ms += rows * (whole * by_addition[4].best if whole else 0) * 1e3
        addition_ms += rows * (by_addition[min(rest, 4)].best if rest and not whole else 0) * 1e3
        addition_ms += rows * (by_addition[4].best * rest / 4 if rest and whole else 0) * 1e3
    ours_ms, limit_ms = ours / len(x) * 1e3, update_ms + addition_ms
    synapses = sum(rows * vectors * VECTOR for vectors, rows in needed_additions.items())
    return {
        "limit_ms": limit_ms,
        "limit_updates_ms": update_ms,
        "limit_additions_ms": addition_ms,
        "ours_ms": ours_ms,
        "distance": ours_ms / limit_ms,
        "firing_rate_hz": result.firing_rate_hz,
        "neuron_updates_per_image": float(sum(needed_updates.values())),
        "row_additions_per_image": sum(needed_additions.values()),
        "synaptic_additions_per_image": float(synapses),
        "neuron_updates_per_second": {
            f"{positions} potentials, {'driven' if driven else 'held'}": 1 / seconds
            for (positions, driven), seconds in per_update.items()
        },
        "row_additions_per_second": {f"{v * VECTOR} synapses": 1 / timer.best for v, timer in by_addition.items()},
    }


def main() -> None:
    """See the module."""
    network, images, steps = sys.argv[1:4]
    print("\n" + json.dumps(distance(SpikingNetwork.load(network), np.load(images), int(steps))))


if __name__ == "__main__":
    main()
