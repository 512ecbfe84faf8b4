"""Layers and activations that have no spiking equivalent: why, and what to use instead."""

from __future__ import annotations

from typing import Any

from snntb_adsnn.frontends.keras.layers import CONVERTERS
from snntb_adsnn.frontends.keras.trust import PLAIN_FUNCTIONS
from snntb_adsnn.network.outputs import ACTIVATIONS

_ORDER = {"softplus", "softsign", "elu", "selu", "exponential", "log_softmax"}
"""Activations that keep the order of the outputs, and so the decision."""

_TRAIN = "Train with AAN or ReLU in its place."
_IMAGES = "Use the 2D layer, on inputs of shape (length, 1, channels)."
_DATA = "Do that to the images before they are given to the model."
_INSTEAD = {
    **dict.fromkeys(("LeakyReLU", "PReLU", "ELU", "ThresholdedReLU"), _TRAIN),
    **dict.fromkeys(("Conv1D", "SeparableConv1D", "MaxPooling1D", "AveragePooling1D"), _IMAGES),
    **dict.fromkeys(("DepthwiseConv1D", "GlobalAveragePooling1D", "GlobalMaxPooling1D", "UpSampling1D"), _IMAGES),
    **dict.fromkeys(("Resizing", "CenterCrop", "RandomCrop"), _DATA),
    **dict.fromkeys(("LSTM", "GRU", "SimpleRNN", "RNN", "Bidirectional"), "Recurrent layers cannot be converted."),
    "Conv2DTranspose": "Use UpSampling2D and Conv2D.",
    "Average": "Use Add, with the factor in the next layer's weights.",
    **dict.fromkeys(("LayerNormalization", "GroupNormalization", "UnitNormalization"), "Use BatchNormalization."),
}


def unsupported(layer: Any) -> str:
    """Why a layer without a converter is refused, and what to do."""
    kind = type(layer).__name__
    way = _INSTEAD.get(kind)
    if kind == "TFOpLambda":
        function = layer.get_config()["function"]
        same = PLAIN_FUNCTIONS.get(function)
        kind = f"the function {function}"
        way = f"Use the layer keras.layers.{same}." if same else "Use one of Keras' layers in its place."
    if way is None:
        names = ", ".join(sorted(k.__name__ for k in CONVERTERS if not k.__name__.startswith(("Random", "TFOp"))))
        way = (
            f"Supported: {names}. Rebuild the model from these, or register a converter (@converts, "
            "docs/conversion.md, 'A layer of your own')."
        )
    return f"layer {layer.name!r} ({kind}) has no spiking equivalent here. {way}"


def wrong_activation(layer: Any, activation: str, units: int, *, last: bool) -> str:
    """Why a layer's activation is refused, and what to do.

    Args:
        layer: the layer.
        activation: its name.
        units: number of the layer's outputs.
        last: whether the layer is the model's last.
    """
    if not last:
        return (
            f"layer {layer.name!r} has the activation {activation!r}, which an adaptive spiking neuron does not "
            "compute; the converted net would give wrong answers. Train with activation=AAN(m_f=...), or relu, in "
            "every hidden layer."
        )
    known = ", ".join(ACTIVATIONS)
    return (
        f"the last layer, {layer.name!r}, has the activation {activation!r}, which the read-out does not compute: "
        f"train with one of {known}{_order(activation, units)}."
    )


def _order(activation: str, units: int) -> str:
    if activation not in _ORDER or units == 1:
        return ""
    return (
        f"; or set it to linear and save the model again: {activation} keeps the order of the outputs, so that the "
        "largest is the same"
    )
