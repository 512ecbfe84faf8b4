# Array types are numba's to infer.
# mypy: disable-error-code="no-untyped-def,no-untyped-call,untyped-decorator"
"""Compiled loops of the event engine: one image, layer by layer, over chunks of time steps.

Compiled once per machine and numba version. Numba's cache lies beside this file or in ``NUMBA_CACHE_DIR`` and is
renewed when this file changes: touch it after a change in ``_simd`` or to ``_plan``'s constants. Columns and arrays are
those of ``_plan.Plan``; helpers get arrays as addresses (see ``_simd``).
"""

from __future__ import annotations

import numpy as np
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
    arrive,
    arrived,
    clear,
    fire,
    fire_above_rest,
    get_int32,
    get_int64,
    get_mask,
    give_way,
    integrate_first,
    integrate_held_first,
    integrate_held_next,
    integrate_next,
    lowest_bit,
    mark,
    put_int32,
    put_int64,
)

# numba freezes module constants: enumerations become plain numbers
BLOCK, BLOCKS, POSITIONS, PLANE, STRIDE, HELD, SPIKING, NEURON, NEURONS = map(int, Layer)
K_BETA, K_PHI, G_PHI, K_ETA, K_GAMMA, M_F, THETA0 = map(int, Constant)
LANE, WEIGHT, WEIGHT_STRIDE, VECTORS, ROW = map(int, Piece)
PIECE = len(Piece)
CHANNEL_MASK = (1 << CHANNEL_BITS) - 1
PATIENCE = 2000  # looks at a meeting's count before the processor is offered to others


def _compiled(function):
    """numba's njit, with a cache where a folder for it can be written."""
    options = {"nogil": True, "error_model": "numpy", "boundscheck": False}
    try:
        return njit(cache=True, **options)(function)
    except RuntimeError:
        return njit(**options)(function)


@_compiled
def _deliver(events, start, end, pieces, piece, rows, weights, drive, stride):
    """Add a cell's events to the drive of a plane."""
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
def _collect(masks, steps, neuron, places, events, event_ends, counts, per_step, populations, spikes, neurons):
    """Turn the spike masks of the block that starts with ``neuron`` into events of its cells, and count them."""
    for t in range(steps):
        mask = get_mask(masks, t)
        while mask:
            spiking = neuron + lowest_bit(mask)
            mask &= mask - uint64(1)
            put_int32(counts, spiking, get_int32(counts, spiking) + 1)
            cell = get_int32(places, 2 * spiking)
            end = get_int64(event_ends, cell)
            put_int32(events, end, (t << CHANNEL_BITS) | get_int32(places, 2 * spiking + 1))
            put_int64(event_ends, cell, end + 1)
            put_int64(per_step, t * populations, get_int64(per_step, t * populations) + 1)
            if spikes:
                mark(spikes, t * neurons + spiking)


@_compiled
def _drive(plane, chunk, plane_edges, edges, pieces, rows, weights, cell_channels, events, event_ends, drive,
           stride):  # fmt: skip
    """Add the events that reach a plane to ``drive``, from ``LANES`` on; returns whether there were any."""
    driven = False
    for e in range(get_int64(plane_edges, plane), get_int64(plane_edges, plane + 1)):
        cell = get_int32(edges, 2 * e)
        start, end = get_int64(cell_channels, cell) * chunk, get_int64(event_ends, cell)
        if start < end:
            driven = True
            _deliver(events, start, end, pieces, get_int32(edges, 2 * e + 1), rows, weights, drive, stride)
    return driven


@_compiled
def _integrate(is_held, position, steps, drive, start, step, I, V, held, at, potential, S, k_beta, k_phi, g_phi):
    """Equations 1 and 2 of one plane; see ``_simd``."""
    if is_held:
        if position == 0:
            integrate_held_first(steps, drive, start, step, I, V, held, at, potential, S, k_beta, k_phi, g_phi)
        else:
            integrate_held_next(steps, drive, start, step, I, V, held, at, potential, S, k_beta, k_phi, g_phi)
    elif position == 0:
        integrate_first(steps, drive, start, step, I, V, held, at, potential, S, k_beta, k_phi, g_phi)
    else:
        integrate_next(steps, drive, start, step, I, V, held, at, potential, S, k_beta, k_phi, g_phi)


@_compiled
def _rest(plane, positions, asleep, V0, rest):
    """``rest`` = the largest V of the block's planes that are asleep."""
    for lane in range(LANES):
        rest[lane] = -np.inf
    for position in range(plane, plane + positions):
        if asleep[position]:
            for lane in range(LANES):
                rest[lane] = max(rest[lane], V0[position * LANES + lane])


@_compiled
def _reset(first, last, chunk, places, cell_channels, event_ends):
    """Empty the event lists of the cells of neurons [first, last)."""
    if first < last:
        for cell in range(get_int32(places, 2 * first), get_int32(places, 2 * last - 2) + 1):
            put_int64(event_ends, cell, get_int64(cell_channels, cell) * chunk)


@_compiled
def _wait(meeting, arrivals):
    """Wait until ``arrivals`` have been counted at ``meeting``, this one included."""
    arrive(meeting)
    attempts = 0
    while arrived(meeting) < arrivals:
        attempts += 1
        if attempts > PATIENCE:
            give_way()


@_compiled
def advance(
    layers, constants, bias, plane_edges, edges, pieces, rows, weights, places, cell_channels,
    V0, sleeps, held, I, V, S_hat, theta_a, asleep, events, event_ends, counts, outputs, spikes, chunk,
    member, shares, meeting, drive, potential, rest, keep, masks, per_step,
):  # fmt: skip
    """Advance one image by ``len(outputs)`` steps, as one member of a team that shares each layer's blocks.

    Args:
        layers, ..., sleeps: the plan.
        held: analog current of every lane of every plane.
        I, V, S_hat, theta_a: state of every lane; changed.
        asleep: bool per plane: no current has reached it yet, so that V is still V0; changed.
        events, event_ends: working memory of the team.
        counts: int32, spikes of every neuron; added to.
        outputs: (steps, classes), filled.
        spikes: (steps, neurons), bool, True is set where a neuron spikes; or (0, 0).
        chunk: steps that a layer is simulated before the next one.
        member: which of the team this is.
        shares: (layers, team + 1), bounds of the members' blocks; no cell lies in two shares.
        meeting: one int64, 0 at first, the same for the whole team.
        drive, potential, rest, masks: working memory of this member; drive is 0 before and after, its first ``LANES``
            always (they serve as the drive of a silent plane).
        keep: 1: each block has its own part of ``potential`` (of one step); 0: all share it.
        per_step: (steps, populations), int64, spikes that this member saw; added to.
    """
    plane_edges_at, edges_at, pieces_at, rows_at = address(plane_edges), address(edges), address(pieces), address(rows)
    weights_at, places_at, channels_at = address(weights), address(places), address(cell_channels)
    held_at, I_at, V_at = address(held), address(I), address(V)
    bias_at, S_hat_at, theta_a_at = address(bias), address(S_hat), address(theta_a)
    events_at, ends_at, masks_at, counts_at = address(events), address(event_ends), address(masks), address(counts)
    drive_at, potential_at, rest_at = address(drive), address(potential), address(rest)
    populations, neurons, team, meetings = per_step.shape[1], spikes.shape[1], shares.shape[1] - 1, 0
    for begin in range(0, len(outputs), chunk):
        steps = min(chunk, len(outputs) - begin)
        spikes_at = address(spikes) + begin * neurons if neurons else 0
        for number in range(len(layers)):
            positions, stride, is_held = layers[number, POSITIONS], layers[number, STRIDE], layers[number, HELD]
            k_beta, k_phi, g_phi = constants[number, K_BETA], constants[number, K_PHI], constants[number, G_PHI]
            k_eta, k_gamma = constants[number, K_ETA], constants[number, K_GAMMA]
            m_f, theta0 = constants[number, M_F], constants[number, THETA0]
            neuron0, neuron1 = layers[number, NEURON], layers[number, NEURON] + layers[number, NEURONS]
            first, last = shares[number, member], shares[number, member + 1]
            if layers[number, SPIKING]:
                _reset(
                    neuron0 + first * LANES, min(neuron0 + last * LANES, neuron1), chunk, places_at, channels_at,
                    ends_at,
                )  # fmt: skip
            for block in range(first, last):
                lane0 = (layers[number, BLOCK] + block) * LANES
                S, awake = lane0 * keep, 0
                for position in range(positions):
                    plane = layers[number, PLANE] + block * positions + position
                    driven = _drive(
                        plane, chunk, plane_edges_at, edges_at, pieces_at, rows_at, weights_at, channels_at,
                        events_at, ends_at, drive_at, stride,
                    )  # fmt: skip
                    if driven:
                        asleep[plane] = False
                    elif asleep[plane]:
                        continue
                    start, step = (LANES, stride) if driven else (0, 0)
                    _integrate(
                        is_held, awake, steps, drive_at, start, step, I_at, V_at, held_at, plane * LANES,
                        potential_at, S, k_beta, k_phi, g_phi,
                    )  # fmt: skip
                    awake += 1
                if layers[number, SPIKING]:
                    if awake == 0 and sleeps[layers[number, BLOCK] + block]:
                        continue
                    if awake < positions:
                        _rest(layers[number, PLANE] + block * positions, positions, asleep, V0, rest)
                    if awake == positions:
                        fire(
                            steps, potential_at, S, LANES, rest_at, bias_at, S_hat_at, theta_a_at, lane0, k_eta,
                            k_gamma, m_f, theta0, masks_at,
                        )  # fmt: skip
                    elif awake == 0:
                        fire(
                            steps, rest_at, 0, 0, rest_at, bias_at, S_hat_at, theta_a_at, lane0, k_eta,
                            k_gamma, m_f, theta0, masks_at,
                        )  # fmt: skip
                    else:
                        fire_above_rest(
                            steps, potential_at, S, LANES, rest_at, bias_at, S_hat_at, theta_a_at, lane0, k_eta,
                            k_gamma, m_f, theta0, masks_at,
                        )  # fmt: skip
                    _collect(
                        masks_at, steps, neuron0 + block * LANES, places_at, events_at, ends_at, counts_at,
                        address(per_step) + (begin * populations + number) * 8, populations, spikes_at, neurons,
                    )  # fmt: skip
                else:
                    for t in range(steps):
                        for lane in range(min(LANES, layers[number, NEURONS] - block * LANES)):
                            value = potential[S + t * LANES + lane] + bias[lane0 + lane]
                            outputs[begin + t, block * LANES + lane] = value
            if stride > LANES:  # what was written between the rows
                clear(drive_at, LANES, steps * stride + LANES)
            if team > 1:
                meetings += team
                _wait(address(meeting), meetings)
