"""What stands in folders and files of data and results, for ``data.toml``."""

from __future__ import annotations

import gzip
import io
import pickle
import shutil
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import filelock
import numpy as np
from catalogue import CONFIG, FOLDER, change_ini, maker, register, start
from catalogue_files import digits

sys.path.insert(0, str(FOLDER.parent))
from image_files import picture, write_folder

X = np.random.default_rng(0).random((23, 64)).astype(np.float32)
Y = np.eye(10)[np.arange(23) % 10]
_LOCKS: list[Any] = []


@start
def studied(folder: Path) -> None:
    """The digits, and what studies need."""
    digits(folder)
    change_ini(folder / CONFIG, {"sweep": {"m_f": "0.1, 0.4"}, "arousal": {"threshold": "0.05", "m_f_low": "0.5"}})
    np.savez(folder / "x_norm.npz", X[:20])


@start
def pictures(folder: Path) -> None:
    """A folder of images to train on."""
    write_folder(folder / "images", classes=("ant", "bee"), train=3, test=2)
    change_ini(
        folder / CONFIG,
        {
            "paths": {"filename_ann": "net"},
            "training": {
                "dataset": "image_folder",
                "folder": "images",
                "image_size": "8",
                "architecture": "vgg_cifar",
                "epochs": "1",
            },
        },
    )


# ---- arrays ------------------------------------------------------------------------------------------------------------


def array(name: str, *values: Any, **named: Any) -> None:
    """Register the maker of an ``.npz`` file."""
    register(name, lambda path: np.savez(path, *values, **named))


def changed(place: Any, value: Any, dtype: Any = np.float64) -> np.ndarray[Any, Any]:
    """The inputs with one number changed."""
    x = X.astype(dtype)
    x[place] = value
    return x


def _labels(place: int, row: Any) -> np.ndarray[Any, Any]:
    y = Y.copy()
    y[place] = row
    return y


array("named", inputs=X)
array("two_arrays", X, Y)
array("objects", np.array([X[0], [1, 2]], dtype=object))
array("texts", X.astype("U4"))
array("bytes_", X.astype("S4"))
array("complex_", X.astype(complex))
array("dates", X.astype("M8[D]"))
array("records", np.zeros(23, "f4,f4"))
array("not_a_number", changed((3, 5), np.nan))
array("infinite", changed((3, 5), -np.inf))
array("too_large", changed((3, 5), 1e39))
array("no_images", X[:0])
array("no_pixels", X[:, :0])
array("one_number", np.float32(1))
array("as_list", X[:, 0])
array("as_images", X.reshape(-1, 8, 8, 1))
array("one_pixel_more", np.zeros((23, 65)))
array("booleans", X > 0.5)
array("bytes_0_to_255", (255 * X).astype(np.uint8))
array("big_endian", X.astype(">f4"))
array("by_columns", np.asfortranarray(X))
array("half_data", X.astype(np.float16))
array("good", X)
array("other_shape", X[:, :63])
array("class_numbers", np.arange(23) % 10)
array("class_column", np.arange(23)[:, None] % 10)
array("class_number_10", np.arange(23) % 11)
array("class_halves", np.full(23, 0.5))
array("fewer_labels", Y[:22])
array("more_labels", np.eye(10)[np.arange(24) % 10])
array("rows_of_784", np.full((23, 784), 0.5))
array("soft_labels", _labels(4, [0.9, 0.1, *[0] * 8]))
array("signed_labels", 2 * Y - 1)
array("two_classes_at_once", _labels(22, [1, 1, *[0] * 8]))
array("no_class", _labels(7, 0))
array("labels_not_a_number", _labels(7, np.nan))
array("nine_classes", np.eye(9)[np.arange(23) % 9])
array("eleven_classes", np.eye(11)[np.arange(23) % 11])
array("boolean_labels", Y > 0)
array("signs", np.arange(23) % 2 * 2 - 1)
array("three_numbers", np.arange(23) % 3)
array("twos", 2 * Y)
array("values", np.linspace(-1, 1, 23))
array("class_and_values", np.concatenate([Y, X[:, :2]], axis=1))


def _bytes(array: Any) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, array)
    return file.getvalue()


def content(name: str, make: Callable[[], bytes]) -> None:
    """Register the maker of a file that holds these bytes."""
    register(name, lambda path: path.write_bytes(make()))


def _npy(header: str) -> bytes:
    """An archive with an array that its own header describes wrongly."""
    text = header.encode().ljust(117) + b"\n"
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("arr_0.npy", b"\x93NUMPY\1\0" + len(text).to_bytes(2, "little") + text + X.tobytes())
    return file.getvalue()


def _zip_of(name: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        if name:
            archive.writestr(name, b"something")
    return file.getvalue()


def _flipped() -> bytes:
    data = bytearray(_bytes(X))
    data[len(data) // 2] ^= 0xFF
    return bytes(data)


content("text", lambda: b"0.1,0.2\n0.3,0.4\n")
content("pickle_data", lambda: pickle.dumps(X))
content("gzipped_data", lambda: gzip.compress(X.tobytes()))
content("half_a_file", lambda: _bytes(X)[:900])
content("flipped", _flipped)
content("empty_archive", lambda: _zip_of(""))
content("archive_of_a_picture", lambda: _zip_of("picture.png"))
content("damaged_array", lambda: _zip_of("arr_0.npy"))
content("huge_shape", lambda: _npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000, 64), }"))
content("negative_shape", lambda: _npy("{'descr': '<f4', 'fortran_order': False, 'shape': (-23, -64), }"))
content("header_with_code", lambda: _npy("__import__('os').system('touch stolen')"))


@maker
def by_save(path: Path) -> None:
    """What ``numpy.save`` writes."""
    with path.open("wb") as file:
        np.save(file, X)


@maker
def model(path: Path) -> None:
    """A model where data should be."""
    shutil.copy(FOLDER / "net.h5", path)


# ---- images ------------------------------------------------------------------------------------------------------------


def image(name: str, mode: str, format: str = "PNG", **options: Any) -> None:
    """Register the maker of an image."""
    register(name, lambda path: picture().convert(mode).save(path, format, **options))


image("jpeg", "RGB", "JPEG")
image("grey", "L")
image("transparent", "RGBA")
image("palette", "P")
image("bmp", "RGB", "BMP")
image("tiff", "CMYK", "TIFF")
image("webp", "RGB", "WEBP")
image("gif", "P", "GIF")
image("floats", "F", "TIFF")


@maker
def sixteen_bits(path: Path) -> None:
    """A grey image of 16 bits."""
    from PIL import Image

    Image.fromarray(np.arange(64, dtype=np.uint16).reshape(8, 8) * 1000).save(path)


@maker
def cut_off(path: Path) -> None:
    """An image whose end is missing."""
    picture().save(path)
    path.write_bytes(path.read_bytes()[:-40])


@maker
def only_arrays(path: Path) -> None:
    """Arrays where images should be."""
    for image in list(path.rglob("*.png")):
        np.save(image.with_suffix(".npy"), X)
        image.unlink()


@maker
def deeper(path: Path) -> None:
    """All images in one more folder."""
    for label in list(path.iterdir()):
        label.rename(path.parent / "moved")
        label.mkdir()
        (path.parent / "moved").rename(label / "2024")


@maker
def moved_away(path: Path) -> None:
    """A folder that is not where it should be."""
    path.rename(path.parent.parent / "away")


@maker
def gone_folder(path: Path) -> None:
    """Nothing: a folder that is missing, with all that was in it."""
    shutil.rmtree(path)


# ---- folders and results -----------------------------------------------------------------------------------------------


@maker
def in_use(path: Path) -> None:
    """A lock that another process holds."""
    _LOCKS.append(filelock.FileLock(path))
    _LOCKS[-1].acquire()


@maker
def iris_data(path: Path) -> None:
    """Irises, as a training writes them."""
    from snntb_adsnn.data import Choice, ensure_toolbox_data

    ensure_toolbox_data(Choice("iris"), path.parent)


@maker
def changed_since(path: Path) -> None:
    """A file with the note of a run about another content."""
    path.write_bytes(b"edited")
    path.with_name(f"{path.name}.origin.json").write_text('{"sha256": "0", "model_sha256": "1"}')


@maker
def our_results(path: Path) -> None:
    """Results of an earlier run."""
    path.write_text("{}")
