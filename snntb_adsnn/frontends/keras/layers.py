"""One small converter per Keras layer type: what the layer adds to the graph, its activation left out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from snntb_adsnn.errors import NetworkError, ParameterError
from snntb_adsnn.frontends.keras.compat import keras, tf
from snntb_adsnn.network import maps
from snntb_adsnn.network.maps import Array, Node, Padding, Pair, Shape, Window
from snntb_adsnn.network.maps.cropping import Crop2D
from snntb_adsnn.network.maps.upsampling import UpSample2D
from snntb_adsnn.registry import Registry

L = keras.layers

FunctionLayer = type(tf.nn.relu(L.Input((1,))).node.layer)
"""What Keras makes of a function of TensorFlow that is called between layers; only ReLU is converted."""


def is_relu_function(layer: Any) -> bool:
    """Whether a layer is a call of ``tf.nn.relu``."""
    return type(layer) is FunctionLayer and layer.get_config()["function"] == "nn.relu"


@dataclass(frozen=True)
class KerasLayer:
    """A Keras layer, with the nodes it reads.

    Attributes:
        layer: the Keras layer.
        name: name for its (last) node.
        sources: names of the nodes it reads.
        shapes, output: their shapes and the layer's own, without the batch axis.
    """

    layer: Any
    name: str
    sources: tuple[str, ...]
    shapes: tuple[Shape, ...]
    output: Shape

    @property
    def at(self) -> tuple[str, tuple[str, ...], tuple[Shape, ...]]:
        """The first three arguments of a Node."""
        return self.name, self.sources, self.shapes

    def weight(self, name: str) -> Array:
        """A weight array of the layer as float32."""
        return np.asarray(getattr(self.layer, name).numpy(), np.float32)

    @property
    def bias(self) -> Array | None:
        """The layer's bias, if it has one."""
        return self.weight("bias") if self.layer.use_bias else None

    def window(self, size: Any) -> Window:
        """The layer's window on its (only) input, with explicit padding."""
        layer = self.layer
        _channels_last(layer)
        size, strides = _pair(size), _pair(layer.strides)
        dilation = _pair(getattr(layer, "dilation_rate", 1))
        if layer.padding == "same":
            height, width = self.shapes[0][:2]
            return Window(size, strides, maps.same_padding((height, width), size, strides, dilation), dilation)
        if layer.padding != "valid":
            raise NetworkError(f"padding {layer.padding!r} is not supported; use 'same' or 'valid'.")
        return Window(size, strides, maps.NO_PADDING, dilation)


Converted = list[tuple[Node, Array | None]]
"""Nodes in order, each with the constant that is added to its output."""

Converter = Callable[[KerasLayer], Converted]

CONVERTERS: Registry[type, Converter] = Registry("converter of Keras layer")
"""By the very type of a layer: a subclass may compute something else."""


def converts(*layers: type) -> Callable[[Converter], Converter]:
    """Decorator that registers a function as the converter of Keras layer classes, also of your own.

    The function gets the layer as a ``KerasLayer`` and returns what it computes, its activation left out, as nodes in
    order, each with what is added to its output (a bias) or ``None``. The last one is named ``kept.name`` and has the
    shape ``kept.output``. The layer's attribute ``activation``, where it has one, becomes neurons by itself. No node at
    all is the identity.

    Raises:
        ParameterError: one of the classes has a converter already, or something is no class of layers.
    """
    for layer in layers:
        if not (isinstance(layer, type) and issubclass(layer, L.Layer)):
            raise ParameterError(f"@converts takes classes of Keras layers, as in @converts(Gain); {layer!r} is none.")
    return CONVERTERS.register(*layers)


def _pair(value: Any) -> Pair:
    rows, columns = value if isinstance(value, list | tuple) else (value, value)
    return int(rows), int(columns)


def _channels_last(layer: Any) -> None:
    if getattr(layer, "data_format", "channels_last") != "channels_last":
        raise NetworkError("data_format is channels_first; rebuild the model with channels_last.")


def _need_image(kept: KerasLayer) -> None:
    _channels_last(kept.layer)
    if len(kept.shapes[0]) != 3:
        raise NetworkError(f"needs (height, width, channels), but its input is {kept.shapes[0]}.")


_ONLY_IN_TRAINING = (
    *(L.Dropout, L.SpatialDropout2D, L.GaussianNoise, L.GaussianDropout, L.AlphaDropout, L.ActivityRegularization),
    *(L.RandomFlip, L.RandomRotation, L.RandomTranslation, L.RandomZoom, L.RandomContrast, L.RandomBrightness),
)


@converts(L.Activation, L.Softmax, L.ReLU, FunctionLayer, *_ONLY_IN_TRAINING)
def _nothing(kept: KerasLayer) -> Converted:
    """Identity when not training; an activation is added by the caller."""
    return []


@converts(L.Dense)
def _dense(kept: KerasLayer) -> Converted:
    kernel = kept.weight("kernel")
    if len(kept.shapes[0]) == 3:  # Keras applies it to each pixel
        return [(maps.Conv2D(*kept.at, kernel[None, None], Window((1, 1))), kept.bias)]
    return [(maps.Dense(*kept.at, kernel), kept.bias)]


@converts(L.Conv2D)
def _convolution(kept: KerasLayer) -> Converted:
    _need_image(kept)
    window = kept.window(kept.layer.kernel_size)
    return [(maps.Conv2D(*kept.at, kept.weight("kernel"), window, int(kept.layer.groups)), kept.bias)]


@converts(L.DepthwiseConv2D)
def _depthwise(kept: KerasLayer) -> Converted:
    _need_image(kept)
    return [
        (
            maps.DepthwiseConv2D(*kept.at, kept.weight("depthwise_kernel"), kept.window(kept.layer.kernel_size)),
            kept.bias,
        )
    ]


@converts(L.SeparableConv2D)
def _separable(kept: KerasLayer) -> Converted:
    _need_image(kept)
    depthwise = maps.DepthwiseConv2D(
        f"{kept.name}/depthwise",
        kept.sources,
        kept.shapes,
        kept.weight("depthwise_kernel"),
        kept.window(kept.layer.kernel_size),
    )
    pointwise = maps.Conv2D(
        kept.name, (depthwise.name,), (depthwise.shape,), kept.weight("pointwise_kernel"), Window((1, 1))
    )
    return [(depthwise, None), (pointwise, kept.bias)]


@converts(L.BatchNormalization)
def _batch_normalization(kept: KerasLayer) -> Converted:
    layer = kept.layer
    axes = layer.axis if isinstance(layer.axis, list | tuple) else [layer.axis]
    if list(axes) not in ([-1], [len(kept.shapes[0])]):
        raise NetworkError(f"normalises axis {list(axes)}; only the last axis (channels) is supported.")
    variance = layer.moving_variance.numpy().astype(np.float64)
    # epsilon inside the root, as Keras does
    factors = 1 / np.sqrt(variance + layer.epsilon)
    if layer.scale:
        factors = factors * layer.gamma.numpy()
    shift = -layer.moving_mean.numpy().astype(np.float64) * factors
    if layer.center:
        shift = shift + layer.beta.numpy()
    return [(maps.Scale(*kept.at, factors), shift)]


@converts(L.Rescaling)
def _rescaling(kept: KerasLayer) -> Converted:
    channels = kept.shapes[0][-1]
    factors = np.broadcast_to(np.asarray(kept.layer.scale, np.float64), (channels,)).copy()
    return [(maps.Scale(*kept.at, factors), np.broadcast_to(kept.layer.offset, (channels,)))]


@converts(L.Normalization)
def _normalization(kept: KerasLayer) -> Converted:
    layer, channels = kept.layer, kept.shapes[0][-1:]
    if tuple(layer.axis) not in ((), (-1,), (len(kept.shapes[0]),)):
        raise NetworkError(f"normalises axes {tuple(layer.axis)}; only the last axis (channels) is supported.")
    mean, variance = (np.asarray(v, np.float64).reshape(-1) for v in (layer.mean, layer.variance))
    deviation = np.maximum(np.sqrt(variance), keras.backend.epsilon())
    factors, shift = (deviation, mean) if layer.invert else (1 / deviation, -mean / deviation)
    return [(maps.Scale(*kept.at, np.broadcast_to(factors, channels).copy()), np.broadcast_to(shift, channels))]


@converts(L.MaxPooling2D)
def _max_pooling(kept: KerasLayer) -> Converted:
    _need_image(kept)
    return [(maps.MaxPool2D(*kept.at, kept.window(kept.layer.pool_size)), None)]


@converts(L.AveragePooling2D)
def _average_pooling(kept: KerasLayer) -> Converted:
    _need_image(kept)
    return [(maps.AveragePool2D(*kept.at, kept.window(kept.layer.pool_size)), None)]


def _global(kept: KerasLayer, pooling: type[maps.MaxPool2D] | type[maps.AveragePool2D]) -> Converted:
    _need_image(kept)
    height, width, channels = kept.shapes[0]
    flat: Shape = (1, 1, channels) if kept.layer.keepdims else (channels,)
    pool = pooling(f"{kept.name}/pool", kept.sources, kept.shapes, Window((height, width), (height, width)))
    return [(pool, None), (maps.Reshape(kept.name, (pool.name,), (pool.shape,), flat), None)]


@converts(L.GlobalAveragePooling2D)
def _global_average(kept: KerasLayer) -> Converted:
    return _global(kept, maps.AveragePool2D)


@converts(L.GlobalMaxPooling2D)
def _global_max(kept: KerasLayer) -> Converted:
    return _global(kept, maps.MaxPool2D)


@converts(L.Flatten, L.Reshape)
def _reshape(kept: KerasLayer) -> Converted:
    _channels_last(kept.layer)
    target = tuple(int(n) for n in kept.output)
    return [(maps.Reshape(*kept.at, target), None)]


@converts(L.ZeroPadding2D)
def _zero_padding(kept: KerasLayer) -> Converted:
    _need_image(kept)
    (top, bottom), (left, right) = kept.layer.padding
    padding: Padding = ((int(top), int(bottom)), (int(left), int(right)))
    return [(maps.ZeroPad2D(*kept.at, padding), None)]


@converts(L.Cropping2D)
def _cropping(kept: KerasLayer) -> Converted:
    _need_image(kept)
    (top, bottom), (left, right) = kept.layer.cropping
    margins: Padding = ((int(top), int(bottom)), (int(left), int(right)))
    return [(Crop2D(*kept.at, margins), None)]


@converts(L.UpSampling2D)
def _up_sampling(kept: KerasLayer) -> Converted:
    _need_image(kept)
    if kept.layer.interpolation != "nearest":
        raise NetworkError(f"interpolation {kept.layer.interpolation!r} is not supported; use 'nearest'.")
    return [(UpSample2D(*kept.at, _pair(kept.layer.size)), None)]


@converts(L.Add)
def _add(kept: KerasLayer) -> Converted:
    return [(maps.Add(*kept.at), None)]


@converts(L.Concatenate)
def _concatenate(kept: KerasLayer) -> Converted:
    if kept.layer.axis not in (-1, len(kept.shapes[0])):
        raise NetworkError(f"joins axis {kept.layer.axis}; only the last axis (channels) is supported.")
    return [(maps.Concatenate(*kept.at), None)]
