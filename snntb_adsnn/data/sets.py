"""Data sets: loading, and writing in SNN Toolbox's format."""

from __future__ import annotations

import filecmp
import gzip
import io
import json
import math
import os
import shutil
import struct
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from snntb_adsnn.config import Config
from snntb_adsnn.config.training import DATASETS, TrainingSection
from snntb_adsnn.errors import ConfigError, DataError
from snntb_adsnn.files import DAMAGED_NPZ, atomic_path, atomic_write, open_npz, write_json

Array = NDArray[np.float32]
NORM_SAMPLES = 1000
"""Number of training inputs that go to ``x_norm.npz``."""
_SONAR = Path(__file__).parent / "sonar.csv"


@dataclass(frozen=True)
class Dataset:
    """Inputs and one-hot labels, float32.

    Attributes:
        x_train, x_test: shape (samples, *input shape).
        y_train, y_test: shape (samples, classes), one-hot.
        name: as in ``DATASETS``.
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


def load_dataset(name: str, *, cache: Path | None = None) -> Dataset:
    """Load one of ``DATASETS``; train and test parts are the same on every call.

    Args:
        name: of the data set.
        cache: folder where images that must be decoded first are kept for the next call.

    Raises:
        DataError: unknown name, or the data are missing or damaged.
    """
    if name in ("cifar10", "cifar100"):
        from snntb_adsnn.data.cifar import load_cifar

        return load_cifar(name, cache)
    if name not in _LOADERS:
        known = ", ".join(name for name in DATASETS if name != "image_folder")
        raise DataError(f"data set {name!r} is unknown: choose one of {known}.")
    return _LOADERS[name]()


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


# ---- the data sets ---------------------------------------------------------------------------------------------------


def _iris() -> Dataset:
    """150 flowers, 4 lengths in cm, 50 of them for testing (scikit-learn)."""
    from sklearn.datasets import load_iris

    bunch = load_iris()
    return split(bunch.data, bunch.target, test_size=50, name="iris", classes=tuple(map(str, bunch.target_names)))


def _digits() -> Dataset:
    """1797 images of 8 x 8 pixels in [0, 1], 500 of them for testing (scikit-learn)."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    return split(bunch.images[..., None] / 16, bunch.target, test_size=500, name="digits", classes=_DIGITS)


def _sonar() -> Dataset:
    """208 sonar echoes, 60 energies in [0, 1], 70 of them for testing (packaged file)."""
    x, labels = read_sonar(_SONAR)
    return split(x, labels, test_size=70, name="sonar", classes=("rock", "mine"))


def read_sonar(path: Path) -> tuple[Array, NDArray[np.intp]]:
    """Energies, shape (rows, 60), and labels (0: rock, 1: mine) from a ``sonar.csv`` with one header line.

    Raises:
        DataError: the file is missing or damaged; names the line.
    """
    try:
        lines = path.read_text(encoding="ascii").splitlines()[1:]
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read ({error}); install the package again.") from None
    x, labels = [], []
    for number, line in enumerate(lines, 2):
        *energies, kind = line.replace('"', "").split(",")
        try:
            row = [float(value) for value in energies]
        except ValueError:
            row = []
        if len(row) != 60 or kind not in ("R", "M") or not all(0 <= value <= 1 for value in row):
            raise DataError(
                f"{path}: line {number} is damaged (60 numbers in [0, 1] and R or M wanted); install again."
            )
        x.append(row)
        labels.append(int(kind == "M"))
    if not x:
        raise DataError(f"{path}: holds no data; install the package again.")
    return np.array(x, np.float32), np.array(labels)


_DIGITS = tuple("0123456789")


def _mnist() -> Dataset:
    """70,000 images of 28 x 28 pixels in [0, 1], 10,000 of them for testing."""
    x_train, y_train, x_test, y_test = _mnist_arrays()
    return Dataset(_pixels(x_train), one_hot(y_train, 10), _pixels(x_test), one_hot(y_test, 10), "mnist", _DIGITS)


def _pixels(images: NDArray[np.uint8]) -> Array:
    return images[..., None].astype(np.float32) / np.float32(255)


def _mnist_arrays() -> tuple[NDArray[np.uint8], ...]:
    """x_train, y_train, x_test, y_test from the first place that has them."""
    cache = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras")) / "datasets" / "mnist.npz"
    if cache.is_file():
        return _read_mnist_npz(cache)
    data = os.environ.get("ADSNN_DATA")
    for folder in (Path(data) / "mnist", Path(data)) if data else ():
        files = [_find_idx(folder, part, kind) for part in ("train", "t10k") for kind in ("images-idx3", "labels-idx1")]
        if all(files):
            return tuple(read_idx(file) for file in files if file)
    try:
        from snntb_adsnn.frontends.keras.compat import keras

        (x_train, y_train), (x_test, y_test) = keras.datasets.mnist.load_data()
    except Exception as error:
        # Keras' download raises bare Exception; whatever it was, the ways out are the same
        raise DataError(
            f"MNIST is neither at {cache} nor in $ADSNN_DATA ({data or 'not set'}), and its download failed ({error}). "
            "Set ADSNN_DATA to a folder with the four idx files, or copy mnist.npz there."
        ) from None
    return x_train, y_train, x_test, y_test


def _read_mnist_npz(path: Path) -> tuple[NDArray[np.uint8], ...]:
    try:
        with open_npz(path) as file:
            return tuple(file[key] for key in ("x_train", "y_train", "x_test", "y_test"))
    except DAMAGED_NPZ as error:
        raise DataError(f"{path}: damaged MNIST file ({error}); delete it, and it is fetched again.") from None


def _find_idx(folder: Path, part: str, kind: str) -> Path | None:
    names = (f"{part}-{kind}-ubyte", f"{part}-{kind.replace('-idx', '.idx')}-ubyte")
    candidates = [folder / f"{name}{suffix}" for name in names for suffix in ("", ".gz")]
    return next((path for path in candidates if path.is_file()), None)


def read_idx(path: Path) -> NDArray[np.uint8]:
    """Array of unsigned bytes from an idx file, gzipped or not.

    Raises:
        DataError: the file is missing, damaged, or of another type.
    """
    try:
        raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: cannot be read ({error}); fetch the file again.") from None
    # magic number: two zero bytes, the type (8: unsigned byte), the number of dimensions; then their sizes
    dimensions = raw[3] if len(raw) > 3 and raw[:3] == b"\0\0\x08" else 0
    header = 4 + 4 * dimensions
    shape = struct.unpack(f">{dimensions}I", raw[4:header]) if dimensions and len(raw) >= header else ()
    if not shape or len(raw) != header + math.prod(shape):
        raise DataError(f"{path}: not a whole idx file of unsigned bytes; fetch the file again.")
    return np.frombuffer(raw, np.uint8, offset=header).reshape(shape)


_LOADERS: Mapping[str, Callable[[], Dataset]] = {"iris": _iris, "sonar": _sonar, "digits": _digits, "mnist": _mnist}


# ---- what a run needs on disk ----------------------------------------------------------------------------------------

_MARKER = "dataset.json"


def write_toolbox_data(dataset: Dataset, folder: Path) -> None:
    """Write ``x_test.npz``, ``y_test.npz`` and ``x_norm.npz`` (key ``arr_0``), and a note of which data set they hold.

    Raises:
        OutputError: the folder cannot be written.
    """
    # the note comes first: an interrupted run then leaves a folder known to be ours and incomplete
    write_json(folder / _MARKER, {"dataset": dataset.name, "classes": dataset.classes})
    x_norm = dataset.x_train[:NORM_SAMPLES]
    for name, array in (("x_norm", x_norm), ("y_test", dataset.y_test), ("x_test", dataset.x_test)):
        buffer = io.BytesIO()
        np.savez_compressed(buffer, array)
        atomic_write(folder / f"{name}.npz", buffer.getvalue())


def ensure_toolbox_data(settings: TrainingSection, folder: Path) -> None:
    """Write the data set of ``settings`` to ``folder`` unless it is there; files of the user's own are left alone."""
    files = [folder / f"{part}.npz" for part in ("x_test", "y_test", "x_norm")]
    try:
        marked = json.loads((folder / _MARKER).read_text(encoding="utf-8")).get("dataset")
    except FileNotFoundError:
        marked = None
        if any(file.exists() for file in files):
            return
    except (OSError, ValueError, AttributeError):
        marked = None
    name, load = _dataset_of(settings, folder)
    if marked != name or not all(file.exists() for file in files):
        write_toolbox_data(load(), folder)


def _dataset_of(settings: TrainingSection, folder: Path) -> tuple[str, Callable[[], Dataset]]:
    """Name of the data set in memory that a run needs, and how to load it."""
    if settings.dataset != "image_folder":
        return settings.dataset, lambda: load_dataset(settings.dataset, cache=folder)
    from snntb_adsnn.data.folder import folder_of

    images = folder_of(settings)
    return images.name(settings.test_images), lambda: images.sample(settings.test_images)


def prepare_run(config: Config) -> None:
    """Make what a run of ``config`` reads, where it is missing: folders, data, and the model from ``pretrained``.

    Raises:
        ConfigError: ``[adsnn] pretrained`` names a missing file, or no model.
        DataError: the data set cannot be loaded.
        OutputError: a folder cannot be written.
    """
    if config.training is not None:
        ensure_toolbox_data(config.training, config.paths.dataset_path)
    pretrained, model = config.adsnn.pretrained, config.paths.model_file
    if pretrained is None:
        return
    if model.exists():
        if not (pretrained.is_file() and filecmp.cmp(pretrained, model, shallow=False)):
            print(f"The model is {model}, which is there already; [adsnn] pretrained = {pretrained} is another file.")
        return
    if not pretrained.is_file():
        raise ConfigError(
            f"{config.file}: [adsnn] pretrained = {pretrained} does not exist; train first (snntb-adsnn train "
            f"{config.file}), or correct the path."
        )
    if not h5py.is_hdf5(pretrained):
        raise ConfigError(
            f"{config.file}: [adsnn] pretrained = {pretrained} is no .h5 file; name a model that Keras saved as .h5."
        )
    with atomic_path(model) as temporary:
        shutil.copyfile(pretrained, temporary)
