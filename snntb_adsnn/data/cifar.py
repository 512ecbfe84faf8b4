"""CIFAR-10 and CIFAR-100: colour images of 32 x 32 pixels, as YCbCr in [-1, 1]."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import numpy as np

from snntb_adsnn.data.arrays import read_arrays
from snntb_adsnn.data.dataset import Dataset, one_hot
from snntb_adsnn.data.images import read_archive, ycbcr
from snntb_adsnn.data.source import dataset, failure, searched
from snntb_adsnn.errors import DataError
from snntb_adsnn.files import DAMAGED_NPZ, atomic_write, open_npz

_KERAS_FOLDERS = {"cifar10": "cifar-10-batches-py", "cifar100": "cifar-100-python"}
_CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


@dataset("cifar10")
def _cifar10(cache: Path | None) -> Dataset:
    return load_cifar("cifar10", cache)


@dataset("cifar100")
def _cifar100(cache: Path | None) -> Dataset:
    return load_cifar("cifar100", cache)


def load_cifar(name: str, cache: Path | None = None) -> Dataset:
    """``cifar10`` or ``cifar100``: from ``cache``, Keras' cache, ``NAME_jpeg.tar.xz`` in the folder ``ADSNN_DATA``, or
    Keras' download, whichever is there first.

    Args:
        name: of the data set.
        cache: folder where the decoded archive is kept.

    Raises:
        DataError: found nowhere, or damaged.
    """
    data = os.environ.get("ADSNN_DATA")
    archive = Path(data or ".") / f"{name}_jpeg.tar.xz"
    decoded = cache / f"{name}_rgb.npz" if cache else None
    if decoded is not None and decoded.is_file():
        arrays = _read(decoded)
    elif not _in_keras_cache(name) and data and archive.is_file():
        x, y, classes = read_archive(archive)
        arrays = {"x_train": x["train"], "y_train": y["train"], "x_test": x["test"], "y_test": y["test"]}
        arrays["classes"] = np.array(classes)
        if decoded is not None:
            buffer = io.BytesIO()
            np.savez(buffer, allow_pickle=False, **arrays)
            atomic_write(decoded, buffer.getvalue())
    else:
        arrays = _from_keras(name, archive)
    classes = tuple(map(str, arrays["classes"]))
    return Dataset(
        ycbcr(arrays["x_train"]),
        one_hot(arrays["y_train"], len(classes)),
        ycbcr(arrays["x_test"]),
        one_hot(arrays["y_test"], len(classes)),
        name,
        classes,
    )


def _in_keras_cache(name: str) -> bool:
    folder = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras")) / "datasets"
    return any((folder / f"{_KERAS_FOLDERS[name]}{suffix}").exists() for suffix in ("", ".tar.gz", "-target"))


def _from_keras(name: str, archive: Path) -> dict[str, Any]:
    data = os.environ.get("ADSNN_DATA")
    try:
        from snntb_adsnn.frontends.keras.compat import keras

        (x_train, y_train), (x_test, y_test) = getattr(keras.datasets, name).load_data()
    except Exception as error:
        # Keras' download raises bare Exception; whatever it was, the ways out are the same
        raise DataError(
            f"{name} is neither in Keras' cache nor at {archive} ($ADSNN_DATA: {searched(data)}), and its "
            f"download failed ({failure(error)}). Set ADSNN_DATA to a folder with {archive.name}, or fill Keras' cache."
        ) from None
    classes = _CIFAR10 if name == "cifar10" else tuple(map(str, range(100)))
    return {
        **{"x_train": x_train, "y_train": y_train.ravel(), "x_test": x_test, "y_test": y_test.ravel()},
        "classes": np.array(classes),
    }


def _read(path: Path) -> dict[str, Any]:
    way_out = "delete it, and it is decoded again"
    pixels = read_arrays(path, ("x_train", "y_train", "x_test", "y_test"), way_out)
    try:  # texts, which are not read as numbers are
        with open_npz(path) as file:
            return {**pixels, "classes": file["classes"]}
    except DAMAGED_NPZ:
        raise DataError(f"{path} is damaged; {way_out}.") from None
