"""How parallel a stage is: choices that the cores can do."""

from __future__ import annotations

from adsnn_hls.cores.instance import Lanes
from snntb_adsnn.errors import ParameterError

MOST = 32
"""Lanes of the default choice, at most."""


def divisors(count: int) -> list[int]:
    """All divisors of ``count``, in order."""
    return [n for n in range(1, count + 1) if count % n == 0]


def units_for(neurons: int, channels: int, cycles: int) -> int:
    """Fewest units that divide ``channels`` and update ``neurons`` neurons in ``cycles`` clocks, or all channels."""
    pixels = -(-neurons // channels)
    return next((n for n in divisors(channels) if pixels * channels <= cycles * n), channels)


def check(name: str, lanes: Lanes, channels: int) -> None:
    """Raise ParameterError unless ``lanes`` divide the ``channels`` of the stage ``name``, and units its lanes."""
    if min(lanes.units, lanes.lanes) < 1 or channels % lanes.lanes:
        fitting = ", ".join(map(str, divisors(channels)))
        raise ParameterError(
            f"{name}: lanes = {lanes.lanes} do not divide its {channels} channels; choose one of {fitting}."
        )
    if lanes.lanes % lanes.units:
        raise ParameterError(f"{name}: units = {lanes.units} do not divide its {lanes.lanes} lanes.")
    if lanes.fifo < 32 or lanes.fifo & (lanes.fifo - 1):
        raise ParameterError(f"{name}: fifo = {lanes.fifo} is not a power of two of at least 32.")
