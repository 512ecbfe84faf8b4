"""A stage at work: step by step (the specification), or all steps of an image at once (compiled)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from adsnn_hls.arithmetic import Words
from adsnn_hls.arithmetic.steps import Assign


class State(Protocol):
    """State of a stage for a batch of images."""

    @property
    def assign(self) -> Mapping[str, Assign]:
        """By state word, its type and statistics."""

    @property
    def words(self) -> Mapping[str, Words]:
        """By state word, the raw words (images, *shape)."""

    def step(self, signal: Any) -> Any:
        """One time step.

        Args:
            signal: spikes of the stage before, shape (images, *shape), bool, or int8 where some may be negative; for
                the first stage the pixels.

        Returns:
            spikes (images, *shape), bool or int8; of the last stage the outputs (images, classes).
        """


Kept = tuple[Words, ...]
"""For each state, rows (steps, words) that receive it after each step; empty where it is not recorded."""


class Loop(Protocol):
    """A stage at work.

    Attributes:
        stats: one row (low, high, overflows) for each state.
    """

    stats: Words

    def run(self, signal: Any, kept: Kept) -> Any:
        """All steps of one image: pixels or spikes (``Train``) in; spikes or outputs (steps, classes) out."""


class Program(Protocol):
    """What a stage computes."""

    def start(self, steps: int) -> Loop:
        """A loop for images of so many steps."""
