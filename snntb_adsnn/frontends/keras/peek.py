"""What a model file says about its neurons, read without Keras: quick enough to be asked before it is imported."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from snntb_adsnn.frontends.keras.stored import configuration
from snntb_adsnn.neuron import ASNParameters


def common_neuron(file: Path) -> ASNParameters | None:
    """The constants that all activations AAN of a model have; ``None`` where they differ, where there is an activation
    of another kind, and where the file cannot be read, which is said by whoever needs it."""
    try:
        activations = list(_activations(configuration(file)))
        names = {field.name for field in dataclasses.fields(ASNParameters)}
        found = {ASNParameters(**{k: v for k, v in a.items() if k in names}) for a in activations if a is not None}
    except Exception:  # whatever readers raise on a damaged file
        return None
    return found.pop() if len(found) == 1 and None not in activations else None


def ends_with_softmax(file: Path) -> bool:
    """Whether a model has one output, of a layer with softmax; ``False`` where the file cannot be read."""
    try:
        config = configuration(file)["config"]
        layers, ends = config["layers"], config.get("output_layers")
        while ends and isinstance(ends[0], list) and len(ends) == 1:
            ends = ends[0]
        name = ends[0] if ends else None
        last = layers[-1] if name is None else next(one for one in layers if one["config"]["name"] == name)
        return bool(last["class_name"] == "Softmax" or last["config"].get("activation") == "softmax")
    except Exception:  # whatever readers raise on a damaged file
        return False


def _activations(part: Any) -> Iterator[dict[str, Any] | None]:
    """The constants of every AAN in a model's configuration; ``None`` for an activation that gives graded spikes."""
    if isinstance(part, list):
        for one in part:
            yield from _activations(one)
    if not isinstance(part, dict):
        return
    kind, inner = part.get("class_name"), part.get("config")
    if isinstance(kind, str) and kind.rpartition(">")[2] == "AAN" and isinstance(inner, dict):
        yield inner
        return
    if kind == "ReLU" or part.get("activation") == "relu":
        yield None
    for one in part.values():
        yield from _activations(one)
