"""MNIST."""

from __future__ import annotations

import gzip
import math
import os
import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from snntb_adsnn.data.arrays import read_arrays
from snntb_adsnn.data.dataset import Array, Dataset, one_hot
from snntb_adsnn.data.source import dataset, failure, searched
from snntb_adsnn.errors import DataError
from snntb_adsnn.files import reason

_DIGITS = tuple("0123456789")


@dataset("mnist")
def _mnist(cache: Path | None) -> Dataset:
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
        files = {
            f"{part}-{kind}-ubyte": _find_idx(folder, part, kind)
            for part in ("train", "t10k")
            for kind in ("images-idx3", "labels-idx1")
        }
        missing = [name for name, file in files.items() if file is None]
        if missing and len(missing) < len(files):
            raise DataError(f"{folder} holds files of MNIST, but no {missing[0]} (nor .gz of it); put it there.")
        if not missing:
            return tuple(_of_mnist(file, read_idx(file)) for file in files.values() if file)
    try:
        from snntb_adsnn.frontends.keras.compat import keras

        (x_train, y_train), (x_test, y_test) = keras.datasets.mnist.load_data()
    except Exception as error:
        # Keras' download raises bare Exception; whatever it was, the ways out are the same
        raise DataError(
            f"MNIST is neither at {cache} nor in $ADSNN_DATA ({searched(data)}), and its download failed "
            f"({failure(error)}). Set ADSNN_DATA to a folder with the four idx files, or copy mnist.npz there."
        ) from None
    return x_train, y_train, x_test, y_test


def _read_mnist_npz(path: Path) -> tuple[NDArray[np.uint8], ...]:
    names = ("x_train", "y_train", "x_test", "y_test")
    arrays = read_arrays(path, names, "delete it, and MNIST is fetched again")
    for name, array in arrays.items():
        if array.dtype.kind not in "ui" or array.shape[1:] != ((28, 28) if name[0] == "x" else ()):
            raise DataError(f"{path}: the array {name} is not MNIST's; delete the file, and MNIST is fetched again.")
    return tuple(arrays.values())


def _of_mnist(path: Path, array: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if array.shape[1:] != ((28, 28) if "images" in path.name else ()):
        raise DataError(f"{path} holds an array of shape {array.shape}, not MNIST's; fetch the file again.")
    return array


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
        raw = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({reason(error)}); check path and permissions.") from None
    try:
        raw = gzip.decompress(raw) if path.suffix == ".gz" else raw
    except (OSError, EOFError, zlib.error, struct.error):
        raise DataError(f"{path}: not a whole gzip file; fetch the file again.") from None
    # magic number: two zero bytes, the type (8: unsigned byte), the number of dimensions; then their sizes
    dimensions = raw[3] if len(raw) > 3 and raw[:3] == b"\0\0\x08" else 0
    header = 4 + 4 * dimensions
    shape = struct.unpack(f">{dimensions}I", raw[4:header]) if dimensions and len(raw) >= header else ()
    if not shape or len(raw) != header + math.prod(shape):
        raise DataError(f"{path}: not a whole idx file of unsigned bytes; fetch the file again.")
    return np.frombuffer(raw, np.uint8, offset=header).reshape(shape)
