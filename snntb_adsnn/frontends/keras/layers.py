"""One small converter per Keras layer type: what the layer adds to the graph, its activation left out.

Keras 2 and Keras 3 name their layers and weights alike, so that one converter serves both. This imports neither.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from snntb_adsnn.errors import NetworkError, ParameterError
from snntb_adsnn.network import maps
from snntb_adsnn.network.maps import Array, Node, Padding, Pair, Shape, Window
from snntb_adsnn.network.maps.cropping import Crop2D
from snntb_adsnn.network.maps.permutation import Permute
from snntb_adsnn.network.maps.spreading import Spread2D
from snntb_adsnn.network.maps.upsampling import UpSample2D
from snntb_adsnn.registry import Registry


def node_shape(shape: tuple[int | None, ...]) -> Shape:
    """Shape of the node that computes a tensor: that of the tensor, where a series of shape (length, channels) is an
    image of one row."""
    known = tuple(n if n is None else int(n) for n in shape)
    return (1, *known) if len(known) == 2 else known  # type: ignore[return-value]


@dataclass(frozen=True)
class KerasLayer:
    """A Keras layer, with the nodes it reads.

    Attributes:
        layer: the Keras layer.
        name: name for its (last) node.
        sources: names of the nodes it reads.
        shapes, output: their shapes and the layer's own, without the batch axis; a series of shape (length, channels)
            is an image of one row, (1, length, channels).
        ranks: number of axes that Keras' inputs have, without the batch axis.
    """

    layer: Any
    name: str
    sources: tuple[str, ...]
    shapes: tuple[Shape, ...]
    output: Shape
    ranks: tuple[int, ...] = (3,)

    @property
    def at(self) -> tuple[str, tuple[str, ...], tuple[Shape, ...]]:
        """The first three arguments of a Node."""
        return self.name, self.sources, self.shapes

    def weight(self, name: str) -> Array:
        """A weight array of the layer as float32."""
        return np.asarray(getattr(self.layer, name).numpy(), np.float32)

    def kernel(self, *names: str) -> Array:
        """The first of these weights that the layer has; one of a series gets a row."""
        array = self.weight(next(name for name in names if hasattr(self.layer, name)))
        return array[None] if array.ndim == 3 else array

    @property
    def bias(self) -> Array | None:
        """The layer's bias, if it has one."""
        return self.weight("bias") if self.layer.use_bias else None

    def pair(self, value: Any) -> Pair:
        """A number for rows and one for columns; 1 for the rows of a series."""
        values = tuple(value) if isinstance(value, list | tuple) else (value,) * (1 if self.ranks[0] == 2 else 2)
        rows, columns = values if len(values) == 2 else (1, *values)
        return int(rows), int(columns)

    def margins(self, value: Any) -> Padding:
        """What a layer adds to, or cuts from, the sides; nothing from the one row of a series."""
        if self.ranks[0] == 2:
            start, end = value
            return (0, 0), (int(start), int(end))
        (top, bottom), (left, right) = value
        return (int(top), int(bottom)), (int(left), int(right))

    def window(self, size: Any) -> Window:
        """The layer's window on its (only) input, with explicit padding."""
        layer = self.layer
        _channels_last(layer)
        size, strides = self.pair(size), self.pair(layer.strides)
        dilation = self.pair(getattr(layer, "dilation_rate", 1))
        if layer.padding == "same":
            height, width = self.shapes[0][:2]
            return Window(size, strides, maps.same_padding((height, width), size, strides, dilation), dilation)
        if layer.padding == "causal":
            return Window(size, strides, ((0, 0), ((size[1] - 1) * dilation[1], 0)), dilation)
        if layer.padding != "valid":
            raise NetworkError(f"padding {layer.padding!r} is not supported; use 'same' or 'valid'.")
        return Window(size, strides, maps.NO_PADDING, dilation)


Converted = list[tuple[Node, Array | None]]
"""Nodes in order, each with the constant that is added to its output."""

Converter = Callable[[KerasLayer], Converted]

CONVERTERS: Registry[type, Converter] = Registry("converter of Keras layer")
"""Of layers of the user's own, by their very type: a subclass may compute something else."""

BUILT_IN: Registry[str, Converter] = Registry("converter of Keras' own layer")
"""Of Keras' own layers, by their names."""


def converts(*layers: type) -> Callable[[Converter], Converter]:
    """Decorator that registers a function as the converter of Keras layer classes of your own.

    The function gets the layer as a ``KerasLayer`` and returns what it computes, its activation left out, as nodes in
    order, each with what is added to its output (a bias) or ``None``. The last one is named ``kept.name`` and has the
    shape ``kept.output``. The layer's attribute ``activation``, where it has one, becomes neurons by itself. No node at
    all is the identity.

    Raises:
        ParameterError: one of the classes has a converter already, or something is no class of layers.
    """
    for layer in layers:
        if not (isinstance(layer, type) and any(_is_layer_class(kind) for kind in layer.__mro__)):
            raise ParameterError(f"@converts takes classes of Keras layers, as in @converts(Gain); {layer!r} is none.")
        if _is_keras(layer) and layer.__name__ in BUILT_IN:
            raise ParameterError(f"there is a converter of Keras' own {layer.__name__} already.")
    return CONVERTERS.register(*layers)


def _is_keras(kind: type) -> bool:
    return kind.__module__.split(".")[0] in ("keras", "tf_keras")


def _is_layer_class(kind: type) -> bool:
    return kind.__name__ == "Layer" and _is_keras(kind)


def _channels_last(layer: Any) -> None:
    if getattr(layer, "data_format", "channels_last") not in ("channels_last", None):
        raise NetworkError("data_format is channels_first; rebuild the model with channels_last.")


def _need_image(kept: KerasLayer) -> None:
    _channels_last(kept.layer)
    if len(kept.shapes[0]) != 3:
        raise NetworkError(f"needs (height, width, channels), but its input is {kept.shapes[0]}.")


def _need_last_axis(does: str, axis: Any, kept: KerasLayer) -> None:
    """``does``: what the layer does along ``axis``."""
    axes = list(axis) if isinstance(axis, list | tuple) else [axis]
    if axes not in ([-1], [kept.ranks[0]]):
        shown = ", ".join(map(str, axes))
        which = "axis" if len(axes) == 1 else "axes"
        raise NetworkError(f"{does} {which} {shown}; only the last axis (channels) is supported.")


@BUILT_IN.register(
    *("Activation", "Softmax", "ReLU", "LeakyReLU", "PReLU"),
    *("Dropout", "SpatialDropout1D", "SpatialDropout2D", "GaussianNoise", "GaussianDropout", "AlphaDropout"),
    *("ActivityRegularization", "RandomFlip", "RandomRotation", "RandomTranslation", "RandomZoom", "RandomContrast"),
    *("RandomBrightness", "Identity"),
)
def _nothing(kept: KerasLayer) -> Converted:
    """Identity when not training; an activation is added by the caller."""
    return []


@BUILT_IN.register("Dense")
def _dense(kept: KerasLayer) -> Converted:
    kernel = kept.weight("kernel")
    if len(kept.shapes[0]) == 3:  # Keras applies it to each pixel
        return [(maps.Conv2D(*kept.at, kernel[None, None], Window((1, 1))), kept.bias)]
    return [(maps.Dense(*kept.at, kernel), kept.bias)]


@BUILT_IN.register("Conv1D", "Conv2D")
def _convolution(kept: KerasLayer) -> Converted:
    _need_image(kept)
    window = kept.window(kept.layer.kernel_size)
    return [(maps.Conv2D(*kept.at, kept.kernel("kernel"), window, int(kept.layer.groups)), kept.bias)]


@BUILT_IN.register("DepthwiseConv1D", "DepthwiseConv2D")
def _depthwise(kept: KerasLayer) -> Converted:
    _need_image(kept)
    weights = kept.kernel("depthwise_kernel", "kernel")
    return [(maps.DepthwiseConv2D(*kept.at, weights, kept.window(kept.layer.kernel_size)), kept.bias)]


@BUILT_IN.register("SeparableConv1D", "SeparableConv2D")
def _separable(kept: KerasLayer) -> Converted:
    _need_image(kept)
    window = kept.window(kept.layer.kernel_size)
    depthwise = maps.DepthwiseConv2D(
        f"{kept.name}/depthwise", kept.sources, kept.shapes, kept.kernel("depthwise_kernel"), window
    )
    pointwise = maps.Conv2D(
        kept.name, (depthwise.name,), (depthwise.shape,), kept.kernel("pointwise_kernel"), Window((1, 1))
    )
    return [(depthwise, None), (pointwise, kept.bias)]


@BUILT_IN.register("Conv1DTranspose", "Conv2DTranspose")
def _transposed_convolution(kept: KerasLayer) -> Converted:
    """The image with zeros between its pixels, under a convolution with the kernel turned round.

    Output i * stride + k - before gets kernel[k] times input i (the gradient of a convolution).
    """
    _need_image(kept)
    kernel = kept.kernel("kernel")
    size, strides, dilation = kernel.shape[:2], kept.pair(kept.layer.strides), kept.pair(kept.layer.dilation_rate)
    sides = []
    for n, k, s, d, out in zip(kept.shapes[0], size, strides, dilation, kept.output, strict=False):
        extent = (k - 1) * d + 1
        before = max((n - 1) * s + extent - out, 0) // 2 if kept.layer.padding == "same" else 0
        sides.append((extent - 1 - before, out - ((n - 1) * s + 1 - before)))
    spread = Spread2D(f"{kept.name}/spread", kept.sources, kept.shapes, strides)
    turned = kernel[::-1, ::-1].swapaxes(2, 3).copy()
    window = Window((size[0], size[1]), (1, 1), (sides[0], sides[1]), dilation)
    return [(spread, None), (maps.Conv2D(kept.name, (spread.name,), (spread.shape,), turned, window), kept.bias)]


@BUILT_IN.register("BatchNormalization")
def _batch_normalization(kept: KerasLayer) -> Converted:
    layer = kept.layer
    _need_last_axis("normalises", layer.axis, kept)
    variance = layer.moving_variance.numpy().astype(np.float64)
    # epsilon inside the root, as Keras does
    factors = 1 / np.sqrt(variance + layer.epsilon)
    if layer.scale:
        factors = factors * layer.gamma.numpy()
    shift = -layer.moving_mean.numpy().astype(np.float64) * factors
    if layer.center:
        shift = shift + layer.beta.numpy()
    return [(maps.Scale(*kept.at, factors), shift)]


@BUILT_IN.register("Rescaling")
def _rescaling(kept: KerasLayer) -> Converted:
    channels = kept.shapes[0][-1]
    factors = np.broadcast_to(np.asarray(kept.layer.scale, np.float64), (channels,)).copy()
    return [(maps.Scale(*kept.at, factors), np.broadcast_to(kept.layer.offset, (channels,)))]


@BUILT_IN.register("Normalization")
def _normalization(kept: KerasLayer) -> Converted:
    layer, channels = kept.layer, kept.shapes[0][-1:]
    axes = tuple(layer.axis or ()) if isinstance(layer.axis, list | tuple | None) else (layer.axis,)
    if axes:
        _need_last_axis("normalises", axes, kept)
    mean, variance = (np.asarray(v, np.float64).reshape(-1) for v in (layer.mean, layer.variance))
    deviation = np.maximum(np.sqrt(variance), 1e-7)  # Keras' epsilon
    factors, shift = (deviation, mean) if layer.invert else (1 / deviation, -mean / deviation)
    return [(maps.Scale(*kept.at, np.broadcast_to(factors, channels).copy()), np.broadcast_to(shift, channels))]


@BUILT_IN.register("MaxPooling1D", "MaxPooling2D")
def _max_pooling(kept: KerasLayer) -> Converted:
    _need_image(kept)
    return [(maps.MaxPool2D(*kept.at, kept.window(kept.layer.pool_size)), None)]


@BUILT_IN.register("AveragePooling1D", "AveragePooling2D")
def _average_pooling(kept: KerasLayer) -> Converted:
    _need_image(kept)
    return [(maps.AveragePool2D(*kept.at, kept.window(kept.layer.pool_size)), None)]


def _global(kept: KerasLayer, pooling: type[maps.MaxPool2D] | type[maps.AveragePool2D]) -> Converted:
    _need_image(kept)
    height, width, _ = kept.shapes[0]
    pool = pooling(f"{kept.name}/pool", kept.sources, kept.shapes, Window((height, width), (height, width)))
    return [(pool, None), (maps.Reshape(kept.name, (pool.name,), (pool.shape,), kept.output), None)]


@BUILT_IN.register("GlobalAveragePooling1D", "GlobalAveragePooling2D")
def _global_average(kept: KerasLayer) -> Converted:
    return _global(kept, maps.AveragePool2D)


@BUILT_IN.register("GlobalMaxPooling1D", "GlobalMaxPooling2D")
def _global_max(kept: KerasLayer) -> Converted:
    return _global(kept, maps.MaxPool2D)


@BUILT_IN.register("Flatten", "Reshape")
def _reshape(kept: KerasLayer) -> Converted:
    _channels_last(kept.layer)
    return [(maps.Reshape(*kept.at, kept.output), None)]


@BUILT_IN.register("RepeatVector")
def _repeat(kept: KerasLayer) -> Converted:
    pixel = maps.Reshape(f"{kept.name}/pixel", kept.sources, kept.shapes, (1, 1, *kept.shapes[0]))
    return [(pixel, None), (UpSample2D(kept.name, (pixel.name,), (pixel.shape,), (1, int(kept.layer.n))), None)]


@BUILT_IN.register("Permute")
def _permute(kept: KerasLayer) -> Converted:
    axes = [int(axis) - 1 for axis in kept.layer.dims]
    if kept.ranks[0] == 2:
        axes = [0, *(axis + 1 for axis in axes)]  # the one row stays where it is
    return [(Permute(*kept.at, tuple(axes)), None)]


@BUILT_IN.register("ZeroPadding1D", "ZeroPadding2D")
def _zero_padding(kept: KerasLayer) -> Converted:
    _need_image(kept)
    return [(maps.ZeroPad2D(*kept.at, kept.margins(kept.layer.padding)), None)]


@BUILT_IN.register("Cropping1D", "Cropping2D")
def _cropping(kept: KerasLayer) -> Converted:
    _need_image(kept)
    return [(Crop2D(*kept.at, kept.margins(kept.layer.cropping)), None)]


@BUILT_IN.register("UpSampling1D", "UpSampling2D")
def _up_sampling(kept: KerasLayer) -> Converted:
    _need_image(kept)
    if (how := getattr(kept.layer, "interpolation", "nearest")) != "nearest":
        raise NetworkError(f"interpolation {how!r} is not supported; use 'nearest'.")
    return [(UpSample2D(*kept.at, kept.pair(kept.layer.size)), None)]


def _need_alike(kept: KerasLayer) -> None:
    if len(set(kept.shapes)) > 1:
        shapes = ", ".join(map(str, kept.shapes))
        raise NetworkError(f"its inputs have the shapes {shapes}, and only inputs of one shape are taken together.")


@BUILT_IN.register("Add")
def _add(kept: KerasLayer) -> Converted:
    _need_alike(kept)
    return [(maps.Add(*kept.at), None)]


@BUILT_IN.register("Average")
def _average(kept: KerasLayer) -> Converted:
    _need_alike(kept)
    total = maps.Add(f"{kept.name}/sum", kept.sources, kept.shapes)
    share = np.full(total.shape[-1:], 1 / len(kept.sources))
    return [(total, None), (maps.Scale(kept.name, (total.name,), (total.shape,), share), None)]


@BUILT_IN.register("Subtract")
def _subtract(kept: KerasLayer) -> Converted:
    _need_alike(kept)
    (one, other), (shape, _) = kept.sources, kept.shapes
    minus = maps.Scale(f"{kept.name}/minus", (other,), (shape,), -np.ones(shape[-1:]))
    return [(minus, None), (maps.Add(kept.name, (one, minus.name), (shape, shape)), None)]


@BUILT_IN.register("Concatenate")
def _concatenate(kept: KerasLayer) -> Converted:
    _need_last_axis("joins", kept.layer.axis, kept)
    return [(maps.Concatenate(*kept.at), None)]
