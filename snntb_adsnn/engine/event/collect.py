# Array types are numba's to infer.
# mypy: disable-error-code="no-untyped-def,no-untyped-call,untyped-decorator"
"""Compiled loops that turn spikes into events, the lists of the cells, and count them."""

from __future__ import annotations

from numba import uint64

from snntb_adsnn.engine.compiled import part
from snntb_adsnn.engine.event.layout import CHANNEL_BITS, LANES, Spikes
from snntb_adsnn.engine.event.words import (
    copy,
    get_int32,
    get_int64,
    get_mask,
    lowest_bit,
    put_int32,
    put_int64,
)

ALIKE = int(Spikes.ALIKE)  # numba freezes plain numbers


@part
def cells(at, layer, first, last):
    """First and last of the cells, and one more, whose neurons lie in blocks [first, last) of a layer."""
    begin, end = first * LANES, min(last * LANES, layer.neurons)
    if layer.spiking and begin < end:  # the last blocks may hold no neuron
        begin = get_int32(at.plan.places, 2 * (layer.neuron + begin))
        end = get_int32(at.plan.places, 2 * (layer.neuron + end - 1)) + 1
        return begin, end
    return 0, 0


@part
def begin_events(at, first, last, longest):
    """Empty the lists of cells [first, last). Their ends are the member's own until it has finished: several threads
    writing to one cache line again and again would be slow."""
    for cell in range(first, last):
        put_int64(at.member.ends, cell, get_int64(at.plan.cell_channels, cell) * longest)


@part
def publish_events(at, first, last):
    """Show the other members where the lists of cells [first, last) end."""
    for cell in range(first, last):
        put_int64(at.image.event_ends, cell, get_int64(at.member.ends, cell))


@part
def collect(at, layer, block, chunk, number):
    """Turn the spike masks of a block into events, and count them; ``number``: the layer's."""
    lane, neuron = (layer.block + block) * LANES, layer.neuron + block * LANES
    for t in range(chunk.steps):
        mask = get_mask(at.member.masks, t)
        total = (chunk.begin + t) * chunk.populations + number
        while mask:
            bit = lowest_bit(mask)
            mask &= mask - uint64(1)
            _add_one(at.image.counts, lane + bit)
            if layer.corrective and (get_mask(at.member.signs, t) >> uint64(bit)) & uint64(1):
                _add_one(at.image.corrective, lane + bit)
            end = _add_event(at, neuron + bit, t)
            if layer.spikes != ALIKE:
                copy(at.image.heights, end, at.member.sizes, t * LANES + bit, 1)
            put_int64(at.member.per_step, total, get_int64(at.member.per_step, total) + 1)


@part
def _add_one(counts, lane):
    put_int32(counts, lane, get_int32(counts, lane) + 1)


@part
def _add_event(at, neuron, step):
    """Append a spike to its cell's list; returns where it stands."""
    cell, channel = get_int32(at.plan.places, 2 * neuron), get_int32(at.plan.places, 2 * neuron + 1)
    end = get_int64(at.member.ends, cell)
    put_int32(at.image.events, end, (step << CHANNEL_BITS) | channel)
    put_int64(at.member.ends, cell, end + 1)
    return end


@part
def record(at, layer, row, recorded, chunk):
    """Keep the spike masks of block ``row``; ``recorded``: steps of each row."""
    # ``copy`` counts halves of a mask
    copy(at.image.spikes, 2 * (row * recorded + chunk.begin), at.member.masks, 0, 2 * chunk.steps)
    if layer.corrective:
        copy(at.image.signs, 2 * (row * recorded + chunk.begin), at.member.signs, 0, 2 * chunk.steps)
