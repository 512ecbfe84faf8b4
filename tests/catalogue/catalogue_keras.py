"""Models for the cases of ``models.toml`` that Keras builds, and inputs for them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from catalogue import maker


def model(build: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Register a maker for what ``build(keras.layers)`` gives: a model, or the layers between 64 inputs and a softmax
    of 10; the name is the function's."""

    def make(path: Path) -> None:
        from snntb_adsnn.frontends.keras.compat import keras
        from snntb_adsnn.frontends.keras.files import save_model

        keras.backend.clear_session()
        keras.utils.set_random_seed(1)
        made = build(keras.layers)
        if isinstance(made, list):
            made = keras.Sequential([keras.layers.Input((64,)), *made, keras.layers.Dense(10, activation="softmax")])
        if path.suffix == ".h5":
            save_model(made, path)
        else:
            made.save(path)

    make.__name__ = build.__name__
    maker(make)
    return build


def _keras() -> Any:
    from snntb_adsnn.frontends.keras.compat import keras

    return keras


def aan(m_f: float = 0.2) -> Any:
    """An activation."""
    from snntb_adsnn.frontends.keras.activation import AAN

    return AAN(m_f=m_f)


def _built(model: Any) -> Any:
    model.build((None, 64))
    return model


def _lists(**builders: Callable[[Any], Any]) -> None:
    for name, build in builders.items():
        build.__name__ = name
        model(build)


def _image(layers: Any, *between: Any, filters: int = 2) -> list[Any]:
    """An image of 8 x 8 pixels, a convolution, and ``between``."""
    return [layers.Reshape((8, 8, 1)), layers.Conv2D(filters, 3, name="conv"), *between, layers.Flatten()]


def _functional(layers: Any, function: Callable[[Any], Any], units: int = 10) -> Any:
    inputs = layers.Input((64,))
    outputs = layers.Dense(units, activation="softmax", name="out")(function(inputs))
    return _keras().Model(inputs, outputs)


_lists(
    # activations
    tanh=lambda L: [L.Dense(4, "tanh", name="hidden")],
    gelu=lambda L: [L.Dense(4, "gelu", name="hidden")],
    swish=lambda L: [L.Dense(4, "swish", name="hidden")],
    elu_layer=lambda L: [L.Dense(4), L.ELU(name="hidden")],
    leaky=lambda L: [L.Dense(4), L.LeakyReLU(name="hidden")],
    prelu=lambda L: [L.Dense(4), L.PReLU(name="hidden")],
    relu_6=lambda L: [L.Dense(4), L.ReLU(6.0, name="hidden")],
    relu_threshold=lambda L: [L.Dense(4), L.ReLU(threshold=0.5, name="hidden")],
    softmax_inside=lambda L: [L.Dense(4, "softmax"), L.Dense(4, aan())],
    nothing_spikes=lambda L: [L.Dense(4)],
    relu_function=lambda L: _functional(L, lambda x: __import__("tensorflow").nn.relu(L.Dense(4)(x))),
    relu_tensorflow=lambda L: [L.Dense(4, __import__("tensorflow").nn.relu)],
    add_function=lambda L: _functional(L, lambda x: L.Dense(4, "relu")(x) + L.Dense(4, "relu")(x)),
    sigmoid_out=lambda L: _keras().Sequential([L.Input((64,)), L.Dense(4, aan()), L.Dense(10, "sigmoid", name="out")]),
    gelu_out=lambda L: _keras().Sequential([L.Input((64,)), L.Dense(4, aan()), L.Dense(10, "gelu", name="out")]),
    one_sigmoid=lambda L: _keras().Sequential([L.Input((64,)), L.Dense(4, aan()), L.Dense(1, "sigmoid", name="out")]),
    one_linear=lambda L: _keras().Sequential([L.Input((64,)), L.Dense(4, aan()), L.Dense(1, name="out")]),
    spiking_out=lambda L: _keras().Sequential([L.Input((64,)), L.Dense(4, aan()), L.Dense(10, aan(), name="out")]),
    linear_out=lambda L: _keras().Sequential([L.Input((64,)), L.Dense(4, aan()), L.Dense(10, name="out")]),
    # layers
    conv_1d=lambda L: [L.Reshape((8, 8)), L.Conv1D(2, 3, activation=aan(), name="hidden"), L.Flatten()],
    causal=lambda L: [L.Reshape((8, 8)), L.Conv1D(2, 3, padding="causal", name="hidden"), L.ReLU(), L.Flatten()],
    conv_3d=lambda L: [L.Reshape((4, 4, 4, 1)), L.Conv3D(2, 2, activation=aan(), name="hidden"), L.Flatten()],
    transposed=lambda L: _image(L, L.Conv2DTranspose(2, 2, activation=aan(), name="hidden")),
    dilated=lambda L: _image(L, L.ReLU(), L.Conv2D(2, 2, dilation_rate=2, activation=aan())),
    grouped=lambda L: _image(L, L.ReLU(), L.Conv2D(4, 2, groups=2, activation=aan())),
    channels_first=lambda L: [
        L.Reshape((1, 8, 8)),
        L.ZeroPadding2D(data_format="channels_first", name="hidden"),
        L.Flatten(),
        L.Dense(4, aan()),
    ],
    recurrent=lambda L: [L.Reshape((8, 8)), L.SimpleRNN(4, name="hidden"), L.ReLU()],
    nested=lambda L: [_keras().Sequential([L.Input((64,)), L.Dense(4, aan())], name="inner")],
    shared=lambda L: _functional(L, lambda x: (lambda d: d(d(x)))(L.Dense(64, aan(), name="twice"))),
    wrapper=lambda L: [L.Reshape((8, 8)), L.TimeDistributed(L.Dense(4), name="wrapper"), L.ReLU(), L.Flatten()],
    layer_norm=lambda L: [L.Dense(4, aan()), L.LayerNormalization(name="hidden")],
    multiply=lambda L: _functional(L, lambda x: L.Multiply(name="both")([L.Dense(4, "relu")(x), L.Dense(4, aan())(x)])),
    rows=lambda L: [L.Reshape((8, 8)), L.Dense(4, aan(), name="hidden"), L.Flatten()],
    bilinear=lambda L: _image(L, L.ReLU(), L.UpSampling2D(interpolation="bilinear", name="up")),
    noise_only=lambda L: [L.GaussianNoise(0.1), L.Dense(4, aan()), L.Dropout(0.5)],
    image_out=lambda L: _keras().Sequential(
        [L.Input((64,)), L.Reshape((8, 8, 1)), L.Conv2D(2, 3, activation=aan()), L.Conv2D(10, 1, name="out")]
    ),
    # what comes before the first layer
    rescaling=lambda L: [L.Rescaling(1 / 16), L.Dense(4, aan())],
    normalization=lambda L: [L.Normalization(mean=0.3, variance=0.1), L.Dense(4, aan())],
    flips=lambda L: [L.Reshape((8, 8, 1)), L.RandomFlip(), L.RandomRotation(0.1), L.Flatten(), L.Dense(4, aan())],
    resizing=lambda L: [L.Reshape((8, 8, 1)), L.Resizing(4, 4, name="small"), L.Flatten(), L.Dense(4, aan())],
    # max pooling
    pool_behind_norm=lambda L: _image(L, L.Activation(aan()), L.BatchNormalization(), L.MaxPooling2D(name="pool")),
    pool_behind_padding=lambda L: _image(L, L.ReLU(), L.ZeroPadding2D(), L.MaxPooling2D(3, 2)),
    pool_of_linear=lambda L: _image(L, L.MaxPooling2D(name="pool"), L.Conv2D(2, 2), L.ReLU()),
    pool_of_input=lambda L: [L.Reshape((8, 8, 1)), L.MaxPooling2D(name="pool"), L.Conv2D(2, 2), L.ReLU(), L.Flatten()],
    pool_twice=lambda L: _image(L, L.ReLU(), L.MaxPooling2D(2), L.MaxPooling2D(2, name="pool")),
    pool_at_the_end=lambda L: _keras().Sequential(
        [L.Input((64,)), L.Reshape((8, 8, 1)), L.Conv2D(10, 2, activation=aan()), L.GlobalMaxPooling2D()]
    ),
    norms_in_a_row=lambda L: _image(L, L.ZeroPadding2D(), L.BatchNormalization(), L.BatchNormalization(), L.ReLU()),
    activation_twice=lambda L: [L.Dense(4, "relu"), L.ReLU(), L.Activation("relu")],
    activation_of_input=lambda L: [L.Activation(aan()), L.Dense(4, aan())],
    # names and sizes
    slashes=lambda L: [L.Dense(4, aan(), name="block/../1")],
    long_name=lambda L: [L.Dense(4, aan(), name="n" * 300)],
    named_readout=lambda L: [L.Dense(4, aan(), name="readout")],
    any_size=lambda L: _keras().Sequential(
        [L.Input((None, None, 1)), L.Conv2D(2, 3, activation=aan()), L.GlobalAveragePooling2D(), L.Dense(10, "softmax")]
    ),
    images=lambda L: _keras().Sequential(
        [L.Input((8, 8, 1)), L.Conv2D(2, 3, activation=aan()), L.Flatten(), L.Dense(10, "softmax")]
    ),
    five_classes=lambda L: _functional(L, L.Dense(4, aan()), 5),
    thousand_classes=lambda L: _functional(L, L.Dense(4, aan()), 1000),
    only_input=lambda L: _keras().Model(*[L.Input((64,), name="x")] * 2),
    only_softmax=lambda L: [],
    built_later=lambda L: _built(_keras().Sequential([L.Dense(4, aan()), L.Dense(10, "softmax")])),
    # types
    half=lambda L: [L.Dense(4, aan(), dtype="mixed_float16"), L.Dense(4, "relu", dtype="mixed_float16")],
    brain=lambda L: [L.Dense(4, aan(), dtype="mixed_bfloat16"), L.Dense(4, "relu", dtype="mixed_bfloat16")],
    double=lambda L: [L.Dense(4, aan(), dtype="float64")],
)


@model
def two_outputs(layers: Any) -> Any:
    inputs = layers.Input((64,))
    hidden = layers.Dense(4, aan())(inputs)
    return _keras().Model(inputs, [layers.Dense(10, "softmax")(hidden), layers.Dense(2)(hidden)])


@model
def two_inputs(layers: Any) -> Any:
    inputs = [layers.Input((64,)), layers.Input((64,))]
    hidden = layers.Dense(4, aan())(layers.Add()(inputs))
    return _keras().Model(inputs, layers.Dense(10, "softmax")(hidden))


@model
def pool_of_both(layers: Any) -> Any:
    """Max pooling of two branches, as in Inception nets."""

    def body(x: Any) -> Any:
        x = layers.Reshape((8, 8, 1))(x)
        both = [layers.Conv2D(2, 3, activation=aan())(x), layers.ReLU()(layers.Conv2D(3, 3)(x))]
        return layers.Flatten()(layers.MaxPooling2D()(layers.BatchNormalization()(layers.Concatenate()(both))))

    return _functional(layers, body)


@model
def residual(layers: Any) -> Any:
    """An activation behind a sum, and one behind a concatenation."""

    def body(x: Any) -> Any:
        first = layers.Dense(4, aan())(x)
        total = layers.Activation(aan())(layers.Add()([first, layers.Dense(4)(first)]))
        return layers.Activation("relu")(layers.Concatenate()([total, layers.Dense(2)(total)]))

    return _functional(layers, body)


@model
def negative_gains(layers: Any) -> Any:
    made = _keras().Sequential(
        [
            layers.Input((64,)),
            layers.Reshape((8, 8, 1)),
            layers.Conv2D(2, 3, activation=aan()),
            layers.BatchNormalization(name="norm"),
            layers.MaxPooling2D(name="pool"),
            layers.Flatten(),
            layers.Dense(10, activation="softmax"),
        ]
    )
    gamma, *others = made.get_layer("norm").get_weights()
    made.get_layer("norm").set_weights([-gamma, *others])
    return made


@model
def silent(layers: Any) -> Any:
    """Nothing spikes: all weights are 0."""
    made = _keras().Sequential([layers.Input((64,)), layers.Dense(4, aan()), layers.Dense(10, activation="softmax")])
    made.set_weights([0 * w for w in made.get_weights()])
    return made


@model
def overflowing(layers: Any) -> Any:
    """ReLU layers whose values pass what float32 holds."""
    made = _keras().Sequential([layers.Input((64,)), *(layers.Dense(4, "relu") for _ in "ab"), layers.Dense(10)])
    made.set_weights([1e30 * w for w in made.get_weights()])
    return made


# ---- data ------------------------------------------------------------------------------------------------------------


def _inputs(name: str, change: Callable[[Any], Any]) -> None:
    def make(path: Path) -> None:
        x = np.load(path)["arr_0"]
        np.savez_compressed(path, change(x))

    make.__name__ = name
    maker(make)


_inputs("huge_pixels", lambda x: x * np.float32(1e20))
_inputs("bytes", lambda x: np.round(255 * x / x.max()).astype(np.uint8))
_inputs("inputs_as_images", lambda x: x.reshape(-1, 8, 8, 1))
_inputs("transposed_images", lambda x: x.reshape(-1, 1, 8, 8))


@maker
def calibration(path: Path) -> None:
    """Inputs for calibration: the test inputs."""
    shutil.copy(path.with_name("x_test.npz"), path)


# ---- Keras 3 ---------------------------------------------------------------------------------------------------------


def _keras_3(path: Path, *between: Any) -> None:
    _keras()  # TensorFlow's own Keras stays Keras 2
    import keras

    keras.utils.set_random_seed(1)
    L = keras.layers
    hidden = L.Dense(4, "relu", name="hidden")
    keras.Sequential([L.Input((64,)), hidden, *between, L.Dense(10, "softmax")]).save(path)


@maker
def keras_3(path: Path) -> None:
    """A net that Keras 3 saves."""
    _keras_3(path)


@maker
def keras_3_lambda(path: Path) -> None:
    """One with code in it."""
    _keras()
    import keras

    _keras_3(path, keras.layers.Lambda(lambda x: x, name="lambda"))
