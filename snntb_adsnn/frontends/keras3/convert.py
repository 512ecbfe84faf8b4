"""Keras 3 model -> SpikingNetwork: as Keras 2 (``frontends.keras.convert``), where its graph has other names."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from snntb_adsnn.frontends.keras.convert import convert_with
from snntb_adsnn.frontends.keras.graph import Flavour
from snntb_adsnn.network import SpikingNetwork
from snntb_adsnn.network.maps import Array


class Keras3(Flavour):
    """See ``Flavour``."""

    name = "Keras"
    hard_sigmoid_slope = 1 / 6

    def functional(self, model: Any) -> Any:
        if isinstance(model, self.keras.Sequential):
            return getattr(model, "_functional", None)  # made when the input shape is known
        return model if hasattr(model, "_nodes_by_depth") and getattr(model, "inputs", None) else None

    def structures(self, functional: Any) -> tuple[Any, Any]:
        return functional._inputs_struct, functional._outputs_struct

    def layer(self, node: Any) -> Any:
        return node.operation

    def tensors(self, node: Any) -> tuple[list[Any], list[Any]]:
        return list(node.input_tensors), list(node.output_tensors)

    def arguments(self, node: Any) -> tuple[Any, Any]:
        return node.arguments.args, node.arguments.kwargs

    def tensor(self, x: Array, like: Any) -> Any:
        return self.keras.ops.convert_to_tensor(x, dtype=like.dtype)

    def array(self, tensor: Any) -> Array:
        return np.asarray(self.keras.ops.convert_to_numpy(tensor))

    def knows_training(self, layer: Any) -> bool:
        return bool(getattr(layer, "_call_has_training_arg", False))

    def function(self, layer: Any) -> str | None:
        return None if isinstance(layer, self.keras.layers.Layer) else type(layer).__name__


def convert(
    model: Any, x_check: Any, *, readout_tau_phi: float = 50.0, dtype: type[np.floating[Any]] = np.float32
) -> SpikingNetwork:
    """Convert a Keras 3 model with AAN or ReLU activations into a spiking network; see ``frontends.convert``.

    Args:
        model: a model built of layers, as for Keras 2; its AAN is ``snntb_adsnn.keras3.AAN``.
        x_check: real inputs, shape (images, *input shape), on which Keras and the result are compared.
        readout_tau_phi: smoothing time constant of the read-out, ms.
        dtype: of the weights and biases.

    Raises:
        ConversionError: something cannot be converted exactly; names the layer, the reason and a way out.
    """
    return convert_with(Keras3(keras), model, x_check, readout_tau_phi, dtype)
