"""Names of data sets, and how each is had: the registry that configurations, training and runs ask.

A data set in memory is a function under ``@dataset("name")``. One of another kind is a ``Source`` of its own
(``folder.py``).
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from snntb_adsnn.data.dataset import Array, Dataset
from snntb_adsnn.errors import DataError
from snntb_adsnn.registry import Registry


@dataclass(frozen=True)
class Choice:
    """Which data set, in the words of ``[training]``.

    Attributes:
        name: in ``DATASETS``.
        folder: of the data, for those that lie in a folder of the user's.
        image_size: side in pixels of the square that images of a folder are cropped to.
        test_images: of a folder, how many test images a run simulates, at most.
    """

    name: str
    folder: Path | None = None
    image_size: int = 224
    test_images: int = 1000

    def open(self, cache: Path | None = None) -> Opened:
        """The data set; see ``Source.open``."""
        return DATASETS.find(self.name).open(self, cache)

    def state(self) -> str:
        """What a run of it needs on disk, in a line; see ``Source.state``."""
        return DATASETS.find(self.name).state(self)


class Opened(Protocol):
    """A data set, ready to be read; the inputs may still lie on disk."""

    @property
    def train_labels(self) -> NDArray[np.int64]:
        """Class numbers of the training inputs, shape (inputs,)."""

    def train_inputs(self, chosen: NDArray[np.int64]) -> Array:
        """The training inputs of these numbers, shape (chosen, *input shape)."""

    def sample(self, test_images: int) -> Dataset:
        """What a run needs on disk, in memory; of a large set ``test_images`` test images, always the same."""


class Source(ABC):
    """An entry of ``DATASETS``."""

    from_folder: ClassVar[bool] = False
    """Whether it lies in a folder that the user names."""

    @abstractmethod
    def open(self, choice: Choice, cache: Path | None) -> Opened:
        """The data set.

        Args:
            choice: which part of it, and where it lies.
            cache: folder where images that must be decoded first are kept for the next call.

        Raises:
            DataError: the data are missing or damaged.
        """

    def state(self, choice: Choice) -> str:
        """A line that changes whenever ``open(choice).sample`` gives something else; cheap."""
        return choice.name


@dataclass(frozen=True)
class InMemory(Source):
    """A data set that a function loads; its argument is the folder of ``Source.open``'s ``cache``."""

    load: Callable[[Path | None], Dataset]

    def open(self, choice: Choice, cache: Path | None) -> Dataset:
        return self.load(cache)


DATASETS: Registry[str, Source] = Registry("data set")
"""All data sets, by the name that ``[training] dataset`` takes."""

_Load = Callable[[Path | None], Dataset]


def dataset(name: str) -> Callable[[_Load], _Load]:
    """Decorator of a function that loads a data set: makes it known as ``[training] dataset = name``.

    The function takes a folder for decoded data, which it may use or not, and gives the same ``Dataset`` on every call.

    Raises:
        ParameterError: the name is taken.
    """

    def register(load: _Load) -> _Load:
        DATASETS.add(name, InMemory(load))
        return load

    return register


def load_dataset(name: str, *, cache: Path | None = None) -> Dataset:
    """Load a data set that fits into memory; train and test parts are the same on every call.

    Args:
        name: of the data set.
        cache: folder where images that must be decoded first are kept for the next call.

    Raises:
        DataError: unknown name, or the data are missing or damaged.
    """
    source = DATASETS.get(name)
    if not isinstance(source, InMemory):
        known = ", ".join(name for name, source in DATASETS.items() if isinstance(source, InMemory))
        raise DataError(f"data set {name!r} is unknown: choose one of {known}.")
    return source.load(cache)


def searched(data: str | None) -> str:
    """What a message says of the folder of data that ``ADSNN_DATA`` names."""
    if not data:
        return "not set"
    return data if Path(data).is_dir() else f"{data}, which is no folder"


def failure(error: Exception) -> str:
    """Why a download failed, without the system's numbers."""
    return re.sub(r"\[Errno -?\d+\] |<urlopen error |>", "", " ".join(str(error).split())) or type(error).__name__
