"""State of a training between two epochs, in one file that is replaced atomically."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from snntb_adsnn.errors import OutputError
from snntb_adsnn.network.maps import Array
from snntb_adsnn.record import Format

_FREE = {"epochs", "patience", "recalibration", "weights"}
"""Keys of ``[training]`` that may change in between: what they say counts at the end."""
_WAY_OUT = "Delete it to train from the beginning."


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


@dataclass(frozen=True)
class State:
    """What a training needs to go on.

    Attributes:
        settings: keys and values of ``[training]``.
        course: how far it has come.
        weights: of the net after the last epoch.
        optimizer: the optimizer's variables.
    """

    settings: dict[str, Any]
    course: Course
    weights: tuple[Array, ...]
    optimizer: tuple[Array, ...]


_FORMAT = Format(
    "snntb-adsnn training", 2, "state of an interrupted training", _WAY_OUT, {"State": State, "Course": Course}
)


def save(path: Path, course: Course, learner: Any, settings: dict[str, Any]) -> None:
    """Write course, weights and optimizer state.

    Raises:
        OutputError: the file cannot be written.
    """
    optimizer = tuple(np.asarray(variable.numpy()) for variable in learner.optimizer.variables)
    _FORMAT.write(path, State(settings, course, tuple(learner.get_weights()), optimizer), compress=False)


def load(path: Path, learner: Any, settings: dict[str, Any]) -> Course:
    """The course of an interrupted training with the same settings, its state put into the compiled ``learner``; a new
    course where ``path`` is not there. Of the settings only ``epochs`` and ``patience`` (training goes on for longer,
    on the schedule of the new number) and what is done after the last epoch may have changed.

    Raises:
        OutputError: the file is damaged or belongs to other settings.
    """
    if not path.exists():
        return Course()
    state: State = _FORMAT.read(path)
    _need_whole(state, path)
    old = state.settings
    changed = sorted(key for key in {*settings, *old} - _FREE if settings.get(key) != old.get(key))
    if changed:
        values = ", ".join(f"{key} was {str(old.get(key))[:80]}, is {settings.get(key)}" for key in changed)
        raise OutputError(
            f"{path}: state of a training with other settings ({values}). {_WAY_OUT} Or change the settings back to "
            "continue it."
        )
    learner.optimizer.build(learner.trainable_variables)
    variables = learner.optimizer.variables
    shapes = [w.shape for w in learner.get_weights()]
    kept = [state.weights, *([state.course.best_weights] if state.course.best else [])]
    fits = all([w.shape for w in weights] == shapes for weights in kept)
    if not fits or [v.shape for v in state.optimizer] != [tuple(v.shape) for v in variables]:
        raise OutputError(f"{path}: state of a training of another net. {_WAY_OUT}")
    learner.set_weights(list(state.weights))
    for variable, value in zip(variables, state.optimizer, strict=True):
        variable.assign(value.astype(variable.dtype.as_numpy_dtype))
    return state.course


def _need_whole(state: Any, path: Path) -> None:
    """Refuse a state whose parts are of other kinds than ``save`` writes, as somebody may have made it by hand.

    Raises:
        OutputError: it is one.
    """

    def arrays(part: Any) -> bool:
        return all(isinstance(a, np.ndarray) and a.dtype.kind in "biuf" and np.isfinite(a).all() for a in part)

    def numbers(entry: Any) -> bool:
        return isinstance(entry, dict) and all(type(entry.get(key)) in (int, float) for key in ("val_loss", "seconds"))

    course = getattr(state, "course", None)
    if not (
        isinstance(state, State)
        and isinstance(state.settings, dict)
        and isinstance(course, Course)
        and isinstance(course.epochs, list)
        and all(map(numbers, course.epochs))
        and type(course.best) is int
        and (1 if course.epochs else 0) <= course.best <= len(course.epochs)
        and isinstance(course.best_weights, list)
        and all(isinstance(part, tuple) for part in (state.weights, state.optimizer))
        and all(map(arrays, (course.best_weights, state.weights, state.optimizer)))
    ):
        raise OutputError(f"{path}: damaged state of an interrupted training (a part is of another kind). {_WAY_OUT}")
