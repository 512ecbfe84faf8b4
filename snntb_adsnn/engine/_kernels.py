# Array types are numba's to infer.
# mypy: disable-error-code="no-untyped-def,untyped-decorator"
"""Compiled loops of the event engine: one image, layer by layer, over chunks of time steps.

Compiled once per machine and numba version (numba's cache lies beside this file or in ``NUMBA_CACHE_DIR``). Columns and
arrays are those of ``_plan.Plan``.
"""

from __future__ import annotations

from numba import njit, uint64

from snntb_adsnn.engine import _simd
from snntb_adsnn.engine._plan import CHANNEL_BITS, Constant, Layer, Piece
from snntb_adsnn.engine._simd import LANES, VECTOR

# numba freezes module constants: enumerations become plain numbers
(BLOCK, BLOCKS, POSITIONS, PLANE, STRIDE, HELD, SPIKING, NEURON, NEURONS, PIXEL, PIXELS, CHANNELS) = map(int, Layer)
K_BETA, K_PHI, G_PHI, K_ETA, K_GAMMA, M_F, THETA0 = map(int, Constant)
LANE, WEIGHT, WEIGHT_STRIDE, VECTORS, ROW = map(int, Piece)
CHANNEL_MASK = (1 << CHANNEL_BITS) - 1

_compiled = njit(nogil=True, cache=True, error_model="numpy", boundscheck=False)


@_compiled
def _deliver(events, start, count, piece, rows, weights, drive, stride):
    """Add a pixel's events to the drive of a plane."""
    lane, vectors = piece[LANE], piece[VECTORS]
    base, step = piece[WEIGHT], piece[WEIGHT_STRIDE]
    if vectors == 1:
        for e in range(start, start + count):
            event = events[e]
            _simd.add_row_16(
                drive, (event >> CHANNEL_BITS) * stride + lane, weights, base + (event & CHANNEL_MASK) * step
            )
    elif vectors == 2:
        for e in range(start, start + count):
            event = events[e]
            _simd.add_row_32(
                drive, (event >> CHANNEL_BITS) * stride + lane, weights, base + (event & CHANNEL_MASK) * step
            )
    elif vectors == 3:
        for e in range(start, start + count):
            event = events[e]
            _simd.add_row_48(
                drive, (event >> CHANNEL_BITS) * stride + lane, weights, base + (event & CHANNEL_MASK) * step
            )
    elif vectors == 4:
        for e in range(start, start + count):
            event = events[e]
            _simd.add_row_64(
                drive, (event >> CHANNEL_BITS) * stride + lane, weights, base + (event & CHANNEL_MASK) * step
            )
    else:
        for e in range(start, start + count):
            event = events[e]
            row = rows[piece[ROW] + (event & CHANNEL_MASK)]
            if row[0] < 0:
                continue
            at = (event >> CHANNEL_BITS) * stride + row[0]
            if row[2] == 0:
                drive[at] += weights[row[1]]
            for v in range(row[2]):
                _simd.add_row_16(drive, at + v * VECTOR, weights, row[1] + v * VECTOR)


@_compiled
def _collect(masks, steps, lane0, layer, neuron_pixel, pixel_events, chunk, events, event_counts, counts, per_step):
    """Turn a block's spike masks into events of its pixels, and count them."""
    pixel0, channels, neuron0 = layer[PIXEL], layer[CHANNELS], layer[NEURON]
    for t in range(steps):
        mask = masks[t]
        spikes = 0
        while mask:
            neuron = lane0 + _simd.lowest_bit(mask)
            mask &= mask - uint64(1)
            spikes += 1
            counts[neuron0 + neuron] += 1
            pixel = neuron_pixel[neuron0 + neuron]
            channel = neuron - (pixel - pixel0) * channels
            events[pixel_events[pixel] * chunk + event_counts[pixel]] = (t << CHANNEL_BITS) | channel
            event_counts[pixel] += 1
        per_step[t] += spikes


@_compiled
def _block(
    block, steps, chunk, layer, constants, bias, plane_edges, edges, pieces, rows, weights, pixel_events,
    held, current, filtered, S_hat, theta_a, events, event_counts, drive, silence, potential, potential_at, masks,
):  # fmt: skip
    """Advance one block of neurons: drive, currents and potentials position by position, then spikes."""
    stride = layer[STRIDE]
    k_beta, k_phi, g_phi = constants[K_BETA], constants[K_PHI], constants[G_PHI]
    for position in range(layer[POSITIONS]):
        plane = layer[PLANE] + block * layer[POSITIONS] + position
        driven = False
        for e in range(plane_edges[plane], plane_edges[plane + 1]):
            pixel = edges[e, 0]
            if event_counts[pixel] > 0:
                if not driven:
                    driven = True
                    drive[: steps * stride + LANES] = 0
                start = pixel_events[pixel] * chunk
                _deliver(events, start, event_counts[pixel], pieces[edges[e, 1]], rows, weights, drive, stride)
        source = drive if driven else silence
        source_stride = stride if driven else 0
        at = plane * LANES
        if layer[HELD]:
            if position == 0:
                _simd.integrate_held_first(
                    steps,
                    source,
                    0,
                    source_stride,
                    current,
                    filtered,
                    at,
                    held,
                    potential,
                    potential_at,
                    k_beta,
                    k_phi,
                    g_phi,
                )
            else:
                _simd.integrate_held_next(
                    steps,
                    source,
                    0,
                    source_stride,
                    current,
                    filtered,
                    at,
                    held,
                    potential,
                    potential_at,
                    k_beta,
                    k_phi,
                    g_phi,
                )
        elif position == 0:
            _simd.integrate_first(
                steps,
                source,
                0,
                source_stride,
                current,
                filtered,
                at,
                held,
                potential,
                potential_at,
                k_beta,
                k_phi,
                g_phi,
            )
        else:
            _simd.integrate_next(
                steps,
                source,
                0,
                source_stride,
                current,
                filtered,
                at,
                held,
                potential,
                potential_at,
                k_beta,
                k_phi,
                g_phi,
            )
    if layer[SPIKING]:
        _simd.fire(
            steps, potential, potential_at, bias, S_hat, theta_a, (layer[BLOCK] + block) * LANES,
            constants[K_ETA], constants[K_GAMMA], constants[M_F], constants[THETA0], masks,
        )  # fmt: skip


@_compiled
def advance(
    layers, constants, bias, plane_edges, edges, pieces, rows, weights, neuron_pixel, pixel_events,
    held, current, filtered, S_hat, theta_a, events, event_counts, drive, silence, potential, keep, masks,
    chunk, outputs, counts, per_step, spikes,
):  # fmt: skip
    """Advance one image by ``len(outputs)`` steps, ``chunk`` at a time.

    Args:
        layers, ..., pixel_events: the plan.
        held: analog current of every lane of every plane.
        current (I), filtered (V), S_hat, theta_a: state of every lane; changed.
        events, event_counts, drive, silence, potential, masks: working memory; silence stays 0.
        keep: 0: all blocks share ``potential``; otherwise each block has so many floats of it.
        chunk: steps that a layer is simulated before the next one.
        outputs: (steps, classes), filled.
        counts: spikes of every neuron; added to.
        per_step: (populations, steps); added to.
        spikes: (steps, neurons), bool, filled; or (0, 0).
    """
    last = len(layers) - 1
    for begin in range(0, len(outputs), chunk):
        steps = min(chunk, len(outputs) - begin)
        event_counts[:] = 0
        for number in range(len(layers)):
            layer = layers[number]
            for block in range(layer[BLOCKS]):
                potential_at = (layer[BLOCK] + block) * keep
                _block(
                    block, steps, chunk, layer, constants[number], bias, plane_edges, edges, pieces, rows, weights,
                    pixel_events, held, current, filtered, S_hat, theta_a, events, event_counts, drive, silence,
                    potential, potential_at, masks,
                )  # fmt: skip
                if number < last:
                    _collect(
                        masks, steps, block * LANES, layer, neuron_pixel, pixel_events, chunk, events, event_counts,
                        counts, per_step[number, begin:],
                    )  # fmt: skip
                else:
                    for t in range(steps):
                        for c in range(block * LANES, min((block + 1) * LANES, layer[NEURONS])):
                            lane = c - block * LANES
                            value = potential[potential_at + t * LANES + lane]
                            outputs[begin + t, c] = value + bias[layer[BLOCK] * LANES + c]
        if len(spikes):
            for pixel in range(len(event_counts)):
                start = pixel_events[pixel] * chunk
                for e in range(start, start + event_counts[pixel]):
                    event = events[e]
                    spikes[begin + (event >> CHANNEL_BITS), pixel_events[pixel] + (event & CHANNEL_MASK)] = True
