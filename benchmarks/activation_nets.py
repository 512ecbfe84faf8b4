"""The small nets of ``benchmarks.activation``, for Keras 2 and Keras 3: images of 8 x 8 x 1, ten classes.

Batch norms forget as fast as PyTorch's (a momentum of 0.9): 25 epochs have only 1,125 steps, and at Keras' 0.99 the
moving averages lag so far behind that the accuracy depends on the moment, with ReLU too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from snntb_adsnn.registry import Registry

CLASSES = 10
NETS: Registry[str, Callable[[Any, Any], Any]] = Registry("net")


class _Layers:
    """Layers of one Keras, with the activation under test."""

    def __init__(self, keras: Any, activation: Any) -> None:
        self.keras, self.layers, self.activation = keras, keras.layers, activation

    def act(self, x: Any) -> Any:
        return self.layers.Activation(self.activation)(x)

    def norm(self, x: Any) -> Any:
        return self.layers.BatchNormalization(momentum=0.9)(x)

    def conv(self, x: Any, width: int, size: int = 3, strides: int = 1) -> Any:
        return self.norm(self.layers.Conv2D(width, size, strides, padding="same", use_bias=False)(x))

    def model(self, inputs: Any, x: Any) -> Any:
        return self.keras.Model(inputs, self.layers.Dense(CLASSES, activation="softmax")(x))


@NETS.register("dense")
def dense(keras: Any, activation: Any) -> Any:
    net = _Layers(keras, activation)
    inputs = net.layers.Input((8, 8, 1))
    x = net.layers.Flatten()(inputs)
    for width in (64, 32):
        x = net.act(net.layers.Dense(width)(x))
    return net.model(inputs, x)


@NETS.register("convolution")
def convolution(keras: Any, activation: Any) -> Any:
    net = _Layers(keras, activation)
    inputs = net.layers.Input((8, 8, 1))
    x = net.layers.MaxPooling2D(2)(net.act(net.conv(inputs, 8)))
    x = net.act(net.conv(x, 16))
    return net.model(inputs, net.layers.Flatten()(x))


@NETS.register("depthwise")
def depthwise(keras: Any, activation: Any) -> Any:
    net = _Layers(keras, activation)
    inputs = net.layers.Input((8, 8, 1))
    x = net.act(net.conv(inputs, 16, strides=2))
    x = net.act(net.norm(net.layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x)))
    x = net.act(net.conv(x, 32, 1))
    return net.model(inputs, net.layers.Flatten()(net.layers.AveragePooling2D(2)(x)))


@NETS.register("residual")
def residual(keras: Any, activation: Any) -> Any:
    net = _Layers(keras, activation)
    inputs = net.layers.Input((8, 8, 1))
    x = net.act(net.conv(inputs, 12, strides=2))
    for _ in range(2):
        x = net.act(net.layers.Add()([x, net.conv(net.act(net.conv(x, 12)), 12)]))
    return net.model(inputs, net.layers.GlobalAveragePooling2D()(x))


@NETS.register("series")
def series(keras: Any, activation: Any) -> Any:
    """The rows of the image, one after the other: eight steps of eight values."""
    net = _Layers(keras, activation)
    inputs = net.layers.Input((8, 8, 1))
    x = net.layers.Reshape((8, 8))(inputs)
    for _ in range(2):
        x = net.act(net.norm(net.layers.Conv1D(24, 3, padding="same", use_bias=False)(x)))
    return net.model(inputs, net.layers.GlobalAveragePooling1D()(x))
