"""The arithmetic of one step that stages share, word by word (docs/fixed-point.md is its text form)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from adsnn_hls.arithmetic.types import FixedType, Words

WORD = 62
"""Bits that an intermediate result may have: the golden model computes in int64."""


@dataclass(frozen=True)
class Range:
    """What a state word did: its smallest and largest raw word, and how often an assignment saturated or wrapped."""

    low: int
    high: int
    overflows: int


def align(words: Any, fraction: int, to: int) -> Words:
    """Append zero bits up to ``to`` >= fraction bits right of the point: exact."""
    return np.asarray(words, np.int64) << (to - fraction)


class Assign:
    """Assigns to one state word's type, and keeps its statistics."""

    def __init__(self, kind: FixedType) -> None:
        self.kind = kind
        self._unbounded = FixedType(WORD, WORD - kind.fraction, True, kind.rounding)
        self.low, self.high, self.overflows = 0, 0, 0

    def __call__(self, words: Words, fraction: int, where: Any = True) -> Words:
        """Raw words of the state's type; ``where``: which elements are really assigned, for the statistics."""
        result = self.kind.cast(words, fraction)
        rounded = self._unbounded.cast(words, fraction)
        self.low = min(self.low, int(result.min(initial=0)))
        self.high = max(self.high, int(result.max(initial=0)))
        self.overflows += int(np.count_nonzero((rounded != result) & where))
        return result

    @property
    def range(self) -> Range:
        """The statistics so far."""
        return Range(self.low, self.high, self.overflows)


def filter_step(V: Words, I: Words, g_phi: int, potential: Assign, current: FixedType, coefficient: FixedType) -> Words:
    """V + g_phi (I - V), rounded once (k_phi V + g_phi I with k_phi = 1 - g_phi needs two products)."""
    v, f = potential.kind.fraction, max(potential.kind.fraction, current.fraction)
    difference = align(I, current.fraction, f) - align(V, v, f)
    total = align(V, v, f + coefficient.fraction) + g_phi * difference
    return potential(total, f + coefficient.fraction)


def current_step(I: Words, drive: Words, drive_fraction: int, k_beta: int, current: Assign, c: FixedType) -> Words:
    """k_beta I + drive, rounded once."""
    i = current.kind.fraction + c.fraction
    f = max(i, drive_fraction)
    return current(align(k_beta * I, i, f) + align(drive, drive_fraction, f), f)
