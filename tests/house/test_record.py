"""Files of dataclasses: what is read is what was written, or is refused."""

import io
import json
import re
import tempfile
import tracemalloc
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from damage import assert_damage_is_noticed, damaged, same
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from random_networks import networks
from shrinking import NOT_SHRUNK

from snntb_adsnn.errors import OutputError
from snntb_adsnn.network import SpikingNetwork
from snntb_adsnn.record import Format


@dataclass(frozen=True)
class Box:
    content: Any
    label: str = ""
    size: int = field(init=False, default=0)


@dataclass(frozen=True)
class Stranger:
    content: Any


BOXES = Format("example box", 3, "box", "Pack it again.", {"Box": Box})
EXAMPLE = Box((np.arange(6.0).reshape(2, 3), Box(np.arange(3, dtype=np.int8)), {"a": [1, None]}, 0.1), "example")


def numbers():
    kinds = st.sampled_from(["<f4", ">f8", "<f2", "<i8", "|u1", "|b1", "<c8", ">u2"])
    shapes = arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)
    return st.builds(lambda a, turn: a.T if turn else a, arrays.arrays(kinds, shapes), st.booleans())


def contents():
    leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | numbers()
    return st.recursive(
        leaves,
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.lists(inner, max_size=3).map(tuple)
            | st.dictionaries(st.text(), inner, max_size=3)
            | st.builds(Box, inner, st.text())
        ),
        max_leaves=8,
    )


@given(contents())
def test_any_content_comes_back(content):
    with tempfile.TemporaryDirectory() as folder:
        path = BOXES.write(Path(folder) / "box.npz", Box(content))
        again = BOXES.read(path)
        assert same(again, Box(content))
        assert BOXES.digest(again) == BOXES.digest(Box(content))


@given(networks(dyadic=False))
def test_any_network_comes_back(case):
    with tempfile.TemporaryDirectory() as folder:
        assert same(SpikingNetwork.load(case[0].save(f"{folder}/net.npz")), case[0])


# which network it was says little about a damaged byte
@settings(NOT_SHRUNK, max_examples=30)
@given(networks(dyadic=False), st.integers(0, 2**32 - 1))
def test_a_damaged_network_is_read_as_it_was_or_refused(case, seed):
    random = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory() as folder:
        path = case[0].save(f"{folder}/net.npz")
        data = path.read_bytes()
        changes = [damaged(data, random) for _ in range(30)]
        assert assert_damage_is_noticed(path, case[0], changes, SpikingNetwork.load)


@pytest.mark.parametrize("compress", [True, False])
def test_every_byte_counts_or_is_not_needed(compress, tmp_path):
    """Each byte of a file in turn, with three other values: among them every field of the archive's tables."""
    path = BOXES.write(tmp_path / "box.npz", EXAMPLE, compress=compress)
    data = path.read_bytes()
    changes = [
        data[:i] + bytes([data[i] ^ mask]) + data[i + 1 :] for i in range(len(data)) for mask in (0x01, 0x80, 0xFF)
    ]
    assert assert_damage_is_noticed(path, EXAMPLE, changes, BOXES.read) > len(changes) / 2


@pytest.mark.parametrize("entry", [0, 1], ids=["header", "array"])
def test_methods_that_are_not_used_are_refused(entry, tmp_path):
    """LZMA's errors are of a kind of its own, and the next Python knows more methods."""
    path = BOXES.write(tmp_path / "box.npz", EXAMPLE)
    data = bytearray(path.read_bytes())
    for start in [found.start() for found in re.finditer(b"PK\1\2", data)][entry:]:
        data[start + 10 : start + 12] = zipfile.ZIP_LZMA.to_bytes(2, "little")  # in the archive's table
    path.write_bytes(data)
    with pytest.raises(
        OutputError, match=r"damaged box \(its part .* is packed by method 14, which is not used here\)"
    ):
        BOXES.read(path)


def replaced(data, name, member):
    """The archive ``data`` with another member in place of ``name``."""
    found = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(found, "w", zipfile.ZIP_DEFLATED) as new:
        for info in old.infolist():
            new.writestr(info.filename, member if info.filename == name else old.read(info))
    return found.getvalue()


def npy(array):
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


@pytest.mark.parametrize("name", ["header", "value.content.0"])
def test_a_huge_part_takes_no_memory(name, tmp_path):
    path = BOXES.write(tmp_path / "box.npz", EXAMPLE)
    path.write_bytes(replaced(path.read_bytes(), f"{name}.npy", npy(np.ones(2**28, np.uint8))))
    tracemalloc.start()
    try:
        with pytest.raises(OutputError, match="damaged box"):
            BOXES.read(path)
        assert tracemalloc.get_traced_memory()[1] < (2**20 if name != "header" else 2**28)
    finally:
        tracemalloc.stop()


def test_only_the_given_classes_are_built_and_kept(tmp_path):
    strangers = Format("example box", 3, "box", "Pack it again.", {"Stranger": Stranger})
    path = strangers.write(tmp_path / "box.npz", Stranger(1))
    with pytest.raises(OutputError, match=r"box\.npz: the file holds a Stranger, which is unknown here"):
        BOXES.read(path)
    with pytest.raises(TypeError, match=r"value\.content: a box cannot hold a .*Stranger"):
        BOXES.write(tmp_path / "other.npz", Box(Stranger(1)))
    assert not (tmp_path / "other.npz").exists()


@pytest.mark.parametrize(
    "content", [{1, 2}, {1: 2}, np.array([None]), np.array(["text"]), np.ma.array([1.0], mask=[True]), 1j, b"bytes"]
)
def test_what_cannot_be_kept_is_refused(content):
    with pytest.raises(TypeError, match=r"value\.content: a box cannot hold a "):
        BOXES.digest(Box(content))


def test_numpy_numbers_are_kept_as_pythons(tmp_path):
    again = BOXES.read(BOXES.write(tmp_path / "box.npz", Box((np.float32(0.1), np.int64(3), np.bool_(True)))))
    assert same(again, Box((float(np.float32(0.1)), 3, True)))


def test_a_long_header_is_refused_when_it_is_written():
    with pytest.raises(TypeError, match="long rows of numbers must be arrays"):
        BOXES.digest(Box("x" * 2**26))


@pytest.mark.parametrize(
    ("header", "words"),
    [
        (json.dumps({"format": "example box", "version": 1}), r"not a box of this version \(example box 3\)\. Pack it"),
        (json.dumps({"format": "other"}), "not a box of this version"),
        ("{", "damaged box"),
        ("", "damaged box"),
        ("0" * 64 + "\n{}", r"damaged box \(its header is not what was written\)"),
    ],
)
def test_a_file_of_another_kind_is_named(header, words, tmp_path):
    path = tmp_path / "box.npz"
    np.savez(path, header=np.frombuffer(header.encode(), np.uint8))
    with pytest.raises(OutputError, match=words):
        BOXES.read(path)


def test_a_file_of_another_version_or_format_is_named(tmp_path):
    for name, version in (("example box", 4), ("example bag", 3)):
        path = Format(name, version, "box", "", {"Box": Box}).write(tmp_path / "box.npz", EXAMPLE)
        with pytest.raises(OutputError, match="not a box of this version"):
            BOXES.read(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(OutputError, match=r"none\.npz: no such box\. Pack it again\."):
        BOXES.read(tmp_path / "none.npz")


def test_a_folder_or_a_forbidden_file_is_not_called_damaged(tmp_path, monkeypatch):
    with pytest.raises(OutputError, match=r"cannot be read \(it is a folder\)\. Check the path"):
        BOXES.read(tmp_path)
    path = BOXES.write(tmp_path / "box.npz", EXAMPLE)

    def forbidden(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", forbidden)  # root may read everything
    with pytest.raises(OutputError, match=r"box\.npz: cannot be read \(you have no permission\)\. Check the path"):
        BOXES.read(path)


def test_a_kind_that_was_not_imported_is_named(tmp_path):
    both = Format(BOXES.name, BOXES.version, "box", "", {"Box": Box, "Stranger": Stranger})
    path = both.write(tmp_path / "box.npz", Box(Stranger(1)))
    with pytest.raises(OutputError, match=r"box\.npz: the file holds a Stranger, .* Import the module that defines"):
        BOXES.read(path)


def test_numpy_reads_the_arrays(tmp_path):
    with np.load(BOXES.write(tmp_path / "box.npz", EXAMPLE)) as file:
        assert file.files == ["header", "value.content.0", "value.content.1.content"]
        np.testing.assert_array_equal(file["value.content.0"], EXAMPLE.content[0])


def test_the_digest_tells_contents_apart():
    digests = {
        BOXES.digest(Box(content))
        for content in (1, 1.0, True, None, "1", (1,), [1], {"1": 1}, np.array([1]), np.array([[1]]), np.array([1.0]))
    }
    assert len(digests) == 11


def test_arrays_that_were_read_are_read_only(tmp_path):
    again = BOXES.read(BOXES.write(tmp_path / "box.npz", EXAMPLE))
    with pytest.raises(ValueError, match="read-only"):
        again.content[0][0, 0] = 1.0
