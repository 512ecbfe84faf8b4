"""Layers and activations that have no spiking equivalent: why, and what to use instead."""

from __future__ import annotations

from typing import Any

from snntb_adsnn.frontends.keras.functions import FUNCTIONS
from snntb_adsnn.network.outputs import ACTIVATIONS

_ORDER = {"softplus", "softsign", "elu", "selu", "exponential", "log_softmax"}
"""Activations that keep the order of the outputs, and so the decision."""

_TRAIN = "Train with AAN or ReLU in its place."
_DATA = "Do that to the images before they are given to the model."
_INSTEAD = {
    **dict.fromkeys(("ELU", "ThresholdedReLU"), _TRAIN),
    **dict.fromkeys(("Resizing", "CenterCrop", "RandomCrop"), _DATA),
    **dict.fromkeys(("LSTM", "GRU", "SimpleRNN", "RNN", "Bidirectional"), "Recurrent layers cannot be converted."),
    **dict.fromkeys(("LayerNormalization", "GroupNormalization", "UnitNormalization"), "Use BatchNormalization."),
}


def unsupported(layer: Any, function: str | None) -> str:
    """Why a layer without a converter is refused, and what to do.

    Args:
        layer: the layer.
        function: the function that it stands for, if it is none of Keras' layers.
    """
    kind = type(layer).__name__
    way = _INSTEAD.get(kind)
    if function is not None:
        kind = f"the function {function}"
        way = f"Use one of Keras' layers in its place; of functions between layers {', '.join(_SHORT)} are known."
    if way is None:
        way = (
            "Rebuild the model from the layers that docs/conversion.md lists ('What becomes what'), or register a "
            "converter (@converts, 'A layer of your own' there)."
        )
    return f"layer {layer.name!r} ({kind}) has no spiking equivalent here. {way}"


_SHORT = sorted({name.rpartition(".")[2] for name in FUNCTIONS if name[0].islower()})


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
