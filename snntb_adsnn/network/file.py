"""A network's file: its nodes in one ``.npz``, a JSON header and the arrays that it names; no pickle.

Nodes are described field by field, so that this module need not know the kinds of nodes there are: a reader names them.
"""

from __future__ import annotations

import dataclasses
import io
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from snntb_adsnn.errors import OutputError
from snntb_adsnn.files import DAMAGED_NPZ, atomic_write, open_npz
from snntb_adsnn.network.maps import Array, Node, Window
from snntb_adsnn.neuron import ASNParameters

FORMAT = "snntb-adsnn network"
VERSION = 1

Network = TypeVar("Network")


def write(path: str | Path, nodes: Sequence[Node]) -> Path:
    """Write nodes to one file, atomically; returns its path.

    Raises:
        OutputError: the file cannot be written.
    """
    arrays: dict[str, Array] = {}
    header = [_describe(node, i, arrays) for i, node in enumerate(nodes)]
    text = json.dumps({"format": FORMAT, "version": VERSION, "nodes": header})
    buffer = io.BytesIO()
    arrays["header"] = np.frombuffer(text.encode(), np.uint8)
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    return atomic_write(Path(path), buffer.getvalue())


def read(path: str | Path, kinds: Mapping[str, type[Node]], build: Callable[[tuple[Node, ...]], Network]) -> Network:
    """Read what ``write`` wrote.

    Args:
        path: the file.
        kinds: the classes of nodes, by their names.
        build: makes the network of the nodes.

    Raises:
        OutputError: the file is missing, damaged, or something else.
    """
    path = Path(path)
    try:
        with open_npz(path) as file:
            header = json.loads(bytes(file["header"]).decode())
            if header.get("format") != FORMAT or header.get("version") != VERSION:
                raise OutputError(
                    f"{path}: not a network of this version ({FORMAT} {VERSION}); convert the Keras model again."
                )
            return build(tuple(_rebuild(entry, file, kinds) for entry in header["nodes"]))
    except FileNotFoundError:
        raise OutputError(f"{path}: no such network file; convert the Keras model first.") from None
    except DAMAGED_NPZ as error:
        raise OutputError(f"{path}: damaged network file ({error}); convert the Keras model again.") from None


def _describe(node: Node, index: int, arrays: dict[str, Array]) -> dict[str, Any]:
    entry: dict[str, Any] = {"kind": type(node).__name__}
    for field in dataclasses.fields(node):
        if not field.init:
            continue
        value = getattr(node, field.name)
        if isinstance(value, np.ndarray):
            key = f"{index}.{field.name}"
            arrays[key] = value
            value = {"array": key}
        elif isinstance(value, ASNParameters | Window):
            value = dataclasses.asdict(value)
        entry[field.name] = value
    return entry


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def _rebuild(entry: dict[str, Any], arrays: Mapping[str, Array], kinds: Mapping[str, type[Node]]) -> Node:
    fields = dict(entry)
    kind = kinds[fields.pop("kind")]
    for name, value in fields.items():
        if isinstance(value, dict) and "array" in value:
            fields[name] = arrays[value["array"]]
        elif name == "parameters":
            fields[name] = ASNParameters(**value)
        elif name in ("window", "pool") and value is not None:
            fields[name] = Window(**{k: _tuples(v) for k, v in value.items()})
        else:
            fields[name] = _tuples(value)
    return kind(**fields)
