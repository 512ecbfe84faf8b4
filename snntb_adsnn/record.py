"""The one serialiser: frozen dataclasses of numbers, texts and arrays <-> one ``.npz`` file; no pickle.

A file holds a header in JSON and the arrays that it names. The header tells each array's type, shape and SHA-256, and
its own SHA-256 stands before it: what is read back is what was written, or it is refused. The header is checked first,
so that no array takes more memory than was written, whatever a damaged file says. ``numpy.load`` reads the arrays, too.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from snntb_adsnn.errors import OutputError
from snntb_adsnn.files import DAMAGED_NPZ, atomic_path, reason

Array = NDArray[Any]

_HEADER = "header"
_LARGEST_HEADER = 2**26
_LONGEST_REASON = 200
_NUMBERS = "biufc"
"""Kinds of NumPy types that a file may hold."""


@dataclass(frozen=True)
class Format:
    """A kind of file: what it is called, and which classes it is made of.

    Attributes:
        name: of the format, for good: ``snntb-adsnn network``.
        version: to be raised when old files can no longer be understood.
        noun: what a message calls such a file: ``network file``.
        way_out: sentence that tells how to get a good file: ``Convert the Keras model again.``
        kinds: classes that may be built, by their names; a registry that grows may be given. Frozen dataclasses whose
            fields are numbers, texts, ``None``, arrays, such dataclasses, and tuples, lists and dictionaries (by text)
            of these. Fields with ``init=False`` are not kept.

    Example:
        >>> import tempfile
        >>> @dataclass(frozen=True)
        ... class Point:
        ...     place: tuple[int, int]
        ...     label: str = "here"
        >>> points = Format("example point", 1, "point file", "Draw it again.", {"Point": Point})
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     points.read(points.write(f"{folder}/point.npz", Point((1, 2))))
        Point(place=(1, 2), label='here')
    """

    name: str
    version: int
    noun: str
    way_out: str
    kinds: Mapping[str, type[Any]]

    def write(self, path: str | Path, value: Any, *, compress: bool = True) -> Path:
        """Write a dataclass to one file, atomically; returns its path.

        Args:
            path: of the file.
            value: an instance of one of ``kinds``.
            compress: whether to deflate the arrays; trained float32 weights shrink by 7 % and take 20 times as long.

        Raises:
            OutputError: the file cannot be written.
            TypeError: something in ``value`` is of a kind that cannot be kept.
        """
        header, arrays = self._pack(value)
        method = zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED
        with (
            atomic_path(Path(path)) as temporary,
            temporary.open("wb") as file,
            zipfile.ZipFile(file, "w", method) as archive,
        ):
            for name, array in {_HEADER: np.frombuffer(header, np.uint8), **arrays}.items():
                with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                    np.lib.format.write_array(member, array, version=(1, 0), allow_pickle=False)
        return Path(path)

    def read(self, path: str | Path) -> Any:
        """Read what ``write`` wrote, field for field; arrays are read-only.

        Raises:
            OutputError: the file is missing, damaged, or something else.
        """
        try:
            # odd numbers that a forged header holds may overflow in the checks of its dataclasses
            with _opened(path) as file, np.errstate(all="ignore"):
                if not zipfile.is_zipfile(file):
                    raise self._other(path, file)
                with zipfile.ZipFile(file) as archive:
                    if f"{_HEADER}.npy" not in archive.namelist():
                        raise OutputError(f"{path}: is an archive of something else, no {self.noun}. {self.way_out}")
                    header = self._checked_header(_member(archive, _HEADER, _LARGEST_HEADER), path)
                    return self._rebuild(header["value"], archive, path)
        except FileNotFoundError:
            raise OutputError(f"{path}: no such {self.noun}. {self.way_out}") from None
        except (*DAMAGED_NPZ, LookupError, ArithmeticError, AssertionError) as error:
            reason = " ".join(str(error).split()).rstrip(".")
            reason = reason if len(reason) <= _LONGEST_REASON else f"{reason[:_LONGEST_REASON]} ..."
            raise OutputError(f"{path}: damaged {self.noun} ({reason}). {self.way_out}") from None

    def _other(self, path: str | Path, file: BinaryIO) -> OutputError:
        """What to say of a file that is no archive."""
        file.seek(0)
        start = file.read(4)
        if start.startswith(b"PK"):
            return OutputError(f"{path}: damaged {self.noun} (it is cut short). {self.way_out}")
        what = "begins with other bytes than one" if start else "is empty"
        return OutputError(f"{path}: is no {self.noun}; it {what}. {self.way_out}")

    def digest(self, value: Any) -> str:
        """SHA-256 of everything that ``write`` would keep, as a hexadecimal number."""
        return self._pack(value)[0].split(b"\n")[0].decode()

    def _pack(self, value: Any) -> tuple[bytes, dict[str, Array]]:
        """The header, its own digest in its first line, and the arrays by name."""
        arrays: dict[str, Array] = {}
        described = self._describe(value, "value", arrays)
        text = json.dumps({"format": self.name, "version": self.version, "value": described}).encode()
        header = hashlib.sha256(text).hexdigest().encode() + b"\n" + text
        if len(header) > _LARGEST_HEADER:
            raise TypeError(f"a {self.noun} has a header of {len(header)} bytes; long rows of numbers must be arrays.")
        return header, arrays

    def _checked_header(self, content: bytes, path: str | Path) -> dict[str, Any]:
        digest, _, text = content.partition(b"\n")
        old = content.startswith(b"{")  # files had no digest once
        if not old and hashlib.sha256(text).hexdigest().encode() != digest:
            raise ValueError("its header is not what was written")
        header: dict[str, Any] = json.loads(content if old else text)
        if old or (header["format"], header["version"]) != (self.name, self.version):
            raise OutputError(f"{path}: not a {self.noun} of this version ({self.name} {self.version}). {self.way_out}")
        return header

    def _describe(self, value: Any, place: str, arrays: dict[str, Array]) -> Any:
        """``value`` as JSON; arrays go to ``arrays``, under the name of their place."""

        def inside(items: Any) -> list[Any]:
            return [self._describe(item, f"{place}.{i}", arrays) for i, item in enumerate(items)]

        if isinstance(value, np.generic):
            value = value.item()
        kind = type(value)
        if value is None or kind in (bool, int, float, str):
            return value
        if kind is tuple:
            return inside(value)
        if kind is list:
            return {"list": inside(value)}
        if kind is dict and all(type(key) is str for key in value):
            return {"keys": list(value), "values": inside(value.values())}
        if kind is np.ndarray and value.dtype.kind in _NUMBERS:
            arrays[place] = value
            layout = {"shape": value.shape, "order": "F" if value.flags.fnc else "C"}
            return {"array": place, "type": value.dtype.str, **layout, "sha256": _hash(value)}
        if self.kinds.get(kind.__name__) is kind:
            fields = [field.name for field in dataclasses.fields(kind) if field.init]
            values = {name: self._describe(getattr(value, name), f"{place}.{name}", arrays) for name in fields}
            return {"kind": kind.__name__, "fields": values}
        raise TypeError(f"{place}: a {self.noun} cannot hold a {kind.__module__}.{kind.__qualname__}.")

    def _rebuild(self, entry: Any, archive: zipfile.ZipFile, path: str | Path) -> Any:
        match entry:
            case list():
                return tuple(self._rebuild(item, archive, path) for item in entry)
            case {"list": items}:
                return [self._rebuild(item, archive, path) for item in items]
            case {"keys": keys, "values": values}:
                if not all(type(key) is str for key in keys):
                    raise ValueError("a key of it is no text")
                return {key: self._rebuild(item, archive, path) for key, item in zip(keys, values, strict=True)}
            case {"array": name, "type": text, "shape": shape, "order": order, "sha256": digest}:
                dtype = np.dtype(text)
                if any(size < 0 for size in shape):
                    raise ValueError(f"its array {name} has the shape {shape}")
                data = _member(archive, name, math.prod(shape) * dtype.itemsize)
                array = np.frombuffer(data, dtype).reshape(shape, order=order)
                if _hash(array) != digest:
                    raise ValueError(f"its array {name} is not what was written")
                return array
            case {"kind": name, "fields": fields}:
                if name not in self.kinds:
                    raise OutputError(
                        f"{path}: the file holds a {name}, which is unknown here. Import the module that defines "
                        "it before you read the file."
                    )
                return self.kinds[name](**{key: self._rebuild(item, archive, path) for key, item in fields.items()})
        return entry


def _opened(path: str | Path) -> BinaryIO:
    """The file, open. A folder, or a file that may not be read, is not damaged: another copy would be no help."""
    try:
        return Path(path).open("rb")
    except FileNotFoundError:
        raise
    except OSError as error:
        raise OutputError(f"{path}: cannot be read ({reason(error)}). Check the path and its permissions.") from None


def _hash(array: Array) -> str:
    return hashlib.sha256(np.asarray(array, order="C").data).hexdigest()


def _member(archive: zipfile.ZipFile, name: str, largest: int) -> bytes:
    """An array's bytes, not more than ``largest``. What its own header says is told by ours, which is checked."""
    info = archive.getinfo(f"{name}.npy")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError(f"its part {name} is packed by method {info.compress_type}, which is not used here")
    with archive.open(info) as member:
        member.read(int.from_bytes(member.read(10)[8:], "little"))
        return member.read(largest)
