"""Small models of Keras, made by the layers of Keras 2 or Keras 3: what people bring."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

MODELS: dict[str, Any] = {}
"""By name, a function of ``Made`` that returns a model."""


def net(make):
    MODELS[make.__name__] = make
    return make


class Made(SimpleNamespace):
    """What models are made of: ``keras``, its layers ``L``, and functions between layers."""

    @property
    def L(self):
        return self.keras.layers

    def chain(self, *layers):
        return self.keras.Sequential(list(layers))

    def head(self, x):
        """Flatten, and a dense layer at the end."""
        return self.L.Dense(3)(self.L.Flatten()(x))


def weighted(model: Any, seed: int = 0) -> Any:
    """The model with random weights of one size; no population stays silent."""
    random = np.random.default_rng(seed)
    for weights in model.weights:
        name = getattr(weights, "path", weights.name)
        if "seed" in name:
            continue
        values = random.normal(0, 0.4, weights.shape)
        weights.assign(np.abs(values) + 0.5 if "variance" in name else values)
    return model


def inputs_of(model: Any, images: int = 5, seed: int = 1) -> Any:
    """Random inputs: an array, or a list of arrays."""
    random = np.random.default_rng(seed)
    found = [random.normal(0.3, 1, (images, *tensor.shape[1:])).astype(np.float32) for tensor in model.inputs]
    return found[0] if len(found) == 1 else found


@net
def series(k):
    """1-D layers, as for an ECG."""
    L = k.L
    return k.chain(
        *(L.Input((24, 2)), L.Conv1D(6, 3, padding="causal", dilation_rate=2), L.BatchNormalization(), L.ReLU()),
        *(L.MaxPooling1D(2), L.SeparableConv1D(5, 3, activation="relu"), L.AveragePooling1D(2), L.UpSampling1D(2)),
        *(L.ZeroPadding1D((1, 2)), L.Cropping1D((0, 1)), L.Conv1D(4, 3, strides=2, groups=1, activation="relu")),
        *(L.GlobalMaxPooling1D(), L.Dense(3, activation="softmax")),
    )


@net
def series_averaged(k):
    L = k.L
    return k.chain(
        *(L.Input((12, 4)), L.DepthwiseConv1D(3, depth_multiplier=2, activation="relu"), L.Permute((2, 1))),
        *(L.Dense(5, activation="relu"), L.GlobalAveragePooling1D(), L.RepeatVector(3), L.Conv1D(2, 2)),
        *(L.Activation("relu"), L.Flatten(), L.Dense(3)),
    )


@net
def transposed(k):
    """Transposed convolutions of every padding, with strides below and above the kernel's size."""
    L = k.L
    return k.chain(
        *(L.Input((5, 4, 3)), L.Conv2DTranspose(4, 3, strides=2, activation="relu")),
        *(L.Conv2DTranspose(3, 2, strides=3, padding="same", activation="relu"),),
        *(L.Conv2DTranspose(2, (5, 4), strides=(2, 1), padding="same", activation="relu"),),
        *(L.Conv2DTranspose(2, 2, strides=3, use_bias=False, activation="relu"),),
        *(L.Cropping2D(((1, 2), (0, 3))), L.AveragePooling2D(4), L.Flatten(), L.Dense(3)),
    )


@net
def transposed_series(k):
    L = k.L
    return k.chain(L.Input((5, 4)), L.Conv1DTranspose(4, 3, strides=2, activation="relu"), L.Flatten(), L.Dense(3))


@net
def lines(k):
    """Activations that are sums of lines, in layers of their own and inside others."""
    L = k.L
    return k.chain(
        *(L.Input((5, 4, 3)), L.Rescaling(0.5, 0.1), L.Conv2D(4, 3, activation="relu6"), L.ReLU(2.0, 0.1)),
        *(L.LeakyReLU(0.3), L.PReLU(shared_axes=[1, 2]), L.Conv2D(4, 2, activation="hard_sigmoid")),
        *(L.Flatten(), L.Dense(5, activation="leaky_relu"), L.Dense(3, activation="softmax")),
    )


@net
def nested(k):
    """A model in a model, which is used twice, and a layer that is used twice."""
    L = k.L
    x = L.Input((6,))
    dense = L.Dense(6, activation="relu")
    inner = k.chain(L.Input((6,)), L.Dense(5, activation="relu"), L.Dense(6, activation="relu"))
    one = dense(x)
    two = dense(one)
    both = L.Add()([inner(two), inner(one)])
    return k.keras.Model(x, L.Dense(3)(both))


@net
def functions(k):
    """Functions between layers."""
    L = k.L
    x = L.Input((6,))
    one = L.Dense(6, activation="relu")(x)
    two = L.Dense(6, activation="relu")(one)
    three = (one + two) * 2.0 - one / 4.0 + 1.0
    four = k.leaky(L.Subtract()([three, two]), 0.1)
    five = L.Average()([four, 2.0 - two, one])
    return k.keras.Model(x, L.Dense(3)(k.join([five, k.relu6(L.Dense(4)(five))])))


@net
def pooled_anywhere(k):
    """Max pooling with no neuron near, twice in a row, of single pixels, over negative values."""
    L = k.L
    x = L.Input((9, 9, 2))
    y = L.Conv2D(4, 3, activation="relu")(x)
    side = L.Conv2D(4, 1, strides=2, padding="same")(y)
    y = L.MaxPooling2D(3, 2, padding="same")(L.BatchNormalization()(L.Conv2D(4, 3, padding="same")(y)))
    y = L.Activation("relu")(L.Add()([y, side]))
    y = L.MaxPooling2D(2)(L.MaxPooling2D(2, 1)(y))
    return k.keras.Model(x, k.head(L.MaxPooling2D(1, 2)(y)))


@net
def pooled_input(k):
    """What only the input reaches: max pooling and tanh there, read in two places."""
    L = k.L
    x = L.Input((8, 8, 2))
    y = L.Conv2D(3, 3, activation="tanh")(x)
    pooled = L.MaxPooling2D(3, 2, padding="same")(y)
    hidden = L.Conv2D(3, 1, activation="relu")(L.BatchNormalization()(pooled))
    joined = L.Concatenate()([L.Flatten()(L.Add()([hidden, pooled])), L.Flatten()(y)])
    return k.keras.Model(x, L.Dense(3)(joined))


@net
def two_inputs(k):
    L = k.L
    image, series_ = L.Input((4, 4, 1), name="image"), L.Input((5, 3), name="series")
    parts = [L.Conv2D(2, 2, activation="relu")(image), L.Conv1D(3, 2, activation="relu")(series_)]
    joined = L.Concatenate()([L.Flatten()(part) for part in parts])
    return k.keras.Model([image, series_], L.Dense(3)(L.Dense(4, activation="relu")(joined)))
