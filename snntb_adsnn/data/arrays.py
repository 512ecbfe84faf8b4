"""Arrays in ``.npz`` files that others wrote: read without pickles, and a damaged file takes no memory."""

from __future__ import annotations

import errno
import os
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from snntb_adsnn.errors import DataError
from snntb_adsnn.files import reason

_NUMBERS = "buif"
_KINDS = {
    "O": "Python objects (rows of different lengths make numpy store such)",
    "U": "texts",
    "S": "texts",
    "c": "complex numbers",
    "M": "dates",
    "m": "times",
    "V": "records",
}
_OTHERS = {
    b"": "is empty",
    b"\x93NUMPY": "was written by numpy.save, which makes no .npz file",
    b"\x80": "is a pickle, which is never read, since that may run code",
    b"\x1f\x8b": "is a gzip file, no .npz file",
    b"\x89HDF": "is an HDF5 file, no .npz file",
    b"PK": "is a part of an .npz file, or damaged",
}
"""What a file is that is no zip archive, by how it begins; the empty beginning stands for an empty file."""
_CHUNK = 2**22  # bytes read at a time
_UNREADABLE = {errno.EIO, errno.ESTALE, errno.ENODEV, errno.ETIMEDOUT}
"""Errors of a device, which say nothing about the file."""


def read_arrays(path: Path, names: Sequence[str], way_out: str, *, alone: bool = False) -> dict[str, NDArray[Any]]:
    """The arrays ``names`` of an ``.npz`` file.

    Args:
        path: of the file.
        names: of the arrays.
        way_out: how to get a good file; ends the message.
        alone: whether the file must not hold others.

    Raises:
        DataError: the file is missing, may not be read, is something else, damaged, or holds no real numbers.
    """
    try:
        if path.exists() and not path.is_file():
            raise DataError(f"{path} is no file{' but a folder' if path.is_dir() else ''}; {way_out}.")
        with path.open("rb") as file:
            return _read(path, file, names, way_out, alone=alone)
    except FileNotFoundError:
        raise DataError(f"{path}: no such data file; {way_out}.") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({reason(error)}); check path and permissions.") from None


def _read(path: Path, file: IO[bytes], names: Sequence[str], way_out: str, *, alone: bool) -> dict[str, NDArray[Any]]:
    if not zipfile.is_zipfile(file):
        file.seek(0)
        start = file.read(8)
        found = next((what for magic, what in _OTHERS.items() if magic and start.startswith(magic)), "is no .npz file")
        raise DataError(f"{path} {found if start else _OTHERS[b'']}; {way_out}.")
    try:
        with zipfile.ZipFile(file) as archive:
            there = [name.removesuffix(".npy") for name in archive.namelist()]
            if missing := [name for name in names if name not in there]:
                raise DataError(f"{path} holds {_listed(there)}, but no {missing[0]}; {way_out}.")
            if alone and len(there) > len(names):
                raise DataError(f"{path} holds {_listed(there)}: which one is meant? Keep one; {way_out}.")
            return {name: _array(path, archive, name, way_out) for name in names}
    except DataError:
        raise
    except Exception as error:
        # on damaged bytes zipfile, zlib and numpy raise what they like: struct.error, TokenError, OverflowError, ...
        if isinstance(error, OSError) and error.errno in _UNREADABLE:
            raise
        raise DataError(f"{path} is damaged; {way_out}.") from None


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(name[:40] for name in names[:6]) + (" ..." if len(names) > 6 else "")
    return f"the {'array' if len(names) == 1 else 'arrays'} {shown}" if names else "no array"


def _array(path: Path, archive: zipfile.ZipFile, name: str, way_out: str) -> NDArray[Any]:
    """One array. Its header says how large it is, and the archive how many bytes it has: they must agree."""
    info = archive.getinfo(f"{name}.npy")
    with archive.open(info) as member:
        version = np.lib.format.read_magic(member)
        if version > (2, 0):  # only for names of a record's fields
            raise DataError(f"{path}: the array {name} holds {_KINDS['V']}, not real numbers; {way_out}.")
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = read(member)
        if dtype.kind not in _NUMBERS or dtype.hasobject:
            kind = _KINDS.get(dtype.kind, dtype.name)
            raise DataError(f"{path}: the array {name} holds {kind}, not real numbers; {way_out}.")
        size = dtype.itemsize
        for n in shape:
            size *= n
        if min(shape, default=0) < 0 or info.file_size - member.tell() != size:
            raise ValueError("its size is not what its header says")
        if size > os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"):
            raise DataError(f"{path}: the array {name} needs {size / 2**30:.0f} GiB, more than this machine's memory.")
        data = bytearray(size)
        view = memoryview(data)
        while view and (part := member.read(min(len(view), _CHUNK))):
            view[: len(part)] = part
            view = view[len(part) :]
        if view or member.read(1):  # the checksum is compared at the end
            raise ValueError("it is too short")
    array = np.frombuffer(data, dtype).reshape(shape, order="F" if fortran else "C")
    return array.astype(dtype.newbyteorder("="), copy=False)
