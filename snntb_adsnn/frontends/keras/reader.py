"""Keras 2 model files as a front end reads them (``frontends.Reader``); Keras is imported where a model is needed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from snntb_adsnn.errors import ConversionError
from snntb_adsnn.frontends.keras.graph import named_outputs
from snntb_adsnn.frontends.keras.peek import common_neuron as neuron
from snntb_adsnn.frontends.keras.stored import configuration
from snntb_adsnn.frontends.keras.stored import instead_of_model as instead
from snntb_adsnn.frontends.keras.trust import need_data_only
from snntb_adsnn.network import Output
from snntb_adsnn.network.outputs import ACTIVATIONS

__all__ = ["check", "companions", "copied", "instead", "neuron", "outputs", "packed", "read"]


def check(file: Path, *, trust: bool) -> None:
    """See ``Reader``."""
    configuration(file) if trust else need_data_only(file)


def read(file: Path, *, trust: bool) -> Any:
    """See ``Reader``."""
    from snntb_adsnn.frontends.keras.files import read_model

    return read_model(file, trust=trust)


def companions(file: Path) -> list[Path]:
    """A file of Keras holds everything."""
    return []


def outputs(model: Any) -> list[Output]:
    """See ``Reader``."""
    named = named_outputs(model, model._nested_outputs)
    return [Output(name, tuple(tensor.shape[1:]), end_of(tensor._keras_history.layer)) for name, tensor in named]


def end_of(layer: Any) -> str:
    """Name of the activation with which a layer of either Keras ends a model; ``linear`` where it has no other."""
    if type(layer).__name__ == "Softmax":
        return "softmax"
    name = str(getattr(getattr(layer, "activation", None), "__name__", "linear"))
    return name if name in ACTIVATIONS else "linear"


def copied(model: Any, top_k: int) -> Any:
    """See ``Reader``."""
    from snntb_adsnn.frontends.keras.compat import keras

    return copied_by(keras, model, top_k)


def copied_by(keras: Any, model: Any, top_k: int) -> Any:
    """A frozen copy of a model, compiled as the toolbox evaluates it: accuracy and top-k accuracy; the loss does not
    matter. ``keras``: the package that made the model.

    Raises:
        ConversionError: it cannot be copied.
    """
    if not getattr(model, "inputs", None):
        raise ConversionError("the model has no known input shape; give its first layer an input shape.")
    try:
        copy = keras.models.clone_model(model)
        copy.set_weights(model.get_weights())
    except (ValueError, TypeError, NotImplementedError) as error:
        raise ConversionError(f"the model cannot be copied ({error}); rebuild it from Keras' own layers.") from error
    copy.trainable = False
    top = keras.metrics.TopKCategoricalAccuracy(top_k)
    copy.compile("sgd", "categorical_crossentropy", ["accuracy", top])
    return copy


def packed(model: Any, save: Any) -> bytes:
    """See ``Reader``."""
    from snntb_adsnn.frontends.keras.files import packed as pack

    return pack(save)
