# Array types are numba's to infer.
# mypy: disable-error-code="no-untyped-def,no-untyped-call,untyped-decorator"
"""Compiled loops that read the event engine's spike masks: bit i of ``masks[b, t]`` is neuron i of block b in step t.

Masks take an eighth of a byte per neuron and step, so that those of an image stay in the core's cache.
"""

from __future__ import annotations

from numba import uint64

from snntb_adsnn.engine.compiled import compiled
from snntb_adsnn.engine.event.layout import LANES
from snntb_adsnn.engine.event.words import lowest_bit


@compiled
def list_spikes(masks, ends, times):
    """List a population's spikes by neuron and time.

    Args:
        masks: uint64, shape (blocks, steps), from the population's first block on.
        ends: int64, shape (neurons,): on entry where each neuron's steps begin in ``times``, on return where they end.
        times: int32, filled with steps.
    """
    for block in range(-(-len(ends) // LANES)):
        first = block * LANES
        for t in range(masks.shape[1]):
            mask = masks[block, t]
            while mask:
                neuron = first + lowest_bit(mask)
                times[ends[neuron]] = t
                ends[neuron] += 1
                mask &= mask - uint64(1)


@compiled
def mark_spikes(masks, spikes, mark):
    """Set ``spikes``, of shape (steps, neurons), to ``mark`` where a neuron of the population spikes; see
    ``list_spikes``."""
    for block in range(-(-spikes.shape[1] // LANES)):
        first = block * LANES
        for t in range(len(spikes)):
            mask = masks[block, t]
            while mask:
                spikes[t, first + lowest_bit(mask)] = mark
                mask &= mask - uint64(1)
