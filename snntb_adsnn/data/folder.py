"""Data sets of any size as folders of images: ``train/CLASS/IMAGE`` and ``test/CLASS/IMAGE`` (or ``val/``)."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from snntb_adsnn.data.dataset import NORM_SAMPLES, Array, Dataset, one_hot
from snntb_adsnn.data.images import decode, same_classes, ycbcr
from snntb_adsnn.data.source import DATASETS, Choice, Source
from snntb_adsnn.errors import DataError
from snntb_adsnn.files import reason

_SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm"}
_SHORTER_SIDE = 256 / 224
"""Shorter side after resizing, in units of the crop (the paper's ImageNet)."""


@dataclass(frozen=True)
class ImageFolder:
    """Names and labels of a folder's images; the images stay on disk.

    Attributes:
        root: the folder.
        classes: names of the class folders, sorted.
        train, test: files of each part, sorted by class and name.
        train_labels, test_labels: class number of each.
        size: side in pixels of the square that images are cropped to.
    """

    root: Path
    classes: tuple[str, ...]
    train: tuple[Path, ...]
    train_labels: NDArray[np.int64]
    test: tuple[Path, ...]
    test_labels: NDArray[np.int64]
    size: int

    @classmethod
    def scan(cls, root: Path, size: int) -> ImageFolder:
        """List the images below ``root``; other files are passed over.

        Raises:
            DataError: a part or a class folder is missing or empty, or cannot be listed.
        """
        test = next((name for name in ("test", "val") if (root / name).is_dir()), "test")
        found = {part: _by_class(root / part) for part in ("train", test)}
        classes = same_classes({part: set(names) for part, names in found.items()}, root)
        files = {part: [(p, i) for i, c in enumerate(classes) for p in names[c]] for part, names in found.items()}
        paths = {part: tuple(path for path, _ in listed) for part, listed in files.items()}
        labels = {part: np.array([label for _, label in listed]) for part, listed in files.items()}
        return cls(root, classes, paths["train"], labels["train"], paths[test], labels[test], size)

    def sample(self, test_images: int) -> Dataset:
        """Test images drawn from all, always the same ones, and training images for ``x_norm``, as arrays.

        Args:
            test_images: how many, at most.

        Raises:
            DataError: an image cannot be read.
        """
        parts: list[Array] = []
        for files, labels, chosen in self._chosen(test_images):
            parts += [self.load([files[i] for i in chosen]), one_hot(labels[chosen], len(self.classes))]
        x_norm, y_norm, x_test, y_test = parts
        return Dataset(x_norm, y_norm, x_test, y_test, self.name(test_images), self.classes)

    def name(self, test_images: int) -> str:
        """Name of ``sample``, which says what is in it: it changes with the names of all images and classes, and with
        the size or time of a chosen one."""
        digest = hashlib.sha256()
        for file in (*self.train, *self.test):
            digest.update(f"{file.relative_to(self.root)}\n".encode(errors="surrogateescape"))
        for files, _, chosen in self._chosen(test_images):
            for i in chosen:
                try:
                    status = files[i].stat()
                except OSError as error:
                    raise DataError(
                        f"{files[i]}: cannot be read ({reason(error)}); check its permissions, or remove it."
                    ) from None
                digest.update(f"{status.st_size} {status.st_mtime_ns}\n".encode())
        state = digest.hexdigest()[:12]
        return f"image_folder {self.root}, {test_images} images of {self.size} pixels, state {state}"

    def _chosen(self, test_images: int) -> list[tuple[tuple[Path, ...], NDArray[np.int64], NDArray[np.int64]]]:
        """Files and labels of both parts, and the numbers of those in ``sample``."""
        parts = (
            (self.train, self.train_labels, min(NORM_SAMPLES, test_images)),
            (self.test, self.test_labels, test_images),
        )
        return [(f, labels, np.random.default_rng(0).permutation(len(f))[:count]) for f, labels, count in parts]

    def train_inputs(self, chosen: NDArray[np.int64]) -> Array:
        """The training images of these numbers, shape (chosen, size, size, 3).

        Raises:
            DataError: an image cannot be read.
        """
        return self.load([self.train[i] for i in chosen])

    def load(self, files: list[Path], rng: np.random.Generator | None = None, *, flip: bool = False) -> Array:
        """Images in the paper's form: shorter side resized, cropped to a square, YCbCr in [-1, 1].

        Args:
            files: which.
            rng: draws the crop's place; without it, the crop is in the centre.
            flip: mirror half of the images (needs ``rng``).

        Returns:
            shape (images, size, size, 3).
        """
        return np.stack([self._image(file, rng, flip) for file in files])

    def _image(self, file: Path, rng: np.random.Generator | None, flip: bool) -> Array:
        image = decode(file, file)
        scale = round(self.size * _SHORTER_SIDE) / min(image.size)
        size = tuple(max(self.size, round(side * scale)) for side in image.size)
        left, top = ((n - self.size) // 2 if rng is None else int(rng.integers(n - self.size + 1)) for n in size)
        pixels = np.asarray(image.resize(size).crop((left, top, left + self.size, top + self.size)))
        return ycbcr(pixels[:, ::-1] if rng is not None and flip and rng.random() < 0.5 else pixels)


def _by_class(part: Path) -> dict[str, list[Path]]:
    # hidden names are those of tools, which put copies there (.ipynb_checkpoints) or files that are no images (._1.jpg)
    try:
        found: dict[str, list[Path]] = {}
        others: list[Path] = []
        for label in sorted(entry.name for entry in os.scandir(part) if entry.is_dir() and entry.name[0] != "."):
            files = sorted(Path(entry.path) for entry in os.scandir(part / label) if entry.name[0] != ".")
            images = [file for file in files if file.suffix.lower() in _SUFFIXES]
            others += [file for file in files if file.suffix.lower() not in _SUFFIXES]
            if images:
                found[label] = images
        if not found and others:
            raise DataError(
                f"{part}: {others[0].relative_to(part)} is no image that is read; an image lies in train/CLASS/ or "
                f"test/CLASS/ itself, and its name ends with one of {', '.join(sorted(_SUFFIXES))}."
            )
        return found
    except NotADirectoryError:
        raise DataError(f"{part} is no folder; an image folder holds train/CLASS/IMAGE and test/CLASS/IMAGE.") from None
    except FileNotFoundError:
        raise DataError(
            f"{part}: there is no such folder; an image folder holds train/CLASS/IMAGE and test/CLASS/IMAGE (or val/)."
        ) from None
    except OSError as error:
        raise DataError(f"{part}: cannot be listed ({reason(error)}); check its permissions.") from None


class _Folders(Source):
    """Any folder of images that the user names."""

    from_folder = True

    def open(self, choice: Choice, cache: Path | None) -> ImageFolder:
        if choice.folder is None:
            raise DataError(f"data set {choice.name!r} needs the folder that its images lie in.")
        return ImageFolder.scan(choice.folder, choice.image_size)

    def state(self, choice: Choice) -> str:
        return self.open(choice, None).name(choice.test_images)


DATASETS.add("image_folder", _Folders())
