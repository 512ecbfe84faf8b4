"""State of a training between two epochs, in one file that is replaced atomically."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from snntb_adsnn.errors import OutputError
from snntb_adsnn.files import DAMAGED_NPZ, atomic_write
from snntb_adsnn.network.maps import Array

_FREE = {"epochs", "patience", "recalibration", "weights"}
"""Keys of ``[training]`` that may change in between: what they say counts at the end."""
_FORMAT = "snntb-adsnn training 1"


@dataclass
class Course:
    """How far a training has come.

    Attributes:
        epochs: one log entry for each epoch that is done.
        best: number of the epoch with the lowest validation loss, from 1; 0 before the first.
        best_weights: the weights after it.
    """

    epochs: list[dict[str, float]] = field(default_factory=list)
    best: int = 0
    best_weights: list[Array] = field(default_factory=list)

    def add(self, entry: dict[str, float], weights: list[Array]) -> None:
        """Append an epoch's entry (with ``val_loss``), and keep its weights if they are the best."""
        self.epochs.append(entry)
        if not self.best or entry["val_loss"] < self.epochs[self.best - 1]["val_loss"]:
            self.best, self.best_weights = len(self.epochs), weights

    def over(self, epochs: int, patience: int) -> bool:
        """Whether all epochs are done, or the validation loss has not fallen for ``patience`` epochs."""
        return len(self.epochs) >= epochs or len(self.epochs) - self.best >= patience


def save(path: Path, course: Course, learner: Any, settings: dict[str, Any]) -> None:
    """Write course, weights and optimizer state.

    Raises:
        OutputError: the file cannot be written.
    """
    header = {"format": _FORMAT, "settings": settings, "epochs": course.epochs, "best": course.best}
    arrays: dict[str, Any] = {
        **_numbered("weight", learner.get_weights()),
        **_numbered("optimizer", [variable.numpy() for variable in learner.optimizer.variables]),
        **_numbered("best", course.best_weights),
    }
    buffer = io.BytesIO()
    np.savez(buffer, header=np.frombuffer(json.dumps(header).encode(), np.uint8), **arrays)
    atomic_write(path, buffer.getvalue())


def load(path: Path, learner: Any, settings: dict[str, Any]) -> Course:
    """The course of an interrupted training with the same settings, its state put into the compiled ``learner``; a new
    course where ``path`` is not there. Of the settings only ``epochs`` and ``patience`` (training goes on for longer,
    on the schedule of the new number) and what is done after the last epoch may have changed.

    Raises:
        OutputError: the file is damaged or belongs to other settings.
    """
    if not path.exists():
        return Course()
    way_out = "Delete it to train from the beginning."
    try:
        with np.load(path, allow_pickle=False) as file:
            header = json.loads(bytes(file["header"]).decode())
            arrays = {key: file[key] for key in file.files}
        old = header["settings"]
        course = Course(header["epochs"], header["best"], _by_number(arrays, "best"))
        known = header["format"] == _FORMAT
    except DAMAGED_NPZ as error:
        raise OutputError(f"{path}: damaged state of an interrupted training ({error}). {way_out}") from None
    changed = sorted(key for key in {*settings, *old} - _FREE if settings.get(key) != old.get(key))
    if changed or not known:
        values = ", ".join(f"{key} was {old.get(key)}, is {settings.get(key)}" for key in changed)
        raise OutputError(
            f"{path}: state of a training with other settings ({values or 'another version'}). {way_out} Or change "
            "the settings back to continue it."
        )
    learner.optimizer.build(learner.trainable_variables)
    try:
        learner.set_weights(_by_number(arrays, "weight"))
        for variable, value in zip(learner.optimizer.variables, _by_number(arrays, "optimizer"), strict=True):
            variable.assign(value)
    except ValueError:
        raise OutputError(f"{path}: state of a training of another net. {way_out}") from None
    return course


def _numbered(name: str, arrays: list[Array]) -> dict[str, Array]:
    return {f"{name}.{i}": array for i, array in enumerate(arrays)}


def _by_number(arrays: dict[str, Array], name: str) -> list[Array]:
    return [arrays[f"{name}.{i}"] for i in range(sum(key.startswith(f"{name}.") for key in arrays))]
