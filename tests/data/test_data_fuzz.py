"""Damaged and made-up data files: nothing but the documented error, within the memory that a file really needs.

``ADSNN_FUZZ`` is how many seconds each test may take; the number of inputs that it tried is printed.
"""

from __future__ import annotations

import gzip
import io
import os
import struct
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from damage import damaged
from image_files import picture

from snntb_adsnn.data.images import decode
from snntb_adsnn.data.mnist import read_idx
from snntb_adsnn.errors import DataError
from snntb_adsnn.network import Output
from snntb_adsnn.network.tasks import task_of
from snntb_adsnn.run import read_npz

SECONDS = float(os.environ.get("ADSNN_FUZZ", "3"))
LONGEST = 600
"""Characters of a message that anybody reads."""
INNER = ("allow_pickle", "Errno", "object at 0x", "<class")


def attack(try_one: Callable[[np.random.Generator], Any], name: str, *, least: int = 100) -> None:
    """Call ``try_one`` with random generators until the time is over; it may raise ``DataError`` that names the file,
    and nothing else."""
    end, number, refused = time.monotonic() + SECONDS, 0, 0
    while time.monotonic() < end or number < least:
        try:
            try_one(np.random.default_rng([number, 7]))
        except DataError as error:
            refused += 1
            message = str(error)
            assert len(message) < LONGEST, (number, message)
            assert not any(words in message for words in INNER), (number, message)
        except BaseException as error:
            raise AssertionError(f"input {number}: {type(error).__name__}: {error}") from error
        number += 1
    print(f"{name}: {number} inputs, {refused} refused")
    assert 0 < refused
    assert refused < number or name == "headers"


# ---- bytes -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_idx(tmp_path, suffix):
    whole = np.arange(2 * 5 * 5, dtype=np.uint8).reshape(2, 5, 5)
    raw = b"\0\0\x08\3" + struct.pack(">3I", *whole.shape) + whole.tobytes()
    path = tmp_path / f"images{suffix}"

    def try_one(random: np.random.Generator) -> None:
        if random.random() < 0.3:  # a made-up header
            dimensions = int(random.integers(0, 9))
            sizes = random.integers(0, 2 ** random.integers(1, 33), dimensions)
            data = b"\0\0\x08" + bytes([dimensions]) + struct.pack(f">{dimensions}I", *sizes.tolist()) + bytes(9)
            data = gzip.compress(data) if suffix else data
        else:
            data = damaged(gzip.compress(raw, mtime=0) if suffix else raw, random)
        path.write_bytes(data)
        found = read_idx(path)
        assert found.dtype == np.uint8
        assert found.size <= len(gzip.decompress(data) if suffix else data)

    attack(try_one, f"idx{suffix}")


def _npz(array: Any, compressed: bool) -> bytes:
    file = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(file, array)
    return file.getvalue()


def test_npz(tmp_path):
    """What is read of a damaged file is the array, or it is refused: an archive has checksums of its content."""
    array = np.random.default_rng(0).random((3, 4)).astype(np.float32)
    files = [_npz(array, compressed) for compressed in (False, True)]
    path = tmp_path / "x_test.npz"

    def try_one(random: np.random.Generator) -> None:
        path.write_bytes(damaged(files[random.integers(2)], random))
        np.testing.assert_array_equal(read_npz(path), array)

    attack(try_one, "npz")


TYPES = ["<f4", ">f8", "|O", "|V8", "<U3", "<c8", "|b1", "<M8[D]", "<f2", "|u1", ">i8", "nonsense", "<f4,<f4", "|S0"]


def test_headers(tmp_path):
    """Headers that promise what is not there, with a right checksum."""
    path = tmp_path / "x_test.npz"

    def try_one(random: np.random.Generator) -> None:
        if random.random() < 0.2:  # some that fit, and some that almost do
            shape = (int(random.integers(1, 12)), int(random.integers(1, 4)))
        else:
            shape = tuple(random.integers(-3, 2 ** random.integers(1, 62), random.integers(0, 6)).tolist())
        texts = [
            f"{{'descr': {str(random.choice(TYPES))!r}, 'fortran_order': {random.random() < 0.5}, 'shape': {shape}, }}",
            "[" * int(random.integers(0, 5000)),
            "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,), }",
            f"{{'descr': ('<f4', {shape}), 'fortran_order': False, 'shape': (2,), }}",
            "",
            "\0" * 40,
            "__import__('os').abort()",
        ]
        text = texts[0] if random.random() < 0.6 else texts[random.integers(len(texts))]
        header = text.encode("latin1") + b"\n"
        version = int(random.integers(1, 5))
        length = len(header).to_bytes(2 if version == 1 else 4, "little")
        with zipfile.ZipFile(path, "w") as archive:
            values = bytes(int(random.integers(0, 99)))
            content = b"\x93NUMPY" + bytes([version, 0]) + length + header + values
            archive.writestr(
                "arr_0.npy", content if random.random() < 0.9 else content[: random.integers(len(content))]
            )
        assert read_npz(path).nbytes == len(values)

    attack(try_one, "headers")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP", "PPM"])
def test_images(kind):
    file = io.BytesIO()
    picture().save(file, kind)

    def try_one(random: np.random.Generator) -> None:
        image = decode(damaged(file.getvalue(), random), Path("a/b.png"))
        assert image.mode == "RGB"

    attack(try_one, kind, least=30)


# ---- values ------------------------------------------------------------------------------------------------------------


def test_labels():
    """Whatever labels are, they are whole classes in the end, or refused."""

    def try_one(random: np.random.Generator) -> None:
        images, classes = (int(n) for n in random.integers(1, 6, 2))
        shape = [(images,), (images, 1), (images, classes), (images + 1,), (), (images, classes, 1), (images, 0)]
        y: Any = random.integers(-1, 3, shape[random.integers(len(shape))])
        if random.random() < 0.3:  # right ones
            y = np.eye(classes)[random.integers(0, classes, images)]
        y = y.astype(random.choice(["i1", "u8", "f4", "f8", "?", "f2"]))
        if random.random() < 0.3:
            y = y * random.choice([1.0, 0.5, 1e300, np.nan, np.inf, -1])
        part = Output("out", (classes,), str(random.choice(["softmax", "linear", "sigmoid"])))
        if part.activation == "softmax" and classes == 1:
            return
        task = task_of(part, labels=y)
        found = task.targets(y, images)
        assert len(found) == images
        if task.name == "classification":
            assert found.shape == (images,)
            assert 0 <= found.min() <= found.max() < classes
        elif task.decides:
            assert np.isin(found, (0, 1)).all()
        else:
            np.testing.assert_array_equal(found.ravel(), y.ravel())

    with np.errstate(all="ignore"):
        attack(try_one, "labels")
