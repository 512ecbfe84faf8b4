# Array types are numba's to infer.
# mypy: disable-error-code="no-untyped-def,no-untyped-call,untyped-decorator"
"""Compiled loops of the event engine: one image, layer by layer, over chunks of time steps.

Compiled once per machine and numba version. Numba's cache lies beside this file or in ``NUMBA_CACHE_DIR`` and is
renewed when this file changes, which is why all kernels are here: touch it after a change in ``_simd`` or to the
constants of ``_plan``, ``_blocks`` and ``_store``. Columns and arrays are those of ``_plan.Plan``; helpers get arrays
as addresses (see ``_simd``).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit, uint64

from snntb_adsnn.engine.event.blocks import Spikes
from snntb_adsnn.engine.event.plan import CHANNEL_BITS, Constant, Layer
from snntb_adsnn.engine.event.simd import (
    LANES,
    VECTOR,
    add_one,
    add_row_1,
    add_row_16,
    add_row_32,
    add_row_48,
    add_row_64,
    add_scaled_row_1,
    add_scaled_row_16,
    add_scaled_row_64,
    address,
    clear,
    copy,
    fire,
    fire_above_rest,
    fire_scaled,
    get_float,
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
    read,
    sleep,
    swap,
)
from snntb_adsnn.engine.event.store import Piece

# numba freezes module constants: enumerations become plain numbers
BLOCK, BLOCKS, POSITIONS, PLANE, STRIDE, HELD, SPIKING, NEURON, NEURONS, TASK, TASKS, WAIT, SPIKES = map(int, Layer)
K_BETA, K_PHI, G_PHI, K_ETA, K_GAMMA, M_F, THETA0 = map(int, Constant)
LANE, WEIGHT, WEIGHT_STRIDE, VECTORS, ROW, SCALED = map(int, Piece)
ALIKE, GRADED = int(Spikes.ALIKE), int(Spikes.GRADED)
PIECE = len(Piece)
CHANNEL_MASK = (1 << CHANNEL_BITS) - 1
PATIENCE = 200_000  # looks at what others do (some 80 us) before the processor is left to others
NAP = 20  # us
LINGER = 1_000_000  # looks for the next image (some 400 us) before a helper leaves: to wake it again takes 50 us
ABSENT, PRESENT, LEFT, LINGERING = 0, 1, 2, 3
PRESENCE = 8  # words from one member's to the next one's, which lies in another cache line


def _compiled(function):
    """numba's njit, with a cache where a folder for it can be written."""
    options = {"nogil": True, "error_model": "numpy", "boundscheck": False}
    try:
        return njit(cache=True, **options)(function)
    except RuntimeError:
        return njit(**options)(function)


class At(NamedTuple):
    """Addresses of the arrays of the same names; see ``advance``."""

    tasks: int
    bias: int
    m_f: int
    theta0: int
    height: int
    plane_edges: int
    edges: int
    pieces: int
    rows: int
    weights: int
    places: int
    cell_channels: int
    V0: int
    held: int
    I: int
    V: int
    S_hat: int
    theta_a: int
    events: int
    heights: int
    event_ends: int
    counts: int
    taken: int
    drive: int
    potential: int
    rest: int
    masks: int
    ends: int
    sizes: int


class Chunk(NamedTuple):
    """The steps [begin, begin + steps) that a layer is simulated before the next one; no chunk has more than
    ``longest``."""

    begin: int
    steps: int
    longest: int


@_compiled
def _deliver(at, start, end, piece, stride):
    """Add a cell's events to the drive of a plane."""
    row = piece * PIECE
    vectors = get_int32(at.pieces, row + VECTORS)
    lane = LANES + get_int32(at.pieces, row + LANE)
    base, step = get_int32(at.pieces, row + WEIGHT), get_int32(at.pieces, row + WEIGHT_STRIDE)
    if vectors == 1:
        for e in range(start, end):
            event = get_int32(at.events, e)
            add_row_16(
                at.drive, (event >> CHANNEL_BITS) * stride + lane, at.weights, base + (event & CHANNEL_MASK) * step
            )
    elif vectors == 2:
        for e in range(start, end):
            event = get_int32(at.events, e)
            add_row_32(
                at.drive, (event >> CHANNEL_BITS) * stride + lane, at.weights, base + (event & CHANNEL_MASK) * step
            )
    elif vectors == 3:
        for e in range(start, end):
            event = get_int32(at.events, e)
            add_row_48(
                at.drive, (event >> CHANNEL_BITS) * stride + lane, at.weights, base + (event & CHANNEL_MASK) * step
            )
    elif vectors == 4:
        for e in range(start, end):
            event = get_int32(at.events, e)
            add_row_64(
                at.drive, (event >> CHANNEL_BITS) * stride + lane, at.weights, base + (event & CHANNEL_MASK) * step
            )
    else:
        first = get_int32(at.pieces, row + ROW)
        for e in range(start, end):
            event = get_int32(at.events, e)
            entry = (first + (event & CHANNEL_MASK)) * 3
            offset, weight = get_int32(at.rows, entry), get_int32(at.rows, entry + 1)
            if offset >= 0:
                into = (event >> CHANNEL_BITS) * stride + lane + offset
                count = get_int32(at.rows, entry + 2)
                if count == 0:
                    add_row_1(at.drive, into, at.weights, weight)
                for v in range(count):
                    add_row_16(at.drive, into + v * VECTOR, at.weights, weight + v * VECTOR)


@_compiled
def _deliver_scaled(at, start, end, piece, stride):
    """``_deliver`` of spikes that have a height each."""
    row = piece * PIECE
    vectors = get_int32(at.pieces, row + VECTORS)
    lane = LANES + get_int32(at.pieces, row + LANE)
    base, step = get_int32(at.pieces, row + WEIGHT), get_int32(at.pieces, row + WEIGHT_STRIDE)
    first = get_int32(at.pieces, row + ROW)
    for e in range(start, end):
        event, height = get_int32(at.events, e), get_float(at.heights, e)
        channel, into = event & CHANNEL_MASK, (event >> CHANNEL_BITS) * stride + lane
        count, weight = vectors, base + channel * step
        if vectors == 0:
            entry = (first + channel) * 3
            offset, weight, count = (
                get_int32(at.rows, entry),
                get_int32(at.rows, entry + 1),
                get_int32(at.rows, entry + 2),
            )
            if offset < 0:
                continue
            into += offset
            if count == 0:
                add_scaled_row_1(at.drive, into, at.weights, weight, height)
        if count == 4:
            add_scaled_row_64(at.drive, into, at.weights, weight, height)
        else:
            for v in range(count):
                add_scaled_row_16(at.drive, into + v * VECTOR, at.weights, weight + v * VECTOR, height)


@_compiled
def _collect(at, scaled, steps, neuron, lane, per_step, populations):
    """Turn the spike masks of the block that starts with ``neuron`` and ``lane`` into events, and count them."""
    for t in range(steps):
        mask = get_mask(at.masks, t)
        while mask:
            bit = lowest_bit(mask)
            mask &= mask - uint64(1)
            put_int32(at.counts, lane + bit, get_int32(at.counts, lane + bit) + 1)
            spiking = neuron + bit
            cell = get_int32(at.places, 2 * spiking)
            end = get_int64(at.ends, cell)
            put_int32(at.events, end, (t << CHANNEL_BITS) | get_int32(at.places, 2 * spiking + 1))
            if scaled:
                copy(at.heights, end, at.sizes, t * LANES + bit, 1)
            put_int64(at.ends, cell, end + 1)
            put_int64(per_step, t * populations, get_int64(per_step, t * populations) + 1)


@_compiled
def _drive(at, plane, chunk, stride):
    """Add the events that reach a plane to ``drive``, from ``LANES`` on; returns whether there were any."""
    driven = False
    for e in range(get_int64(at.plane_edges, plane), get_int64(at.plane_edges, plane + 1)):
        cell = get_int32(at.edges, 2 * e)
        start, end = get_int64(at.cell_channels, cell) * chunk, get_int64(at.event_ends, cell)
        if start < end:
            driven = True
            piece = get_int32(at.edges, 2 * e + 1)
            if get_int32(at.pieces, piece * PIECE + SCALED):
                _deliver_scaled(at, start, end, piece, stride)
            else:
                _deliver(at, start, end, piece, stride)
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
def _rest_block(at, layer, block):
    """Set a block's state to that at the beginning."""
    plane, planes = layer[PLANE] + block * layer[POSITIONS], layer[POSITIONS]
    clear(at.I, plane * LANES, planes * LANES)
    copy(at.V, plane * LANES, at.V0, plane * LANES, planes * LANES)
    clear(at.S_hat, (layer[BLOCK] + block) * LANES, LANES)
    clear(at.theta_a, (layer[BLOCK] + block) * LANES, LANES)


@_compiled
def _cells(at, layer, first, last):
    """First and last of the cells, and one more, whose neurons lie in blocks [first, last) of a layer."""
    begin, end = first * LANES, min(last * LANES, layer[NEURONS])
    if begin < end:  # the last blocks may hold no neuron
        begin = get_int32(at.places, 2 * (layer[NEURON] + begin))
        end = get_int32(at.places, 2 * (layer[NEURON] + end - 1)) + 1
        return begin, end
    return 0, 0


@_compiled
def _begin_events(at, first, last, longest):
    """Empty the lists of cells [first, last). Their ends are the member's own until it has finished: several threads
    writing to one cache line again and again would be slow."""
    for cell in range(first, last):
        put_int64(at.ends, cell, get_int64(at.cell_channels, cell) * longest)


@_compiled
def _publish_events(at, first, last):
    """Show the other members where the lists of cells [first, last) end."""
    for cell in range(first, last):
        put_int64(at.event_ends, cell, get_int64(at.ends, cell))


@_compiled
def _wait(counter, value):
    """Wait until a counter that others change has reached a value."""
    attempts = 0
    while read(counter) < value:
        attempts += 1
        if attempts > PATIENCE:
            sleep(NAP)


@_compiled
def _take(taken, tasks, round, member, team):
    """A task of a layer that nobody has taken in this round; ``tasks`` if there is none.

    Each member has a share of its own, the same in every round, so that states stay in its core's cache; it helps the
    others when it is through. ``taken`` counts the tasks taken of each share, over all rounds.
    """
    for k in range(team):
        owner = (member + k) % team
        first, size = tasks * owner // team, tasks * (owner + 1) // team - tasks * owner // team
        while True:
            number = read(taken + owner * 8)
            if number >= (round + 1) * size:
                break
            if swap(taken + owner * 8, number, number + 1):
                return first + number - round * size
    return tasks


@_compiled
def _integrate_block(at, layer, constants, block, chunk, keep, asleep):
    """Equations 1 and 2 of a block at all its positions: the potentials' maximum into ``potential``; returns at how
    many positions a current has ever come."""
    awake = 0
    for position in range(layer[POSITIONS]):
        plane = layer[PLANE] + block * layer[POSITIONS] + position
        driven = _drive(at, plane, chunk.longest, layer[STRIDE])
        if driven:
            asleep[plane] = False
        elif asleep[plane]:
            continue
        start, step = (LANES, layer[STRIDE]) if driven else (0, 0)
        _integrate(
            layer[HELD], awake, chunk.steps, at.drive, start, step, at.I, at.V, at.held, plane * LANES, at.potential,
            (layer[BLOCK] + block) * LANES * keep, constants[K_BETA], constants[K_PHI], constants[G_PHI],
        )  # fmt: skip
        awake += 1
    return awake


@_compiled
def _fire_block(at, layer, constants, block, chunk, keep, awake, asleep, V0, rest):
    """Equations 3 to 7 of a block: the spikes of each step into ``masks``."""
    lane = (layer[BLOCK] + block) * LANES
    k_eta, k_gamma, m_f, theta0 = constants[K_ETA], constants[K_GAMMA], constants[M_F], constants[THETA0]
    if awake < layer[POSITIONS] or layer[SPIKES] != ALIKE:
        _rest(layer[PLANE] + block * layer[POSITIONS], layer[POSITIONS], asleep, V0, rest)
    if layer[SPIKES] != ALIKE:
        start, stride = (lane * keep, LANES) if awake else (0, 0)
        fire_scaled(
            chunk.steps, at.potential if awake else at.rest, start, stride, at.rest, at.bias, at.S_hat, at.theta_a,
            lane, k_eta, k_gamma, at.m_f, at.theta0, at.masks, at.height, at.sizes, layer[SPIKES] == GRADED,
        )  # fmt: skip
    elif awake == 0:
        fire(
            chunk.steps, at.rest, 0, 0, at.rest, at.bias, at.S_hat, at.theta_a, lane, k_eta, k_gamma, m_f, theta0,
            at.masks,
        )  # fmt: skip
    elif awake == layer[POSITIONS]:
        fire(
            chunk.steps, at.potential, lane * keep, LANES, at.rest, at.bias, at.S_hat, at.theta_a, lane, k_eta, k_gamma,
            m_f, theta0, at.masks,
        )  # fmt: skip
    else:
        fire_above_rest(
            chunk.steps, at.potential, lane * keep, LANES, at.rest, at.bias, at.S_hat, at.theta_a, lane, k_eta, k_gamma,
            m_f, theta0, at.masks,
        )  # fmt: skip


@_compiled
def _read_out_block(layer, block, chunk, keep, potential, bias, outputs):
    """The read-out's outputs of one block."""
    lane = (layer[BLOCK] + block) * LANES
    classes = min(LANES, layer[NEURONS] - block * LANES)
    for t in range(chunk.steps):
        for i in range(classes):
            value = potential[lane * keep + t * LANES + i] + bias[lane + i]
            outputs[chunk.begin + t, block * LANES + i] = value


@_compiled
def advance(
    layers, tasks, constants, bias, m_f, theta0, height, plane_edges, edges, pieces, rows, weights, places,
    cell_channels, V0, sleeps, start, held, I, V, S_hat, theta_a, asleep, events, heights, event_ends, counts, outputs,
    spikes, longest, member, team, taken, finished, presence, drive, potential, rest, keep, masks, ends, sizes,
    per_step,
):  # fmt: skip
    """Advance one image by ``len(outputs)`` steps, as one member of a team that shares each layer's tasks.

    Args:
        layers, ..., sleeps: the plan.
        start: number of the first step; at 0 the states begin at rest.
        held: analog current of every lane of every plane.
        I, V, S_hat, theta_a: state of every lane; changed.
        asleep: bool per plane: no current has reached it yet, so that V is still V0; changed.
        events, heights, event_ends: working memory of the team; a height for each event where spikes are not ALIKE.
        counts: int32, spikes of every lane; added to.
        outputs: (steps, classes), filled.
        spikes: uint64, (blocks, steps of the simulation), 0 at first: filled with the spike masks; or (0, 0).
        longest: steps that a layer is simulated before the next one.
        member, team: number of this member, and of all.
        taken, finished: int64, 0 at first, the same for the whole team: tasks taken of each layer and member's share,
            and all tasks that are finished. Nobody waits for a member that has not taken a task.
        presence: int64, ``PRESENCE`` for each member, 0 at first: what member 0 must know to return as soon as nobody
            works any more. Who comes later turns back; the others linger for a while (see ``recall``).
        drive, potential, rest, masks, ends, sizes: working memory of this member; drive is 0 before and after, its
            first ``LANES`` always (they serve as the drive of a silent plane).
        keep: 1: each block has its own part of ``potential`` (of one step); 0: all share it.
        per_step: (steps, populations), int64, spikes that this member saw; added to.
    """
    at = At(
        address(tasks), address(bias), address(m_f), address(theta0), address(height), address(plane_edges),
        address(edges), address(pieces), address(rows), address(weights), address(places),
        address(cell_channels), address(V0), address(held), address(I), address(V), address(S_hat),
        address(theta_a), address(events), address(heights), address(event_ends), address(counts),
        address(taken), address(drive), address(potential), address(rest), address(masks), address(ends),
        address(sizes),
    )  # fmt: skip
    here = address(presence) + member * PRESENCE * 8
    if member > 0 and not swap(here, ABSENT, PRESENT):
        return
    populations, recorded, finished_at = per_step.shape[1], spikes.shape[1], address(finished)
    while True:
        before = 0
        for number_of_chunk in range(-(-len(outputs) // longest)):
            begin = number_of_chunk * longest
            chunk = Chunk(begin, min(longest, len(outputs) - begin), longest)
            for number in range(len(layers)):
                layer, k = layers[number], constants[number]
                if layer[WAIT]:
                    _wait(finished_at, before)
                before += layer[TASKS]
                while True:
                    task = _take(at.taken + number * team * 8, layer[TASKS], number_of_chunk, member, team)
                    if task == layer[TASKS]:
                        break
                    first = get_int64(at.tasks, layer[TASK] + task)
                    last = get_int64(at.tasks, layer[TASK] + task + 1)
                    cell, end_cell = _cells(at, layer, first, last) if layer[SPIKING] else (0, 0)
                    _begin_events(at, cell, end_cell, longest)
                    for block in range(first, last):
                        if start + begin == 0:
                            _rest_block(at, layer, block)
                        awake = _integrate_block(at, layer, k, block, chunk, keep, asleep)
                        if not layer[SPIKING]:
                            _read_out_block(layer, block, chunk, keep, potential, bias, outputs)
                        elif awake or not sleeps[layer[BLOCK] + block]:
                            _fire_block(at, layer, k, block, chunk, keep, awake, asleep, V0, rest)
                            _collect(
                                at, layer[SPIKES] != ALIKE, chunk.steps, layer[NEURON] + block * LANES,
                                (layer[BLOCK] + block) * LANES,
                                address(per_step) + (begin * populations + number) * 8, populations,
                            )  # fmt: skip
                            if recorded:  # ``copy`` counts halves of a mask
                                step = (layer[BLOCK] + block) * recorded + start + begin
                                copy(address(spikes), 2 * step, at.masks, 0, 2 * chunk.steps)
                    _publish_events(at, cell, end_cell)
                    add_one(finished_at)
                if layer[STRIDE] > LANES:  # what was written between the rows
                    clear(at.drive, LANES, chunk.steps * layer[STRIDE] + LANES)
        _wait(finished_at, before)
        if member == 0:
            break
        swap(here, PRESENT, LINGERING)
        for _ in range(LINGER):
            if read(here) != LINGERING:
                break
        if read(here) == LEFT or swap(here, LINGERING, LEFT):
            return
    for other in range(1, team):
        if not swap(here + other * PRESENCE * 8, ABSENT, LEFT):
            _wait(here + other * PRESENCE * 8, LEFT)


@_compiled
def recall(presence, again):
    """Call the members who linger to ``advance`` with what they have, a new image in the same arrays; but if some are
    not there any more, or not ``again``, let all leave. Returns whether they were called."""
    for member in range(1, len(presence) // PRESENCE):
        again &= read(address(presence) + member * PRESENCE * 8) == LINGERING
    for member in range(1, len(presence) // PRESENCE):
        swap(address(presence) + member * PRESENCE * 8, LINGERING, PRESENT if again else LEFT)
    return again
