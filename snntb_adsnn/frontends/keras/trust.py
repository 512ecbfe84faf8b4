"""Whether a model file is data only. Some layers carry Python code, which Keras runs when it loads the file."""

from __future__ import annotations

import builtins
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from snntb_adsnn.errors import ConversionError
from snntb_adsnn.frontends.keras.functions import ACTIVATIONS, FUNCTIONS
from snntb_adsnn.frontends.keras.stored import configuration

_PYTHON = "holds Python code, which runs when the model is loaded"
_FUNCTION = "calls a function of TensorFlow by its name, and some of them write files"
_CODE = {
    "Lambda": _PYTHON,
    "__lambda__": _PYTHON,
    "__typespec__": "names a function or class by its place, which Keras would import and call",
    "TFOpLambda": _FUNCTION,
    "SlicingOpLambda": _FUNCTION,
    "ClassMethod": _FUNCTION,
    "InstanceMethod": _FUNCTION,
    "InstanceProperty": _FUNCTION,
    **dict.fromkeys(("TorchModuleWrapper", "JaxLayer", "FlaxLayer"), "holds a pickle, which could run code"),
    "TFSMLayer": "loads a SavedModel folder, which could run code",
}
"""Classes that Keras makes from code or from names of functions."""

_FUNCTION_KINDS = ("function_type", "output_shape_type", "mask_type", "residual_fn_type")
"""Keys of a layer beside which Keras looks for code (``ResidualWrapper``)."""

_MODULES = ("keras", "tf_keras")
"""Packages whose objects a model may name. Keras imports any other that a file names."""

_OURS = "snntb_adsnn>"
"""What the registered names of this package begin with."""

_FUNCTIONS = ("builtins", "activations", "initializers", "regularizers", "constraints", "losses", "metrics")
"""Modules of Keras whose functions a model may name. Others load files and code."""


def need_data_only(file: Path) -> None:
    """Refuse a model file that would run code while Keras loads it. Keras is not asked.

    Raises:
        ConversionError: such a layer is there, which the message names; or the file is no model of Keras.
    """
    for layer, reason in _code(configuration(file), "the model"):
        raise ConversionError(
            f"{file}: {layer} {reason}. Rebuild the model from Keras' own layers; or, if you trust whoever made the "
            "file, set [adsnn] trust_model = True."
        )


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
        # Keras also looks for the second and for A.B, which reaches what a module has imported
        for alias in (kind, part.get("registered_name")):
            last = alias.rpartition(">")[2].rpartition(".")[2] if isinstance(alias, str) else ""
            if (reason := _CODE.get(last)) and not _is_harmless(kind, inner):
                yield layer, reason
        if not _known(part):
            yield layer, f"names an object of the module {part['module']!r}, which Keras would import and call"
    if any(part.get(key) in ("lambda", "function") for key in _FUNCTION_KINDS):
        yield layer, _PYTHON
    for one in part.values():
        yield from _code(one, layer)


def _is_harmless(kind: str, inner: Any) -> bool:
    """Whether it is a function that is converted; none of these writes or runs anything."""
    function = inner.get("function") if isinstance(inner, dict) else None
    return kind == "TFOpLambda" and isinstance(function, str) and (function in FUNCTIONS or function in ACTIVATIONS)


def _known(part: dict[str, Any]) -> bool:
    """Whether an object is Keras' own or was registered by the program that loads the model."""
    module, kind = part.get("module"), part["class_name"]
    if not isinstance(module, str):
        return True
    function = kind == "function"
    name = part.get("config") if function else part.get("registered_name")
    package, _, rest = module.partition(".")
    if package in _MODULES and "." not in f"{part.get('config') if function else kind}{part.get('registered_name')}":
        return not function or rest.rpartition(".")[2] in _FUNCTIONS
    if not isinstance(name, str):
        return False
    if function and module == "builtins":  # Keras' word for its own functions
        return not hasattr(builtins, name.partition(".")[0])
    if name.startswith(_OURS) and package == "snntb_adsnn":
        return True
    if (compat := sys.modules.get("snntb_adsnn.frontends.keras.compat")) is None:  # nobody can have registered any
        return False
    return compat.keras.utils.get_registered_object(name) is not None
