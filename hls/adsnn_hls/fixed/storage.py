"""Files of fixed-point networks: a JSON header and arrays in one ``.npz``, no pickle."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from adsnn_hls.arithmetic import FixedType
from adsnn_hls.stages import STAGES, FixedNeurons
from snntb_adsnn.errors import OutputError
from snntb_adsnn.files import atomic_write
from snntb_adsnn.network.maps import Window

FORMAT = "snntb-adsnn fixed-point network"
VERSION = 1
Network = TypeVar("Network")
_SCALARS = ("dt", "pixel_scale", "pixel_offset")


def save(network: Any, path: Path) -> Path:
    """See ``FixedNetwork.save``."""
    header, arrays = _pack(network)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, header=np.frombuffer(json.dumps(header).encode(), np.uint8), **arrays)
    return atomic_write(path, buffer.getvalue())


def load(path: Path, kind: Callable[..., Network]) -> Network:
    """See ``FixedNetwork.load``; ``kind`` is that class."""
    try:
        with np.load(path, allow_pickle=False) as file:
            header = json.loads(bytes(file["header"]).decode())
            if header.get("format") != FORMAT or header.get("version") != VERSION:
                raise OutputError(f"{path}: not a {FORMAT} of version {VERSION}; quantise the network again.")
            stages = tuple(_rebuild(entry, file) for entry in header["stages"])
            return kind(stages, *(float(header[key]) for key in _SCALARS))
    except FileNotFoundError:
        raise OutputError(f"{path}: no such network file; quantise the network first.") from None
    except (OSError, zipfile.BadZipFile, KeyError, ValueError, TypeError, EOFError) as error:
        raise OutputError(f"{path}: damaged network file ({error}); quantise the network again.") from None


def digest(network: Any) -> str:
    """See ``FixedNetwork.digest``."""
    header, arrays = _pack(network)
    found = hashlib.sha256(json.dumps(header).encode())
    for array in arrays.values():
        found.update(array.tobytes())
    return found.hexdigest()


def _pack(network: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    arrays: dict[str, Any] = {}
    header = {
        "format": FORMAT,
        "version": VERSION,
        **{key: getattr(network, key) for key in _SCALARS},
        "stages": [_describe(stage, f"{i}", arrays) for i, stage in enumerate(network.stages)],
    }
    return header, arrays


def _describe(owner: Any, prefix: str, arrays: dict[str, NDArray[Any]]) -> dict[str, Any]:
    entry: dict[str, Any] = {"kind": type(owner).__name__}
    for item in dataclasses.fields(owner):
        value = getattr(owner, item.name)
        if isinstance(value, np.ndarray):
            key = f"{prefix}.{item.name}"
            arrays[key] = value
            value = {"array": key}
        elif isinstance(value, FixedType):
            value = {"type": str(value)}
        elif isinstance(value, Window):
            value = {"window": dataclasses.asdict(value)}
        elif isinstance(value, FixedNeurons):
            value = {"neurons": _describe(value, f"{prefix}.{item.name}", arrays)}
        entry[item.name] = value
    return entry


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def _rebuild(entry: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Any:
    fields: dict[str, Any] = {}
    for name, value in entry.items():
        if name == "kind":
            continue
        match value:
            case {"array": key}:
                fields[name] = arrays[key]
            case {"type": text}:
                fields[name] = FixedType.parse(text)
            case {"window": geometry}:
                fields[name] = Window(**{k: _tuples(v) for k, v in geometry.items()})
            case {"neurons": inner}:
                fields[name] = _rebuild(inner, arrays)
            case _:
                fields[name] = _tuples(value)
    kind: Any = FixedNeurons if entry["kind"] == FixedNeurons.__name__ else STAGES[entry["kind"]]
    return kind(**fields)
