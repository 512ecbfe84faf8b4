"""What a layer's activation becomes: neurons, populations of several lines, or the end of the network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from snntb_adsnn.errors import NetworkError
from snntb_adsnn.frontends import piecewise
from snntb_adsnn.frontends.keras.functions import ACTIVATIONS, value_of
from snntb_adsnn.frontends.keras.graph import Flavour, Use
from snntb_adsnn.frontends.piecewise import Piecewise
from snntb_adsnn.neuron import ASNParameters
from snntb_adsnn.registry import Registry

_KERAS = ("keras", "tf_keras", "tensorflow")
"""Packages whose functions are what their names say."""


class Adaptive(NamedTuple):
    """AAN: adaptive neurons with these constants and transfer form."""

    parameters: ASNParameters
    form: str


class Named(NamedTuple):
    """An activation that is known by its name only: linear, softmax, or what cannot be converted."""

    name: str


Activation = Adaptive | Piecewise | Named

LINES: Registry[str, Callable[[Flavour, Use], Piecewise]] = Registry("piecewise linear activation")
"""By name, the lines of an activation that some layer uses."""


def activation_of(flavour: Flavour, use: Use) -> Activation:
    """What a layer applies at its end.

    Raises:
        NetworkError: the layer's settings make it something that cannot be converted.
    """
    name = _name(flavour, use)
    if name is None:
        activation: Any = use.layer.activation
        return Adaptive(activation.parameters, activation.form)
    if name == "softmax":
        _need_last_axis(use)
    return LINES[name](flavour, use) if name in LINES else Named(name)


def _need_last_axis(use: Use) -> None:
    axis = value_of(use, "axis", 1, -1)
    axes = list(axis) if isinstance(axis, list | tuple) else [axis]
    if axes not in ([-1], [len(use.shape)], [None]):
        shown = ", ".join(map(str, axes))
        raise NetworkError(f"takes softmax over axis {shown}; only the last axis (channels) is kept. Use axis=-1.")


def _name(flavour: Flavour, use: Use) -> str | None:
    """The activation's name; ``None``: it is an AAN."""
    layer = use.layer
    if (function := flavour.function(layer)) is not None:
        return ACTIVATIONS.get(function, "linear")
    if flavour.owns(layer) and type(layer).__name__ in _LAYERS:
        return _LAYERS[type(layer).__name__]
    activation = getattr(layer, "activation", None)
    if activation is None:
        return "linear"
    if isinstance(getattr(activation, "parameters", None), ASNParameters):
        return None
    name = getattr(activation, "__name__", type(activation).__name__)
    name = str(name).removesuffix("_v2")  # of TensorFlow's functions
    # a function of the user's own may compute something else
    own = str(getattr(activation, "__module__", "")).split(".")[0] not in _KERAS
    return f"{name} (of your own)" if own and (name in LINES or name in ("linear", "softmax")) else name


_LAYERS = {"ReLU": "ReLU", "LeakyReLU": "LeakyReLU", "PReLU": "PReLU", "Softmax": "softmax"}
"""Layers that are activations, and their names here."""


@LINES.register("relu")
def _relu(flavour: Flavour, use: Use) -> Piecewise:
    return piecewise.RELU


@LINES.register("relu6")
def _relu6(flavour: Flavour, use: Use) -> Piecewise:
    return piecewise.clipped(6.0)


@LINES.register("hard_sigmoid")
def _hard_sigmoid(flavour: Flavour, use: Use) -> Piecewise:
    return piecewise.hard_sigmoid(flavour.hard_sigmoid_slope)


@LINES.register("leaky_relu")
def _leaky_relu(flavour: Flavour, use: Use) -> Piecewise:
    slope = 0.2
    if flavour.function(use.layer) is not None:
        slope = value_of(use, "alpha", 1, value_of(use, "negative_slope", 1, slope))
    return piecewise.leaky(float(slope))


@LINES.register("ReLU")
def _relu_layer(flavour: Flavour, use: Use) -> Piecewise:
    layer = use.layer
    if layer.threshold:
        raise NetworkError("jumps at its threshold, which neurons do not do; train with threshold=0.")
    lines = list(piecewise.RELU.lines)
    if layer.max_value is not None:
        lines.append(piecewise.Line(-1.0, shift=-float(layer.max_value)))
    if layer.negative_slope:
        lines.append(piecewise.Line(-float(layer.negative_slope), -1.0))
    return Piecewise(tuple(lines))


@LINES.register("LeakyReLU")
def _leaky_layer(flavour: Flavour, use: Use) -> Piecewise:
    slope = getattr(use.layer, "negative_slope", None)
    return piecewise.leaky(float(use.layer.alpha if slope is None else slope))


@LINES.register("PReLU")
def _parametric_layer(flavour: Flavour, use: Use) -> Piecewise:
    slopes = np.asarray(use.layer.alpha.numpy(), np.float64).reshape(-1, use.layer.alpha.shape[-1])
    if not (slopes == slopes[:1]).all():
        raise NetworkError(
            "has a slope for every pixel, and only one for each channel is converted; train with shared_axes=[1, 2]."
        )
    return piecewise.leaky(slopes[0])
