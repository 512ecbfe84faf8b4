"""Keras 3 model files as a front end reads them (``frontends.Reader``); Keras is imported where a model is needed."""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path
from typing import Any

from snntb_adsnn.errors import ConversionError
from snntb_adsnn.frontends.keras.graph import named_outputs
from snntb_adsnn.frontends.keras.peek import common_neuron as neuron
from snntb_adsnn.frontends.keras.reader import check, companions, copied_by, end_of
from snntb_adsnn.frontends.keras.stored import instead_of_model as instead
from snntb_adsnn.network import Output

__all__ = ["check", "companions", "copied", "instead", "neuron", "outputs", "packed", "read"]


def read(file: Path, *, trust: bool) -> Any:
    """See ``Reader``."""
    check(file, trust=trust)
    import keras

    from snntb_adsnn.frontends.keras3 import activation  # noqa: F401  registers AAN, so that models load

    try:
        return keras.saving.load_model(file, compile=False, safe_mode=not trust)
    except Exception as error:  # Keras raises whatever its readers raise
        lines = str(error).splitlines() or [type(error).__name__]
        reason = " ".join(lines[0].split())[:250].rstrip(".")
        raise ConversionError(
            f"{file}: cannot be read as a Keras 3 model ({reason}). Copy the file again if it is damaged; else convert "
            "the model in a Python program that imports what it is made of."
        ) from error


def outputs(model: Any) -> list[Output]:
    """See ``Reader``."""
    layers = {id(layer.output): layer for layer in model.layers if hasattr(layer, "output")}
    functional = getattr(model, "_functional", None) or model
    named = named_outputs(functional, functional._outputs_struct)
    return [Output(name, tuple(tensor.shape[1:]), end_of(layers.get(id(tensor)))) for name, tensor in named]


def copied(model: Any, top_k: int) -> Any:
    """See ``Reader``."""
    import keras

    return copied_by(keras, model, top_k)


def packed(model: Any, save: Any) -> bytes:
    """See ``Reader``."""
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # .h5 is the only format that the toolbox reads
        file = Path(folder) / "model.h5"
        save(file)  # the model has another method of that name in the flow
        return file.read_bytes()
