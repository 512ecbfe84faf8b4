"""What a network is for: what its outputs decide, which labels fit, and how many of them are right.

The task follows from the outputs, where they leave a choice from the labels, and else from whoever says it
(``[adsnn] task``, ``Output.task``).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from snntb_adsnn.errors import DataError, ParameterError
from snntb_adsnn.network.node import Array
from snntb_adsnn.network.outputs import Output
from snntb_adsnn.registry import Registry

AUTO = "auto"
_SHOWN = 12  # numbers of a row


@dataclass(frozen=True)
class Task(ABC):
    """What one output is for.

    Attributes:
        part: the output.
    """

    part: Output
    name: ClassVar[str]
    decides: ClassVar[bool] = True
    """Whether there are decisions that can be right or wrong."""

    @classmethod
    @abstractmethod
    def fits(cls, part: Output) -> bool:
        """Whether an output can be used so."""

    @classmethod
    @abstractmethod
    def chosen(cls, part: Output, labels: Array | None) -> bool:
        """Whether an output that fits is used so where nobody says it; ``labels`` as they stand in a file."""

    @abstractmethod
    def decide(self, values: Array, *, potentials: bool = True) -> Array:
        """Decisions from the values of the output, flat: shape (..., values).

        Args:
            values: the read-out's potentials, or what the activation makes of them.
            potentials: which of the two.
        """

    @abstractmethod
    def targets(self, labels: ArrayLike, images: int) -> Array:
        """Labels in the form that ``score`` takes.

        Raises:
            DataError: they fit no output of this kind; says which one is wrong, and the way out.
        """

    @abstractmethod
    def score(self, decisions: Array, targets: Array) -> Array:
        """Share of right decisions of each image and step, shape (images, steps), from decisions of these."""


TASKS: Registry[str, type[Task]] = Registry("task")
"""By name, in the order in which they are tried for an output."""


def _registered(kind: type[Task]) -> type[Task]:
    TASKS.add(kind.name, kind)
    return kind


@_registered
class Classification(Task):
    """One of several classes: that of the largest output."""

    name = "classification"

    @classmethod
    def fits(cls, part: Output) -> bool:
        return len(part.shape) == 1 and part.size > 1 and part.function.keeps_order and not part.row

    @classmethod
    def chosen(cls, part: Output, labels: Array | None) -> bool:
        if part.activation == "sigmoid":
            return labels is not None and _is_column(labels) and _whole(labels)
        if labels is None or part.activation == "softmax" or labels.shape[1:] != part.shape:
            return True
        return bool(np.isin(labels, (-1, 0, 1)).all())  # else they are continuous

    def decide(self, values: Array, *, potentials: bool = True) -> Array:
        return values.argmax(axis=-1)

    def targets(self, labels: ArrayLike, images: int) -> Array:
        array, classes = np.asarray(labels), self.part.size
        if _is_column(array):
            return _numbers(_column(array, images), classes)
        if array.shape != (images, classes):
            raise DataError(
                f"labels of shape {array.shape} do not fit {images} images and {classes} classes; give one-hot rows "
                "with one column a class, or class numbers; check that data set and model belong together."
            )
        array = array.astype(np.float64)
        low = -1 if (array == -1).any() else 0
        wrong = np.flatnonzero(~(np.isin(array, (low, 1)).all(axis=1) & ((array == 1).sum(axis=1) == 1)))
        if len(wrong):
            raise DataError(
                f"row {wrong[0]} of the labels is {_shown(array[wrong[0]])}, which is not one-hot; write a 1 in the "
                "column of the class and 0 elsewhere, or say another [adsnn] task."
            )
        return array.argmax(axis=1)

    def score(self, decisions: Array, targets: Array) -> Array:
        return decisions == targets.reshape(-1, *(1,) * (decisions.ndim - 1))


@_registered
class Binary(Classification):
    """Yes or no, from one output: 1 where its potential is above 0, which a sigmoid makes 0.5."""

    name = "binary"

    @classmethod
    def fits(cls, part: Output) -> bool:
        return part.shape == (1,) and part.function.elementwise and part.function.keeps_order

    @classmethod
    def chosen(cls, part: Output, labels: Array | None) -> bool:
        return part.activation == "sigmoid"

    def decide(self, values: Array, *, potentials: bool = True) -> Array:
        return (values[..., 0] > _middle(self.part, potentials)).astype(np.intp)

    def targets(self, labels: ArrayLike, images: int) -> Array:
        array = np.asarray(labels)
        if array.shape == (images, 2):  # one column for each of the two
            return Classification(Output(self.part.name, (2,), "softmax")).targets(array, images)
        return _zeros_and_ones(_column(array, images)).astype(np.int64)


@_registered
class MultiLabel(Task):
    """Several labels, of which any number may hold: 1 for each output whose potential is above 0."""

    name = "multilabel"

    @classmethod
    def fits(cls, part: Output) -> bool:
        return len(part.shape) == 1 and part.function.elementwise and part.function.keeps_order

    @classmethod
    def chosen(cls, part: Output, labels: Array | None) -> bool:
        known = labels is None or labels.shape[1:] != part.shape or bool(np.isin(labels, (-1, 0, 1)).all())
        return part.activation == "sigmoid" and known

    def decide(self, values: Array, *, potentials: bool = True) -> Array:
        return (values > _middle(self.part, potentials)).astype(np.intp)

    def targets(self, labels: ArrayLike, images: int) -> Array:
        array = np.asarray(labels)
        array = array[:, None] if array.ndim == 1 and self.part.size == 1 else array
        if array.shape != (images, self.part.size):
            raise DataError(
                f"labels of shape {array.shape} do not fit {images} images and {self.part.size} outputs with labels of "
                "their own; give a column of 0 and 1 for each, or say another [adsnn] task."
            )
        return _zeros_and_ones(array).astype(np.int64)

    def score(self, decisions: Array, targets: Array) -> Array:
        return self._right(decisions, targets).mean(axis=-1)

    def exact(self, decisions: Array, targets: Array) -> Array:
        """Whether all labels of an image are right, shape (images, steps)."""
        return np.asarray(self._right(decisions, targets).all(axis=-1))

    def _right(self, decisions: Array, targets: Array) -> Array:
        return decisions == targets.reshape(len(targets), *(1,) * (decisions.ndim - 2), -1)


@_registered
class Regression(Task):
    """Values, an image or others: nothing is decided, they are compared."""

    name = "regression"
    decides = False

    @classmethod
    def fits(cls, part: Output) -> bool:
        return part.activation != "softmax" or (part.row or part.shape[-1]) > 1  # which is always 1

    @classmethod
    def chosen(cls, part: Output, labels: Array | None) -> bool:
        return True

    def decide(self, values: Array, *, potentials: bool = True) -> Array:
        raise ParameterError(
            "the network computes values (its task is regression), so that there are no decisions; read outputs (the "
            "read-out's potentials) or predictions (as the model predicts) of the result."
        )

    def targets(self, labels: ArrayLike, images: int) -> Array:
        array = np.asarray(labels)
        shapes = [self.part.shape, (self.part.size,), *([()] if self.part.size == 1 else [])]
        if array.shape[:1] != (images,) or array.shape[1:] not in shapes:
            raise DataError(
                f"labels of shape {array.shape} do not fit {images} inputs and an output of shape {self.part.shape}; "
                "give the values that the output should have (for an autoencoder, the inputs once more)."
            )
        return array.reshape(images, -1).astype(np.float64)

    def score(self, decisions: Array, targets: Array) -> Array:
        raise NotImplementedError


# ---- which one -------------------------------------------------------------------------------------------------------


def task_of(part: Output, wanted: str = AUTO, labels: Any = None) -> Task:
    """The task of an output.

    Args:
        part: the output.
        wanted: name of a task, or ``auto``.
        labels: as they stand in a file, where they are known: they choose where the output leaves a choice.

    Raises:
        ParameterError: there is no such task, or the output cannot be used so.
    """
    array = None if labels is None else np.asarray(labels)
    if wanted != AUTO:
        kind = TASKS.find(wanted)
        if not kind.fits(part):
            fitting = [name for name, one in TASKS.items() if one.fits(part)]
            raise ParameterError(
                f"task = {wanted} does not fit the output {part.name!r}, of shape {part.shape} and activation "
                f"{part.activation}; {'choose ' + ' or '.join(fitting) if fitting else _ONE_SOFTMAX}."
            )
        return kind(part)
    for kind in TASKS.values():
        if kind.fits(part) and kind.chosen(part, array):
            return kind(part)
    raise ParameterError(f"the network has one softmax output, which is always 1; {_ONE_SOFTMAX}.")


_ONE_SOFTMAX = "end the model with a sigmoid, or train one output a class"


def tasks_of(parts: Sequence[Output], wanted: str = AUTO, labels: Any = None) -> tuple[Task, ...]:
    """The task of each output. Labels of several outputs stand side by side: the columns of one after the other's.

    Raises:
        ParameterError: ``wanted`` does not fit, or there are several outputs, each of which has its own.
    """
    if len(parts) == 1:
        return (task_of(parts[0], wanted, labels),)
    if wanted != AUTO:
        raise ParameterError(f"task = {wanted} is for one output, and the network has {len(parts)}; leave it out.")
    array = None if labels is None else np.asarray(labels)
    fits = array is not None and array.shape[1:] == (sum(part.size for part in parts),)
    ends = np.cumsum([part.size for part in parts])[:-1]
    columns = np.split(array, ends, axis=1) if array is not None and fits else [None] * len(parts)
    return tuple(task_of(part, AUTO, own) for part, own in zip(parts, columns, strict=True))


def targets_of(tasks: Sequence[Task], labels: ArrayLike, images: int) -> list[Array]:
    """The labels of each output; see ``Task.targets``.

    Raises:
        DataError: they do not fit.
    """
    if len(tasks) == 1:
        return [tasks[0].targets(labels, images)]
    array, sizes = np.asarray(labels), [task.part.size for task in tasks]
    if array.shape != (images, sum(sizes)):
        widths = ", ".join(f"{task.part.name} {size}" for task, size in zip(tasks, sizes, strict=True))
        raise DataError(
            f"labels of shape {array.shape} do not fit {images} inputs and {len(tasks)} outputs; give the columns of "
            f"all outputs side by side ({widths})."
        )
    columns = np.split(array, np.cumsum(sizes)[:-1], axis=1)
    return [task.targets(own, images) for task, own in zip(tasks, columns, strict=True)]


# ---- labels ----------------------------------------------------------------------------------------------------------


def _middle(part: Output, potentials: bool) -> Any:
    """What divides yes from no: a potential of 0, or its value."""
    return 0.0 if potentials else part.function.function(np.zeros(1))[0]


def _is_column(labels: Array) -> bool:
    return labels.ndim == 1 or labels.shape[1:] == (1,)


def _whole(labels: Array) -> bool:
    return np.array_equal(labels, labels.astype(np.int64))


def _column(labels: Array, images: int) -> Array:
    """Labels of shape (images,) or (images, 1) as (images,).

    Raises:
        DataError: they have another shape.
    """
    if labels.shape not in ((images,), (images, 1)):
        raise DataError(f"labels of shape {labels.shape} do not fit {images} images; give one number an image.")
    return labels.reshape(images)


def _numbers(labels: Array, classes: int) -> Array:
    """Class numbers from 0, as integers.

    Raises:
        DataError: they are no whole numbers, or run above the classes.
    """
    if not _whole(labels):
        raise DataError("the labels are no whole numbers; give one integer an image, or one-hot rows.")
    numbers = labels.astype(np.int64)
    if classes == 2 and len(numbers) and np.isin(numbers, (-1, 1)).all() and (numbers == -1).any():
        return (numbers + 1) // 2
    if len(numbers) and not 0 <= numbers.min() <= numbers.max() < classes:
        raise DataError(
            f"labels run from {numbers.min()} to {numbers.max()}, but the network has {classes} outputs (0 to "
            f"{classes - 1}); check that data set and model belong together."
        )
    return numbers


def _zeros_and_ones(labels: Array) -> Array:
    """Labels of 0 and 1, or of -1 and 1, as 0 and 1.

    Raises:
        DataError: there are others.
    """
    array = labels.astype(np.float64)
    low = -1 if (array == -1).any() else 0
    wrong = np.argwhere(~np.isin(array, (low, 1)))
    if len(wrong):
        value = array[tuple(wrong[0])]
        raise DataError(
            f"row {wrong[0][0]} of the labels holds {value:g}, but a label that holds or not is 1 or 0 (or 1 or -1, "
            "in all rows); write them so, or say another [adsnn] task."
        )
    return array == 1


def _shown(row: Array) -> str:
    numbers = ", ".join(f"{number:g}" for number in row[:_SHOWN])
    return f"[{numbers}{', ...' if len(row) > _SHOWN else ''}]"
