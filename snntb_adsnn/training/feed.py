"""Training batches: shuffled anew in every epoch, with flips and shifts; the same whenever an epoch is repeated."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import singledispatch
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snntb_adsnn.config import Config
from snntb_adsnn.config.training import TrainingSection
from snntb_adsnn.data import Array, Dataset, one_hot
from snntb_adsnn.data.folder import ImageFolder
from snntb_adsnn.errors import AdSNNError, ConfigError
from snntb_adsnn.frontends.keras.compat import keras


class Batches(keras.utils.Sequence):  # type: ignore[misc]
    """Batches of arrays for ``keras.Model.fit``.

    What is drawn at random depends on seed and epoch alone, so a training resumed in some epoch sees what it would
    have seen.

    Args:
        x: shape (samples, *input shape).
        y: labels, shape (samples, classes).
        batch_size: samples of a batch; the last one may be smaller.
        seed: of order, flips and shifts.
        epoch: which epoch's, from 0.
        flip: mirror half of the images (height, width, channels) left to right.
        shift: largest shift in pixels along each axis; the border is mirrored outwards.
        cutout: side in pixels of a square in each image that is set to 0 (DeVries & Taylor 2017, arXiv 1708.04552); its
            centre lies anywhere in the image.
    """

    def __init__(
        self,
        x: Array,
        y: Array,
        batch_size: int,
        *,
        seed: int,
        epoch: int = 0,
        flip: bool = False,
        shift: int = 0,
        cutout: int = 0,
    ) -> None:
        super().__init__()
        self.x, self.y, self.batch_size, self.seed = x, y, batch_size, seed
        self.flip, self.shift, self.cutout = flip, shift, cutout
        if shift:
            self.x = np.pad(x, ((0, 0), (shift, shift), (shift, shift), (0, 0)), mode="reflect")
        self.size = x.shape[1:3]
        rng = np.random.default_rng([self.seed, epoch])
        self.order = rng.permutation(len(self.x))
        self.flipped = rng.random(len(self.x)) < (0.5 if self.flip else 0.0)
        self.corners = rng.integers(0, 2 * self.shift + 1, (len(self.x), 2))
        self.centres = rng.integers(0, self.size, (len(self.x), 2)) if self.cutout else None

    def __len__(self) -> int:
        """Batches in an epoch."""
        return math.ceil(len(self.x) / self.batch_size)

    def __getitem__(self, index: int) -> tuple[Array, Array]:
        """Inputs and labels of one batch."""
        chosen = self.order[index * self.batch_size : (index + 1) * self.batch_size]
        if not (self.flip or self.shift):
            return self._cut(self.x[chosen], chosen), self.y[chosen]
        rows, columns = (self.corners[chosen, axis, None] + np.arange(self.size[axis]) for axis in (0, 1))
        columns = np.where(self.flipped[chosen, None], columns[:, ::-1], columns)
        x = self.x[chosen[:, None, None], rows[:, :, None], columns[:, None]]
        return self._cut(x, chosen), self.y[chosen]

    def _cut(self, x: Array, chosen: NDArray[np.int64]) -> Array:
        """``x``, a copy, with the squares of samples ``chosen`` set to 0."""
        if self.centres is not None:
            inside = []
            for axis, size in enumerate(self.size):
                at = np.arange(size) - (self.centres[chosen, axis, None] - self.cutout // 2)
                inside.append((at >= 0) & (at < self.cutout))
            x[inside[0][:, :, None] & inside[1][:, None]] = 0
        return x


class FolderBatches(keras.utils.Sequence):  # type: ignore[misc]
    """Batches read from an image folder while training goes on.

    Args:
        folder: the images.
        files, labels: those to take, and their class numbers.
        batch_size: images of a batch; the last one may be smaller.
        seed: of order, crops and flips.
        epoch: which epoch's, from 0.
        augment: crop anywhere instead of in the centre.
        flip: mirror half of the images (with ``augment``).
    """

    def __init__(
        self,
        folder: ImageFolder,
        files: tuple[Path, ...],
        labels: NDArray[np.int64],
        batch_size: int,
        *,
        seed: int,
        epoch: int = 0,
        augment: bool = False,
        flip: bool = False,
    ) -> None:
        super().__init__()
        self.folder, self.files, self.labels, self.batch_size = folder, files, labels, batch_size
        self.seed, self.epoch, self.augment, self.flip = seed, epoch, augment, flip
        self.order = np.random.default_rng([seed, epoch]).permutation(len(files))
        self.error: AdSNNError | None = None

    def __len__(self) -> int:
        """Batches in an epoch."""
        return math.ceil(len(self.files) / self.batch_size)

    def __getitem__(self, index: int) -> tuple[Array, Array]:
        """Inputs and labels of one batch."""
        chosen = self.order[index * self.batch_size : (index + 1) * self.batch_size]
        rng = np.random.default_rng([self.seed, self.epoch, index]) if self.augment else None
        try:
            x = self.folder.load([self.files[i] for i in chosen], rng, flip=self.flip)
        except AdSNNError as error:
            self.error = self.error or error  # TensorFlow raises its own instead
            raise
        return x, one_hot(self.labels[chosen], len(self.folder.classes))


@dataclass(frozen=True)
class Feed:
    """Where a training takes its data from.

    Attributes:
        training: batches of a given epoch.
        calibration: the same inputs as they are, without augmentation, in mixed order.
        validation, test: batches without augmentation.
        input_shape, classes: of the data set.
        test_images: number of test inputs.
        test_shares: share of each class in them, shape (classes,).
        workers: threads that prepare batches.
    """

    training: Callable[[int], Any]
    calibration: Any
    validation: Any
    test: Any
    input_shape: tuple[int, ...]
    classes: tuple[str, ...]
    test_images: int
    test_shares: NDArray[np.float64]
    workers: int = 1


@singledispatch
def feed(data: Any, settings: TrainingSection, config_file: Path) -> Feed:
    """Feed of a data set; a kind of data set that is read in another way registers its own function here.

    Args:
        data: what ``Choice.open`` gave.
        settings: batch size, augmentation, validation split, seed.
        config_file: named in errors.

    Raises:
        ConfigError: settings that do not fit the data.
    """
    raise ConfigError(f"{config_file}: [training] dataset = {settings.dataset} is not made for training.")


@feed.register
def array_feed(dataset: Dataset, settings: TrainingSection, config_file: Path) -> Feed:
    """Feed of a data set in memory.

    Raises:
        ConfigError: settings that do not fit the data.
    """
    for key in ("augmentation", "flip", "shift", "cutout"):
        if (value := getattr(settings, key)) and not dataset.is_images:
            raise ConfigError(
                f"{config_file}: [training] {key} = {value} is not allowed for {settings.dataset}: its inputs are no "
                f"images; set it to {type(value)()}."
            )
    x, x_val, y, y_val = split_validation(dataset, settings, config_file)
    size, seed = settings.batch_size, settings.seed

    def training(epoch: int) -> Batches:
        return Batches(
            x, y, size, seed=seed, epoch=epoch, flip=settings.flip, shift=settings.shift, cutout=settings.cutout
        )

    calibration = Batches(x, y, size, seed=seed)
    validation = Batches(x_val, y_val, max(size, 32), seed=seed)
    test = Batches(dataset.x_test, dataset.y_test, 500, seed=seed)
    shares = dataset.y_test.mean(axis=0, dtype=np.float64)
    shape, count = dataset.input_shape, len(dataset.x_test)
    return Feed(training, calibration, validation, test, shape, dataset.classes, count, shares)


@feed.register
def folder_feed(folder: ImageFolder, settings: TrainingSection, config_file: Path) -> Feed:
    """Feed of an image folder: crops of training images are drawn at random.

    Raises:
        ConfigError: ``validation_split`` leaves a part without every class, or ``shift`` or ``cutout`` is asked for.
    """
    for key in ("shift", "cutout"):
        if value := getattr(settings, key):
            raise ConfigError(
                f"{config_file}: [training] {key} = {value} is not for image folders, of whose images random crops are "
                "taken; leave it out."
            )
    parts = split_indices(folder.train_labels, settings, config_file)
    kept, held = ((tuple(folder.train[i] for i in part), folder.train_labels[part]) for part in parts)
    size, seed = settings.batch_size, settings.seed

    def training(epoch: int) -> FolderBatches:
        return FolderBatches(folder, *kept, size, seed=seed, epoch=epoch, augment=True, flip=settings.flip)

    calibration = FolderBatches(folder, *kept, size, seed=seed)
    validation = FolderBatches(folder, *held, size, seed=seed)
    test = FolderBatches(folder, folder.test, folder.test_labels, size, seed=seed)
    shape, workers = (folder.size, folder.size, 3), min(8, os.cpu_count() or 1)
    shares = np.bincount(folder.test_labels, minlength=len(folder.classes)) / len(folder.test)
    return Feed(training, calibration, validation, test, shape, folder.classes, len(folder.test), shares, workers)


def split_validation(dataset: Dataset, settings: TrainingSection, config_file: Path) -> list[Any]:
    """Training and validation part of the training data, as ``train`` uses them: x, x_val, y, y_val.

    Raises:
        ConfigError: ``validation_split`` leaves a part without every class.
    """
    x, y = dataset.x_train, dataset.y_train
    kept, held = split_indices(dataset.train_labels, settings, config_file)
    return [x[kept], x[held], y[kept], y[held]]


def split_indices(labels: NDArray[np.int64], settings: TrainingSection, config_file: Path) -> list[NDArray[np.int64]]:
    """Which training inputs ``train`` learns from, and which it holds out for validation.

    Args:
        labels: class numbers, shape (inputs,).
        settings: have ``validation_split`` and ``seed``.
        config_file: named in errors.

    Raises:
        ConfigError: ``validation_split`` leaves a part without every class.
    """
    from sklearn.model_selection import train_test_split

    try:
        parts: list[NDArray[np.int64]] = train_test_split(
            np.arange(len(labels)), test_size=settings.validation_split, stratify=labels, random_state=settings.seed
        )
    except ValueError:
        raise ConfigError(
            f"{config_file}: [training] validation_split = {settings.validation_split} does not fit {len(labels)} "
            f"training inputs of {len(np.unique(labels))} classes: both parts must hold inputs of every class; choose "
            "another."
        ) from None
    return parts


def held_out_first(config: Config, count: int, *, only: bool = False) -> tuple[Array, NDArray[np.int64]]:
    """Inputs and class numbers of ``count`` training images, or of all if there are fewer: those held out for
    validation first, in the order that ``train`` has them.

    On what it was trained on a network is right, and sure of it, more often than it will be.

    Args:
        config: a configuration with ``[training]``.
        count: images, at most.
        only: none but those held out.

    Raises:
        ConfigError: the configuration has no ``[training]``, which names the data set.
        DataError: the data set cannot be loaded.
    """
    settings = config.need_training("there are no labelled training images")
    with config.naming_folder():
        data = settings.data.open(config.paths.dataset_path)
    kept, held = split_indices(data.train_labels, settings, config.file)
    chosen = (held if only else np.concatenate([held, kept]))[:count]
    return data.train_inputs(chosen), data.train_labels[chosen]


def reseed(model: Any, seed: int, epoch: int) -> None:
    """Set the random generators of a model's layers (noise, dropout, distortion) to a state that depends on seed and
    epoch alone."""
    for number, layer in enumerate(model.layers):
        source = getattr(layer, "_random_generator", None)
        generator = getattr(source, "_generator", None)
        if generator is not None:
            generator.reset_from_seed(int(np.random.default_rng([seed, epoch, number]).integers(2**62)))
