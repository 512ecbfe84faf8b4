"""Whether a model file is data only. Some layers carry Python code, which Keras runs when it loads the file."""

from __future__ import annotations

import builtins
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py

from snntb_adsnn.errors import ConversionError

_CODE = {
    "Lambda": "holds Python code, which runs when the model is loaded",
    "__lambda__": "holds Python code, which runs when the model is loaded",
    "TFOpLambda": "calls a function of TensorFlow by its name, and some of them write files",
    "SlicingOpLambda": "calls a function of TensorFlow by its name, and some of them write files",
    "ClassMethod": "calls a function of TensorFlow by its name, and some of them write files",
    "InstanceMethod": "calls a function of TensorFlow by its name, and some of them write files",
    "InstanceProperty": "calls a function of TensorFlow by its name, and some of them write files",
}
"""Classes that Keras makes from code or from names of functions."""

_FUNCTION_KINDS = ("function_type", "output_shape_type", "mask_type", "residual_fn_type")
"""Keys of a layer beside which Keras looks for code (``ResidualWrapper``)."""

_MODULES = ("keras", "tf_keras", "snntb_adsnn")
"""Packages whose objects a model may name. Keras imports any other that a file names."""


def need_data_only(file: Path) -> None:
    """Refuse a model file that would run code while Keras loads it. Keras is not asked.

    Raises:
        ConversionError: such a layer is there; the message names it.
        OSError, ValueError, KeyError: the file is no model.
    """
    for layer, reason in _code(configuration(file), "the model"):
        raise ConversionError(
            f"{file}: {layer} {reason}. If you trust whoever made the file, set [adsnn] trust_model = True; else "
            "rebuild the model from Keras' own layers."
        )


def configuration(file: Path) -> Any:
    """The model's configuration, from where Keras takes it."""
    if file.suffix == ".keras" and zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            return json.loads(archive.read("config.json"))
    with h5py.File(file, "r") as stored:
        text = stored.attrs["model_config"]
        return json.loads(text.decode() if isinstance(text, bytes) else text)


def _code(part: Any, layer: str) -> Iterator[tuple[str, str]]:
    """Layers, in words, that hold code, and what they do; ``layer``: the one that ``part`` belongs to."""
    if isinstance(part, list):
        for one in part:
            yield from _code(one, layer)
    if not isinstance(part, dict):
        return
    kind, inner = part.get("class_name"), part.get("config")
    if isinstance(kind, str):
        name = inner.get("name") if isinstance(inner, dict) else None
        layer = f"layer {name!r} ({kind})" if isinstance(name, str) else layer
        if reason := _CODE.get(kind.rpartition(">")[2]):
            yield layer, reason
        if not _known(part):
            yield layer, f"names an object of the module {part['module']!r}, which Keras would import and call"
    if any(part.get(key) in ("lambda", "function") for key in _FUNCTION_KINDS):
        yield layer, _CODE["Lambda"]
    for one in part.values():
        yield from _code(one, layer)


def _known(part: dict[str, Any]) -> bool:
    """Whether an object is Keras' own or was registered by the program that loads the model."""
    module, kind = part.get("module"), part["class_name"]
    if not isinstance(module, str) or module.partition(".")[0] in _MODULES:
        return True
    name = part.get("config") if kind == "function" else part.get("registered_name")
    if not isinstance(name, str):
        return False
    if module == "builtins" and not hasattr(builtins, name):  # Keras' word for its own functions
        return True
    from snntb_adsnn.frontends.keras.compat import keras

    return keras.utils.get_registered_object(name) is not None
