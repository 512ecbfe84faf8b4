"""What finished studies found: their points as plain data, and the choice among them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class SweepOutcome:
    """A finished sweep.

    Attributes:
        points: the results, in the grid's order (``sweep.simulate_point``).
        ann_accuracy: of the ANN on the same images.
        tolerance, low_rate_loss: percentage points, see ``SweepSection``.
        matching: the point of the smallest firing rate that still matches the ANN, or ``None``.
        low_rate_allowed: percentage points that the low rate may lose: ``low_rate_loss``, or one image if that is more.
        low_rate: the point of the smallest firing rate that loses no more than ``low_rate_allowed``, or ``None``.
    """

    points: list[dict[str, Any]]
    ann_accuracy: float
    tolerance: float
    low_rate_loss: float

    def _cheapest(self, loss: float) -> dict[str, Any] | None:
        # half an image's share would do; 1e-9 is a rounding guard
        good = [p for p in self.points if p["snn_accuracy"] >= self.ann_accuracy - loss / 100 - 1e-9]
        return min(good, key=lambda p: p["firing_rate_hz"], default=None)

    @property
    def matching(self) -> dict[str, Any] | None:
        return self._cheapest(self.tolerance)

    @property
    def low_rate_allowed(self) -> float:
        # of 50 images one is 2 points: 0.5 would allow no loss at all
        return max(self.low_rate_loss, 100 / self.points[0]["num_images"])

    @property
    def low_rate(self) -> dict[str, Any] | None:
        return self._cheapest(self.low_rate_allowed)


@dataclass(frozen=True)
class ArousalOutcome:
    """A finished study of arousal.

    Attributes:
        trials: the results (``arousal.simulate_trial``), in the order of the lists.
        low, high: the network at either precision throughout (``sweep.simulate_point``).
        ann_accuracy: of the ANN on the same images.
        mistakes, calibration_images: training images that the low precision gets wrong, of how many; 0 of 0 where the
            threshold was given.
        tolerance: percentage points below the high precision's accuracy that still are its equal.
    """

    trials: list[dict[str, Any]]
    low: dict[str, Any]
    high: dict[str, Any]
    ann_accuracy: float
    mistakes: int
    calibration_images: int
    tolerance: float

    @property
    def best(self) -> dict[str, Any] | None:
        """The choice of the smallest firing rate that is as accurate as the high precision, or ``None``."""
        needed = self.high["snn_accuracy"] - self.tolerance / 100 - 1e-9
        good = [trial for trial in self.trials if trial["snn_accuracy"] >= needed]
        return min(good, key=lambda trial: trial["firing_rate_hz"], default=None)
