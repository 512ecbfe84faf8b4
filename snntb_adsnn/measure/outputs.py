"""How well one output of a network does, counted batch by batch: decisions, or distances from the ANN's values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snntb_adsnn.errors import DataError
from snntb_adsnn.network.maps import Array
from snntb_adsnn.network.tasks import MultiLabel, Task


@dataclass(frozen=True)
class OutputFigures:
    """Figures of one output; ``None`` where its task has no such figure, or the ANN was not evaluated.

    Attributes:
        name, shape: of the output.
        task: what it is for, a name in ``network.tasks.TASKS``.
        snn_accuracy, ann_accuracy: share of right decisions, of the AdSNN after the last step and of the ANN; of
            several labels the mean over labels.
        agreement: share of decisions that are the ANN's; of values the share of the variance of the ANN's outputs that
            the AdSNN gives after the last step: 1 - (mean squared difference) / variance.
        snn_exact_match, ann_exact_match: of several labels, share of images with all labels right.
        rmse_to_ann: root mean square difference from the ANN's outputs after the last step.
        rmse_to_labels, ann_rmse_to_labels: of values, from the labels, of the AdSNN and of the ANN.
        accuracy_over_time, rmse_to_ann_over_time: after each step, shape (steps,).
        quality_over_time: what the matching time is read from: the accuracy; of values the share of variance, of the
            ANN's outputs, or of the labels where there is no ANN.
    """

    name: str
    shape: tuple[int, ...]
    task: str
    snn_accuracy: float | None
    ann_accuracy: float | None
    agreement: float | None
    snn_exact_match: float | None
    ann_exact_match: float | None
    rmse_to_ann: float | None
    rmse_to_labels: float | None
    ann_rmse_to_labels: float | None
    accuracy_over_time: NDArray[np.float64] | None
    rmse_to_ann_over_time: NDArray[np.float64] | None
    quality_over_time: NDArray[np.float64]


class Distance:
    """Squared differences from wanted values at every step, and the spread of these."""

    def __init__(self, steps: int, values: int) -> None:
        self.squares = np.zeros(steps)
        self._sum, self._sum_of_squares = np.zeros(values), 0.0
        self._images, self._values = 0, values

    def add(self, found: Array, wanted: Array) -> None:
        """An image: values of shape (steps, values), and what they should be, shape (values,)."""
        self.squares += np.square(found - wanted).sum(axis=-1, dtype=np.float64)
        self._sum += wanted
        self._sum_of_squares += float(np.square(wanted).sum())
        self._images += 1

    @property
    def rmse(self) -> NDArray[np.float64]:
        """Root mean square difference at every step, over images and values."""
        return np.sqrt(self.squares / (self._images * self._values))

    @property
    def explained(self) -> NDArray[np.float64]:
        """Share of the wanted values' variance that is there at every step; of their squares where all are alike."""
        spread = self._sum_of_squares - float(np.square(self._sum).sum()) / self._images
        if spread <= 1e-9 * self._sum_of_squares:  # all alike, but for rounding
            spread = self._sum_of_squares or 1.0
        return 1 - self.squares / spread


class Tally:
    """Counts of one output.

    Args:
        task: what it is for.
        steps: of a simulation.
    """

    def __init__(self, task: Task, steps: int) -> None:
        self.task, self.steps, self.images = task, steps, 0
        self._right = np.zeros(steps)
        self._exact = self._ann_exact = self._ann_right = self._alike = 0.0
        self._to_ann, self._to_labels, self._ann_to_labels = (
            Distance(count, task.part.size) for count in (steps, steps, 1)
        )
        self._has_decisions = self._has_values = False

    def add(self, potentials: Array, targets: Array, ann_decisions: Array | None, ann_values: Array | None) -> None:
        """Count a batch.

        Args:
            potentials: of the read-out, shape (images, steps, values).
            targets: labels as ``task.targets`` gives them.
            ann_decisions: of the ANN, shape (images,), or (images, labels).
            ann_values: its outputs, shape (images, values).
        """
        had = (self._has_decisions, self._has_values)
        self._has_decisions, self._has_values = ann_decisions is not None, ann_values is not None
        if self.images and had != (self._has_decisions, self._has_values):
            raise DataError("batches of one evaluation must have all or none ANN predictions.")
        self.images += len(potentials)
        if self.task.decides:
            self._add_decisions(self.task.decide(potentials), targets, ann_decisions)
        if ann_values is None and self.task.decides:
            return
        for image, own in enumerate(potentials):
            values = self.task.part.activated(own)
            if ann_values is not None:
                self._to_ann.add(values, ann_values[image])
            if not self.task.decides:
                self._to_labels.add(values, targets[image])
                if ann_values is not None:
                    self._ann_to_labels.add(ann_values[image][None], targets[image])

    def _add_decisions(self, decisions: Array, targets: Array, ann: Array | None) -> None:
        task = self.task
        self._right += task.score(decisions, targets).sum(axis=0, dtype=np.float64)
        if isinstance(task, MultiLabel):
            self._exact += float(task.exact(decisions, targets)[:, -1].sum())
        if ann is None:
            return
        self._ann_right += float(task.score(ann[:, None], targets).sum())
        self._alike += float(task.score(decisions[:, -1:], ann).sum())
        if isinstance(task, MultiLabel):
            self._ann_exact += float(task.exact(ann[:, None], targets).sum())

    def figures(self) -> OutputFigures:
        """Of everything counted so far."""
        task, n = self.task, self.images
        decides, ann, values = task.decides, self._has_decisions, self._has_values
        several = isinstance(task, MultiLabel)
        accuracy = self._right / n if decides else None
        explained = (self._to_ann if values else self._to_labels).explained if not decides else None
        quality: Any = accuracy if decides else explained
        agreement: float | None = None
        if decides and ann:
            agreement = self._alike / n
        elif not decides and values:
            agreement = float(quality[-1])
        return OutputFigures(
            name=task.part.name,
            shape=task.part.shape,
            task=task.name,
            snn_accuracy=float(quality[-1]) if decides else None,
            ann_accuracy=self._ann_right / n if decides and ann else None,
            agreement=agreement,
            snn_exact_match=self._exact / n if several else None,
            ann_exact_match=self._ann_exact / n if several and ann else None,
            rmse_to_ann=float(self._to_ann.rmse[-1]) if values else None,
            rmse_to_labels=None if decides else float(self._to_labels.rmse[-1]),
            ann_rmse_to_labels=float(self._ann_to_labels.rmse[-1]) if values and not decides else None,
            accuracy_over_time=accuracy,
            rmse_to_ann_over_time=self._to_ann.rmse if values else None,
            quality_over_time=quality,
        )
