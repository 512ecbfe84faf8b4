"""Functions that people call between layers (``x + y``, ``tf.nn.relu6(x)``, ``keras.ops.multiply(x, 2)``)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from snntb_adsnn.errors import NetworkError
from snntb_adsnn.frontends.keras.graph import Slot, Use
from snntb_adsnn.frontends.keras.layers import Converted, KerasLayer, node_shape
from snntb_adsnn.network import maps
from snntb_adsnn.network.maps import Array
from snntb_adsnn.registry import Registry

Function = Callable[[KerasLayer, Use], Converted]

FUNCTIONS: Registry[str, Function] = Registry("converter of a function between layers")
"""By the name of a function: TensorFlow's (in Keras 2), or the class of Keras 3's operation."""

ACTIVATIONS = {
    **{"nn.relu": "relu", "Relu": "relu", "nn.relu6": "relu6", "Relu6": "relu6"},
    **{"nn.leaky_relu": "leaky_relu", "LeakyRelu": "leaky_relu", "HardSigmoid": "hard_sigmoid"},
    **{"nn.softmax": "softmax", "Softmax": "softmax", "math.sigmoid": "sigmoid", "Sigmoid": "sigmoid"},
}
"""Functions that are activations, and their names there."""


def value_of(use: Use, name: str, index: int, default: Any) -> Any:
    """A value given to a function: by name, in place ``index`` of its arguments, or kept by Keras 3's operation."""
    if name in use.keywords:
        return use.keywords[name]
    if index < len(use.arguments):
        return use.arguments[index]
    return getattr(use.layer, name, default)


def _operands(kept: KerasLayer, use: Use) -> list[str | Array]:
    """The two operands: a node's name each, or a constant."""
    given = [*use.arguments, *(use.keywords[key] for key in ("x", "y", "x1", "x2") if key in use.keywords)][:2]
    names = dict(zip(use.inputs, kept.sources, strict=True))
    return [names[one.key] if isinstance(one, Slot) else _constant(one, kept) for one in given]


def _constant(value: Any, kept: KerasLayer) -> Array:
    array = np.asarray(value, np.float64)
    if array.ndim > len(kept.output):
        if array.shape[0] != 1:
            raise NetworkError("has a constant for each image of a batch.")
        array = array[0]
    if np.broadcast_shapes(array.shape, kept.output) != kept.output:
        raise NetworkError(f"stretches its input to the shape of a constant, {array.shape}.")
    return array


def _factors(value: Array, kept: KerasLayer) -> Array:
    """A factor for each channel."""
    spread = np.broadcast_to(value, kept.output).reshape(-1, kept.output[-1])
    if not (spread == spread[:1]).all():
        raise NetworkError("multiplies the pixels of a channel by different factors; only one a channel is kept.")
    return spread[0].copy()


def _scaled(kept: KerasLayer, name: str, source: str, factors: Array) -> maps.Scale:
    return maps.Scale(name, (source,), (kept.output,), factors)


def _sum(kept: KerasLayer, use: Use, sign: float) -> Converted:
    one, other = _operands(kept, use)
    ones = np.ones(kept.output[-1:])
    if isinstance(one, str) and isinstance(other, str):
        if len(set(kept.shapes)) > 1:
            raise NetworkError(f"its inputs have the shapes {', '.join(map(str, kept.shapes))}; they must be alike.")
        nodes: Converted = []
        if sign < 0:
            nodes.append((_scaled(kept, f"{kept.name}/minus", other, -ones), None))
            other = f"{kept.name}/minus"
        return [*nodes, (maps.Add(kept.name, (one, other), (kept.output,) * 2), None)]
    if isinstance(one, str):
        return [(_scaled(kept, kept.name, one, ones), sign * np.asarray(other))]
    assert isinstance(other, str)
    return [(_scaled(kept, kept.name, other, sign * ones), one)]


@FUNCTIONS.register("math.add", "__operators__.add", "Add", "nn.bias_add")
def _add(kept: KerasLayer, use: Use) -> Converted:
    return _sum(kept, use, 1.0)


@FUNCTIONS.register("math.subtract", "Subtract")
def _subtract(kept: KerasLayer, use: Use) -> Converted:
    return _sum(kept, use, -1.0)


@FUNCTIONS.register("math.multiply", "Multiply")
def _multiply(kept: KerasLayer, use: Use) -> Converted:
    one, other = _operands(kept, use)
    if isinstance(one, str) and isinstance(other, str):
        raise NetworkError("multiplies two values that depend on the input, which no linear map does.")
    source, factor = (one, other) if isinstance(one, str) else (other, one)
    return [(_scaled(kept, kept.name, str(source), _factors(np.asarray(factor, np.float64), kept)), None)]


@FUNCTIONS.register("math.truediv", "TrueDivide", "Divide")
def _divide(kept: KerasLayer, use: Use) -> Converted:
    one, other = _operands(kept, use)
    if not isinstance(one, str) or isinstance(other, str):
        raise NetworkError("divides by a value that depends on the input, which no linear map does.")
    return [(_scaled(kept, kept.name, one, 1 / _factors(other, kept)), None)]


@FUNCTIONS.register("math.negative", "Negative")
def _negate(kept: KerasLayer, use: Use) -> Converted:
    return [(maps.Scale(*kept.at, -np.ones(kept.output[-1:])), None)]


@FUNCTIONS.register("concat", "Concatenate")
def _concatenate(kept: KerasLayer, use: Use) -> Converted:
    axis = value_of(use, "axis", 1, -1)
    if axis not in (-1, kept.ranks[0]):
        raise NetworkError(f"joins axis {axis}; only the last axis (channels) is supported.")
    return [(maps.Concatenate(*kept.at), None)]


@FUNCTIONS.register("reshape", "Reshape")
def _reshape(kept: KerasLayer, use: Use) -> Converted:
    return [(maps.Reshape(*kept.at, node_shape(use.shape)), None)]
