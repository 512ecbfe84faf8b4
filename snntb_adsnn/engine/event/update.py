# Array types are numba's to infer.
# mypy: disable-error-code="no-untyped-def,no-untyped-call,untyped-decorator"
"""Compiled update of one block over a chunk of steps: currents and potentials, then spikes, or the read-out's outputs.

The equations themselves are in ``simd``.
"""

from __future__ import annotations

import numpy as np

from snntb_adsnn.engine.compiled import part
from snntb_adsnn.engine.event.deliver import drive_plane
from snntb_adsnn.engine.event.layout import LANES, Spikes
from snntb_adsnn.engine.event.simd import (
    Rows,
    fire,
    fire_above_rest,
    fire_corrective,
    fire_scaled,
    integrate_first,
    integrate_held_first,
    integrate_held_next,
    integrate_next,
)
from snntb_adsnn.engine.event.words import clear, copy, get_byte, get_float, put_byte, put_float

ALIKE, GRADED = int(Spikes.ALIKE), int(Spikes.GRADED)  # numba freezes plain numbers


@part
def rest_block(at, layer, block):
    """Set a block's state to that at the beginning."""
    plane, planes = layer.plane + block * layer.positions, layer.positions
    clear(at.image.I, plane * LANES, planes * LANES)
    copy(at.image.V, plane * LANES, at.plan.V0, plane * LANES, planes * LANES)
    clear(at.image.S_hat, (layer.block + block) * LANES, LANES)
    clear(at.image.theta_a, (layer.block + block) * LANES, LANES)


@part
def integrate_block(at, layer, factors, block, chunk):
    """Equations 1 and 2 of a block at all its positions: the potentials' maximum into ``at.member.potential``; returns
    at how many positions a current has ever come."""
    awake = 0
    potential = Rows(at.member.potential, (layer.block + block) * LANES * chunk.keep, LANES)
    for position in range(layer.positions):
        plane = layer.plane + block * layer.positions + position
        driven = drive_plane(at, layer, plane, chunk.longest)
        if driven:
            put_byte(at.image.asleep, plane, 0)
        elif get_byte(at.image.asleep, plane):
            continue
        start, stride = (LANES, layer.stride) if driven else (0, 0)  # the first row is silence
        drive = Rows(at.member.drive, start, stride)
        _integrate(at, layer.held, awake == 0, plane * LANES, chunk.steps, drive, potential, factors)
        awake += 1
    return awake


@part
def _integrate(at, held, first, lane, steps, drive, potential, factors):
    """Equations 1 and 2 of one plane."""
    if held:
        if first:
            integrate_held_first(at, lane, steps, drive, potential, factors)
        else:
            integrate_held_next(at, lane, steps, drive, potential, factors)
    elif first:
        integrate_first(at, lane, steps, drive, potential, factors)
    else:
        integrate_next(at, lane, steps, drive, potential, factors)


@part
def fire_block(at, layer, factors, block, chunk, awake, waiting):
    """Equations 3 to 7 of a block: the spikes of each step into ``at.member.masks``; none in the first ``waiting``."""
    lane, steps = (layer.block + block) * LANES, chunk.steps
    clear(at.member.masks, 0, 2 * waiting)  # it counts halves of a mask
    if awake < layer.positions or layer.spikes != ALIKE:
        _find_rest(at, layer, block)
    potential = Rows(at.member.potential, lane * chunk.keep, LANES)
    if awake == 0:
        potential = Rows(at.member.rest, 0, 0)
    if layer.corrective:
        clear(at.member.signs, 0, 2 * waiting)
        fire_corrective(at, lane, waiting, steps, potential, factors, layer.spikes == GRADED)
    elif layer.spikes != ALIKE:
        fire_scaled(at, lane, waiting, steps, potential, factors, layer.spikes == GRADED)
    elif 0 < awake < layer.positions:
        fire_above_rest(at, lane, waiting, steps, potential, factors)
    else:
        fire(at, lane, waiting, steps, potential, factors)


@part
def _find_rest(at, layer, block):
    """``at.member.rest`` = the largest V of the block's planes that are asleep."""
    for lane in range(LANES):
        put_float(at.member.rest, lane, -np.inf)
    first = layer.plane + block * layer.positions
    for plane in range(first, first + layer.positions):
        if get_byte(at.image.asleep, plane):
            for lane in range(LANES):
                V0 = get_float(at.plan.V0, plane * LANES + lane)
                put_float(at.member.rest, lane, max(get_float(at.member.rest, lane), V0))


@part
def read_out_block(at, layer, block, chunk):
    """The read-out's outputs of one block."""
    lane, first = (layer.block + block) * LANES, block * LANES
    for t in range(chunk.steps):
        for i in range(min(LANES, layer.neurons - first)):
            V = get_float(at.member.potential, lane * chunk.keep + t * LANES + i)
            output = V + get_float(at.plan.bias, lane + i)
            put_float(at.image.outputs, (chunk.begin + t) * layer.neurons + first + i, output)
