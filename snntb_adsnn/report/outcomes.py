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


@dataclass(frozen=True, kw_only=True)
class ArousalOutcome:
    """A finished study of arousal. Runs are figures on the test images (``studies.arousal.simulate_levels``).

    Attributes:
        chosen: the run with the choice that was made on training images.
        low, high: its precisions throughout.
        fixed: the fixed precision between them that spikes as much on the training images; ``None`` where nothing was
            chosen.
        random: what to expect where as many images switch, but at random.
        trials: figures of every choice on the training images, in the order of the lists.
        laws: the paper's laws on the training images (``studies.choice.HeldOut.laws``), or ``None``.
        ann_accuracy: of the ANN on the test images.
        calibration_images: training images that it was chosen with; 0 where everything was given.
        tolerance: percentage points below the high precision's accuracy that still are its equal.
    """

    chosen: dict[str, Any]
    low: dict[str, Any]
    high: dict[str, Any]
    fixed: dict[str, Any] | None
    random: dict[str, Any]
    trials: list[dict[str, Any]]
    laws: dict[str, Any] | None
    ann_accuracy: float
    calibration_images: int
    tolerance: float

    @property
    def _needed(self) -> float:
        return float(self.high["snn_accuracy"]) - self.tolerance / 100 - 1e-9

    @property
    def best(self) -> dict[str, Any] | None:
        """``chosen``, where it is as accurate as the high precision on the test images; else ``None``."""
        return self.chosen if self.chosen["snn_accuracy"] >= self._needed else None

    @property
    def pays(self) -> bool:
        """Whether arousal is as accurate as the high precision, and the low precision alone is not."""
        return self.best is not None and self.low["snn_accuracy"] < self._needed

    @property
    def runs(self) -> dict[str, dict[str, Any]]:
        """Arousal and what it must beat, by name."""
        found = {"low precision": self.low, "high precision": self.high, "arousal": self.chosen}
        if self.fixed is not None:
            found["fixed, same rate"] = self.fixed
        return {**found, "random switching": self.random}
