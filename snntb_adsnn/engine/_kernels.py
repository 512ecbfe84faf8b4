# Array types are numba's to infer.
# mypy: disable-error-code="no-untyped-def,no-untyped-call,untyped-decorator"
"""Compiled loops of the event engine: one image, layer by layer, over chunks of time steps.

Compiled once per machine and numba version. Numba's cache lies beside this file or in ``NUMBA_CACHE_DIR`` and is renewed
when this file changes: touch it after a change in ``_simd`` or to the constants of ``_plan``. Columns and arrays are
those of ``_plan.Plan``; helpers get arrays as addresses (see ``_simd``).
"""

from __future__ import annotations

from numba import njit, uint64

from snntb_adsnn.engine._plan import CHANNEL_BITS, Constant, Layer, Piece
from snntb_adsnn.engine._simd import (
    LANES,
    VECTOR,
    add_row_1,
    add_row_16,
    add_row_32,
    add_row_48,
    add_row_64,
    address,
    clear,
    fire,
    get_int32,
    get_int64,
    get_mask,
    integrate_first,
    integrate_held_first,
    integrate_held_next,
    integrate_next,
    lowest_bit,
    put_int32,
    put_int64,
)

# numba freezes module constants: enumerations become plain numbers
BLOCK, BLOCKS, POSITIONS, PLANE, STRIDE, HELD, SPIKING, NEURON, NEURONS = map(int, Layer)
K_BETA, K_PHI, G_PHI, K_ETA, K_GAMMA, M_F, THETA0 = map(int, Constant)
LANE, WEIGHT, WEIGHT_STRIDE, VECTORS, ROW = map(int, Piece)
PIECE = len(Piece)
CHANNEL_MASK = (1 << CHANNEL_BITS) - 1

_compiled = njit(nogil=True, cache=True, error_model="numpy", boundscheck=False)


@_compiled
def _deliver(events, start, end, pieces, piece, rows, weights, drive, stride):
    """Add a pixel's events to the drive of a plane."""
    at = piece * PIECE
    vectors = get_int32(pieces, at + VECTORS)
    lane = LANES + get_int32(pieces, at + LANE)
    base, step = get_int32(pieces, at + WEIGHT), get_int32(pieces, at + WEIGHT_STRIDE)
    if vectors == 1:
        for e in range(start, end):
            event = get_int32(events, e)
            add_row_16(drive, (event >> CHANNEL_BITS) * stride + lane, weights, base + (event & CHANNEL_MASK) * step)
    elif vectors == 2:
        for e in range(start, end):
            event = get_int32(events, e)
            add_row_32(drive, (event >> CHANNEL_BITS) * stride + lane, weights, base + (event & CHANNEL_MASK) * step)
    elif vectors == 3:
        for e in range(start, end):
            event = get_int32(events, e)
            add_row_48(drive, (event >> CHANNEL_BITS) * stride + lane, weights, base + (event & CHANNEL_MASK) * step)
    elif vectors == 4:
        for e in range(start, end):
            event = get_int32(events, e)
            add_row_64(drive, (event >> CHANNEL_BITS) * stride + lane, weights, base + (event & CHANNEL_MASK) * step)
    else:
        first = get_int32(pieces, at + ROW)
        for e in range(start, end):
            event = get_int32(events, e)
            row = (first + (event & CHANNEL_MASK)) * 3
            offset, weight = get_int32(rows, row), get_int32(rows, row + 1)
            if offset >= 0:
                into = (event >> CHANNEL_BITS) * stride + lane + offset
                count = get_int32(rows, row + 2)
                if count == 0:
                    add_row_1(drive, into, weights, weight)
                for v in range(count):
                    add_row_16(drive, into + v * VECTOR, weights, weight + v * VECTOR)


@_compiled
def _collect(masks, steps, neuron, places, events, event_ends, counts, per_step, populations):
    """Turn the spike masks of the block that starts with ``neuron`` into events of its pixels, and count them."""
    for t in range(steps):
        mask = get_mask(masks, t)
        while mask:
            spiking = neuron + lowest_bit(mask)
            mask &= mask - uint64(1)
            put_int32(counts, spiking, get_int32(counts, spiking) + 1)
            pixel = get_int32(places, 2 * spiking)
            end = get_int64(event_ends, pixel)
            put_int32(events, end, (t << CHANNEL_BITS) | get_int32(places, 2 * spiking + 1))
            put_int64(event_ends, pixel, end + 1)
            put_int64(per_step, t * populations, get_int64(per_step, t * populations) + 1)


@_compiled
def _drive(plane, steps, chunk, plane_edges, edges, pieces, rows, weights, pixel_channels, events, event_ends, drive,
           stride):  # fmt: skip
    """Sum the events that reach a plane into ``drive``, from ``LANES`` on; returns whether there were any."""
    driven = False
    for e in range(get_int64(plane_edges, plane), get_int64(plane_edges, plane + 1)):
        pixel = get_int32(edges, 2 * e)
        start, end = get_int64(pixel_channels, pixel) * chunk, get_int64(event_ends, pixel)
        if start < end:
            if not driven:
                driven = True
                clear(drive, LANES, steps * stride + LANES)
            _deliver(events, start, end, pieces, get_int32(edges, 2 * e + 1), rows, weights, drive, stride)
    return driven


@_compiled
def advance(
    layers, constants, bias, plane_edges, edges, pieces, rows, weights, neuron_places, pixel_channels,
    held, I, V, S_hat, theta_a, events, event_ends, drive, potential, keep, masks,
    chunk, outputs, counts, per_step, spikes,
):  # fmt: skip
    """Advance one image by ``len(outputs)`` steps, ``chunk`` at a time.

    Args:
        layers, ..., pixel_channels: the plan.
        held: analog current of every lane of every plane.
        I, V, S_hat, theta_a: state of every lane; changed.
        events, event_ends, drive, potential, masks: working memory; the first ``LANES`` of drive stay 0 (silence).
        keep: 1: each block has its own part of ``potential`` (of one step); 0: all share it.
        chunk: steps that a layer is simulated before the next one.
        outputs: (steps, classes), filled.
        counts: spikes of every neuron; added to.
        per_step: (steps, populations), int64; added to.
        spikes: (steps, neurons), bool, filled; or (0, 0).
    """
    plane_edges_at, edges_at, pieces_at, rows_at = address(plane_edges), address(edges), address(pieces), address(rows)
    weights_at, places_at, channels_at = address(weights), address(neuron_places), address(pixel_channels)
    held_at, I_at, V_at = address(held), address(I), address(V)
    bias_at, S_hat_at, theta_a_at = address(bias), address(S_hat), address(theta_a)
    events_at, ends_at, masks_at, counts_at = address(events), address(event_ends), address(masks), address(counts)
    drive_at, potential_at = address(drive), address(potential)
    populations = per_step.shape[1]
    for begin in range(0, len(outputs), chunk):
        steps = min(chunk, len(outputs) - begin)
        for pixel in range(len(event_ends)):
            event_ends[pixel] = pixel_channels[pixel] * chunk
        for number in range(len(layers)):
            positions, stride, is_held = layers[number, POSITIONS], layers[number, STRIDE], layers[number, HELD]
            k_beta, k_phi, g_phi = constants[number, K_BETA], constants[number, K_PHI], constants[number, G_PHI]
            k_eta, k_gamma = constants[number, K_ETA], constants[number, K_GAMMA]
            m_f, theta0 = constants[number, M_F], constants[number, THETA0]
            plane = layers[number, PLANE]
            for block in range(layers[number, BLOCKS]):
                lane0 = (layers[number, BLOCK] + block) * LANES
                S = lane0 * keep
                for position in range(positions):
                    driven = _drive(
                        plane, steps, chunk, plane_edges_at, edges_at, pieces_at, rows_at, weights_at, channels_at,
                        events_at, ends_at, drive_at, stride,
                    )  # fmt: skip
                    start, step = (LANES, stride) if driven else (0, 0)
                    at = plane * LANES
                    plane += 1
                    if is_held:
                        if position == 0:
                            integrate_held_first(
                                steps, drive_at, start, step, I_at, V_at, held_at, at, potential_at, S,
                                k_beta, k_phi, g_phi,
                            )  # fmt: skip
                        else:
                            integrate_held_next(
                                steps, drive_at, start, step, I_at, V_at, held_at, at, potential_at, S,
                                k_beta, k_phi, g_phi,
                            )  # fmt: skip
                    elif position == 0:
                        integrate_first(
                            steps, drive_at, start, step, I_at, V_at, held_at, at, potential_at, S,
                            k_beta, k_phi, g_phi,
                        )  # fmt: skip
                    else:
                        integrate_next(
                            steps, drive_at, start, step, I_at, V_at, held_at, at, potential_at, S,
                            k_beta, k_phi, g_phi,
                        )  # fmt: skip
                if layers[number, SPIKING]:
                    fire(
                        steps, potential_at, S, bias_at, S_hat_at, theta_a_at, lane0, k_eta, k_gamma, m_f, theta0,
                        masks_at,
                    )  # fmt: skip
                    _collect(
                        masks_at, steps, layers[number, NEURON] + block * LANES, places_at, events_at, ends_at,
                        counts_at, address(per_step) + (begin * populations + number) * 8, populations,
                    )  # fmt: skip
                else:
                    for t in range(steps):
                        for lane in range(min(LANES, layers[number, NEURONS] - block * LANES)):
                            value = potential[S + t * LANES + lane] + bias[lane0 + lane]
                            outputs[begin + t, block * LANES + lane] = value
        if len(spikes):
            for pixel in range(len(event_ends)):
                for e in range(pixel_channels[pixel] * chunk, event_ends[pixel]):
                    event = events[e]
                    spikes[begin + (event >> CHANNEL_BITS), pixel_channels[pixel] + (event & CHANNEL_MASK)] = True
