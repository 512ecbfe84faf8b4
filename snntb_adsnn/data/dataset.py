"""Data sets in memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snntb_adsnn.errors import DataError

Array = NDArray[np.float32]
NORM_SAMPLES = 1000
"""Number of training inputs that go to ``x_norm.npz``."""


@dataclass(frozen=True)
class Dataset:
    """Inputs and one-hot labels, float32.

    Attributes:
        x_train, x_test: shape (samples, *input shape).
        y_train, y_test: shape (samples, classes), one-hot.
        name: of the data set.
        classes: names of the classes, in the order of the label columns.

    Raises:
        DataError: counts or shapes do not fit, labels are not one-hot, or a value is not finite.
    """

    x_train: Array
    y_train: Array
    x_test: Array
    y_test: Array
    name: str
    classes: tuple[str, ...]

    def __post_init__(self) -> None:
        for part, x, y in (("train", self.x_train, self.y_train), ("test", self.x_test, self.y_test)):
            if len(x) != len(y) or not len(x):
                raise DataError(f"{self.name}: {len(x)} {part} inputs and {len(y)} labels; there must be one for each.")
            if y.shape[1:] != (len(self.classes),):
                raise DataError(
                    f"{self.name}: {part} labels of shape {y.shape} do not fit {len(self.classes)} classes; "
                    "give one column for each class."
                )
            if not (np.isin(y, (0, 1)).all() and (y.sum(axis=1) == 1).all()):
                raise DataError(f"{self.name}: {part} labels are not one-hot; each row needs one 1 and otherwise 0.")
            if not np.isfinite(x).all():
                raise DataError(f"{self.name}: {part} inputs hold NaN or infinite values; clean the data first.")
        if self.x_train.shape[1:] != self.x_test.shape[1:]:
            raise DataError(
                f"{self.name}: train inputs have shape {self.x_train.shape[1:]}, test inputs {self.x_test.shape[1:]}; "
                "they must agree."
            )

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one input."""
        return self.x_train.shape[1:]

    @property
    def is_images(self) -> bool:
        """Whether an input is an image (height, width, channels)."""
        return len(self.input_shape) == 3

    @property
    def train_labels(self) -> NDArray[np.int64]:
        """Class numbers of the training inputs, shape (samples,)."""
        return self.y_train.argmax(axis=1)

    def train_inputs(self, chosen: NDArray[np.int64]) -> Array:
        """The training inputs of these numbers, shape (chosen, *input shape)."""
        return self.x_train[chosen]

    def sample(self, test_images: int) -> Dataset:
        """What a run needs on disk: all of it."""
        return self


def one_hot(labels: Any, classes: int) -> Array:
    """Class numbers, shape (samples,), as one-hot rows, shape (samples, classes).

    Raises:
        DataError: a label is not one of 0 ... classes - 1.
    """
    labels = np.asarray(labels)
    if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer):
        raise DataError(f"labels of shape {labels.shape} and type {labels.dtype} are not a list of class numbers.")
    if len(labels) and not (labels.min() >= 0 and labels.max() < classes):
        raise DataError(f"labels run from {labels.min()} to {labels.max()}; {classes} classes need 0 to {classes - 1}.")
    return np.eye(classes, dtype=np.float32)[labels]


def split(x: Any, labels: Any, *, test_size: int, name: str, classes: tuple[str, ...]) -> Dataset:
    """Split into train and test parts with the same share of every class, always in the same way."""
    from sklearn.model_selection import train_test_split

    x, y = np.asarray(x, np.float32), one_hot(labels, len(classes))
    x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=test_size, stratify=labels, random_state=0)
    return Dataset(x_train, y_train, x_test, y_test, name, classes)
