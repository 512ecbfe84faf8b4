"""What NIR's primitives cannot say of a network's nodes: kept in the ``metadata`` of theirs, as numbers and texts."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from snntb_adsnn.errors import ConversionError, NetworkError, ParameterError
from snntb_adsnn.network.maps import Array, Shape, Window
from snntb_adsnn.network.node import Node, kinds
from snntb_adsnn.network.outputs import Output
from snntb_adsnn.neuron import ASNParameters

MODEL = "ASN"
EQUATION = (
    "I = k_beta I + spikes; V = k_phi V + (1 - k_phi) I; S = pool(V) + bias; S_hat = k_eta S_hat; "
    "spike if 2 (S - S_hat) > theta; at a spike S_hat += theta and theta_a += m_f theta; theta_a = k_gamma theta_a; "
    "theta = theta0 + theta_a; k_x = exp(-dt/tau_x), times in ms (Zambrano et al., arXiv 1710.04838)"
)
"""One step of the adaptive spiking neuron."""
CONSTANTS = tuple(field.name for field in dataclasses.fields(ASNParameters))
_STRUCTURE = {"name", "inputs", "input_shapes"}


def describe(node: Node, index: int, elsewhere: tuple[str, ...]) -> dict[str, Any]:
    """The metadata from which ``rebuild`` makes the node again.

    Args:
        node: of a network.
        index: its place among the network's nodes.
        elsewhere: fields that the primitive itself holds.
    """
    plain: dict[str, Any] = {}
    found: dict[str, Any] = {"kind": type(node).__name__, "name": node.name, "index": index}
    for field in dataclasses.fields(node):
        if not field.init or field.name in _STRUCTURE or field.name in elsewhere:
            continue
        value = getattr(node, field.name)
        if isinstance(value, np.ndarray):
            found[f"array_{field.name}"] = value
        elif isinstance(value, ASNParameters):
            found |= {"model": MODEL, "equation": EQUATION, **value.as_dict()}
        elif field.name == "form":
            found["form"] = value
        elif isinstance(value, Window):
            plain[field.name] = {"window": dataclasses.astuple(value)}
        else:
            plain[field.name] = [{"output": dataclasses.astuple(part)} for part in value] if _outputs(value) else value
    return {**found, "inputs": json.dumps(node.inputs), "fields": json.dumps(plain)}


def is_described(metadata: Mapping[str, Any]) -> bool:
    """Whether a network's node stands behind this metadata."""
    return "kind" in metadata and "fields" in metadata


Weights = Callable[[tuple[str, ...], Window | None], Array]
"""From a map's inputs and window to the weights that its primitive holds."""


def rebuild(metadata: Mapping[str, Any], shapes: Mapping[str, Shape], weights: Weights | None) -> Node:
    """The node that ``describe`` saw.

    Args:
        metadata: from ``describe``; arrays and texts may have gone through a file.
        shapes: of the nodes before it, by name.
        weights: how to find the field ``weights`` in the primitive, where it is kept there.

    Raises:
        ConversionError: the metadata is damaged; names the node.
    """
    name = text(metadata["name"])
    try:
        kind = kinds()[text(metadata["kind"])]
        inputs = tuple(json.loads(text(metadata["inputs"])))
        fields = {key: _plain(value) for key, value in json.loads(text(metadata["fields"])).items()}
        fields |= {key[6:]: np.array(value) for key, value in metadata.items() if key.startswith("array_")}
        if "model" in metadata:
            fields |= {"parameters": parameters_of(metadata), "form": text(metadata["form"])}
        if weights is not None:
            fields["weights"] = weights(inputs, fields.get("window"))
        return kind(name=name, inputs=inputs, input_shapes=tuple(shapes[i] for i in inputs), **fields)
    except (KeyError, ValueError, TypeError, AttributeError, NetworkError, ParameterError) as error:
        raise ConversionError(
            f"NIR node {name!r}: its metadata is damaged ({error}); write the graph again with to_nir."
        ) from error


def parameters_of(metadata: Mapping[str, Any]) -> ASNParameters:
    """The neuron's constants; those that are missing have their usual values."""
    return ASNParameters(**{key: number_of(metadata, key) for key in CONSTANTS if key in metadata})


def number_of(metadata: Mapping[str, Any], key: str) -> float:
    """One number that the metadata hold; raises as ``numbers_of``."""
    found = numbers_of(metadata[key], key)
    if found.size != 1:
        raise NetworkError(f"its metadata {key} hold {found.size} numbers; write one")
    return float(found.reshape(-1)[0])


def numbers_of(value: Any, key: str) -> Array:
    """Numbers that stand in the metadata under ``key``.

    Raises:
        NetworkError: they are none.
    """
    try:
        return np.asarray(value, np.float64)
    except (TypeError, ValueError):
        shown = " ".join(str(value).split())[:60]
        raise NetworkError(f"its metadata say {key} = {shown!r}, which is no number; write a number") from None


def image_of(metadata: Mapping[str, Any], default: Shape) -> Shape:
    """Rows, columns and channels of the values, where the metadata tell them; raises as ``numbers_of``."""
    return tuple(int(n) for n in numbers_of(metadata.get("image", default), "image").reshape(-1))


def text(value: Any) -> str:
    """A text, as it is in memory or as it comes from a file."""
    return value.decode() if isinstance(value, bytes) else str(value)


def _plain(value: Any) -> Any:
    """JSON's lists as tuples, and windows."""
    if isinstance(value, list):
        return tuple(_plain(item) for item in value)
    if isinstance(value, dict):
        kind, fields = next(iter(value.items()))
        return _RECORDS[kind](*_plain(fields))
    return value


_RECORDS: Mapping[str, Callable[..., Any]] = {"window": Window, "output": Output}


def _outputs(value: Any) -> bool:
    """Whether a field holds the parts of a read-out."""
    return isinstance(value, tuple) and any(isinstance(part, Output) for part in value)
