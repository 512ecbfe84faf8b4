"""The paper's small nets, each with a BN-AAN layer standing first, and the extra layers that only training needs."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from snntb_adsnn.activation import AAN, PACKAGE
from snntb_adsnn.config import ARCHITECTURES
from snntb_adsnn.errors import ParameterError
from snntb_adsnn.keras_compat import keras, tf

layers: Any = keras.layers


# ---- the nets --------------------------------------------------------------------------------------------------------


def build(architecture: str, input_shape: tuple[int, ...], classes: int, activation: AAN) -> Any:
    """A Keras model of standard layers and AAN only, untrained.

    Args:
        architecture: a name in ``ARCHITECTURES``.
        input_shape: shape of one input.
        classes: number of classes; the last layer is a softmax over them.
        activation: of every hidden layer.

    Raises:
        ParameterError: unknown name, or an input shape that the net cannot take.
    """
    if architecture not in _BUILDERS:
        raise ParameterError(f"architecture {architecture!r} is unknown: choose one of {', '.join(ARCHITECTURES)}.")
    builder, rank = _BUILDERS[architecture]
    if len(input_shape) != rank:
        raise ParameterError(
            f"architecture {architecture!r} takes inputs of {rank} dimension(s), not of shape {input_shape}; "
            "choose another architecture or data set."
        )
    x = inputs = layers.Input(input_shape, name="input")
    try:
        x = builder(x, activation)
    except ValueError as error:
        raise ParameterError(
            f"architecture {architecture!r} cannot take inputs of shape {input_shape}: {error}"
        ) from None
    outputs = layers.Dense(classes, activation="softmax", name="output")(x)
    return keras.Model(inputs, outputs, name=architecture)


def _bn_aan(x: Any, activation: AAN, suffix: str, **normalization: Any) -> Any:
    x = layers.BatchNormalization(name=f"bn_{suffix}", **normalization)(x)
    return layers.Activation(activation, name=f"aan_{suffix}")(x)


def _dense(x: Any, activation: AAN, suffix: str, units: int, **normalization: Any) -> Any:
    x = layers.Dense(units, use_bias=False, name=f"dense_{suffix}")(x)
    return _bn_aan(x, activation, suffix, **normalization)


def _conv(x: Any, activation: AAN, suffix: str, filters: int, size: int, *, pool: bool = True) -> Any:
    x = layers.Conv2D(filters, size, use_bias=False, name=f"conv_{suffix}")(x)
    x = _bn_aan(x, activation, suffix)
    return layers.MaxPooling2D(name=f"pool_{suffix}")(x) if pool else x


def _tabular(*hidden: int) -> Callable[[Any, AAN], Any]:
    def net(x: Any, activation: AAN) -> Any:
        # values below the mean carry as much as those above: lift them out of the silent zone;
        # an epoch has few batches here: let the moving averages follow quickly
        x = _bn_aan(x, activation, "input", beta_initializer="ones", momentum=0.9)
        for i, units in enumerate(hidden, 1):
            x = _dense(x, activation, str(i), units, momentum=0.9)
        return x

    return net


def _digits(x: Any, activation: AAN) -> Any:
    x = _bn_aan(x, activation, "input")
    x = _conv(x, activation, "1", 16, 3, pool=False)
    x = _conv(x, activation, "2", 32, 3)
    return layers.Flatten(name="flatten")(x)


def _mnist(x: Any, activation: AAN) -> Any:
    # the batch-norm puts the black background below 0, where neurons are silent
    x = _bn_aan(x, activation, "input")
    x = _conv(x, activation, "1", 24, 5)
    x = _conv(x, activation, "2", 48, 5)
    return layers.Flatten(name="flatten")(x)


def _mnist_dense(x: Any, activation: AAN) -> Any:
    x = _bn_aan(x, activation, "input")
    return _dense(layers.Flatten(name="flatten")(x), activation, "1", 128)


# name -> (hidden layers, dimensions of one input)
_BUILDERS: Mapping[str, tuple[Callable[[Any, AAN], Any], int]] = {
    "iris": (_tabular(32), 1),
    "sonar": (_tabular(192), 1),
    "digits": (_digits, 3),
    "mnist": (_mnist, 3),
    "mnist_dense": (_mnist_dense, 3),
}
assert tuple(_BUILDERS) == ARCHITECTURES


# ---- layers that only training needs ---------------------------------------------------------------------------------


@keras.utils.register_keras_serializable(package=PACKAGE)
class CodingNoise(layers.Layer):  # type: ignore[misc]
    """Gaussian noise of the size of the spike coding's own, on active (> 0) units, during training only.

    What one regularly spiking neuron's output looks like at the receiver is a sawtooth of height h around f(S); its
    standard deviation is h/sqrt(12).

    Args:
        factor: multiple of that standard deviation.
        height: the spike height h of the neurons in front.
    """

    def __init__(self, factor: float, height: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.factor, self.height = factor, height

    def call(self, x: Any, training: Any = None) -> Any:
        """Activations of any shape, with noise where they are above 0 if ``training``."""
        if not training:
            return x
        noise = tf.random.normal(tf.shape(x), stddev=self.factor * self.height / 12**0.5, dtype=x.dtype)
        return x + tf.where(x > 0, noise, tf.zeros_like(noise))

    def get_config(self) -> dict[str, Any]:
        """Arguments to make the layer again."""
        return {**super().get_config(), "factor": self.factor, "height": self.height}


@keras.utils.register_keras_serializable(package=PACKAGE)
class ActivityPenalty(layers.Layer):  # type: ignore[misc]
    """Adds ``weight`` times the summed activation of one input (mean over the batch) to the loss; passes x on."""

    def __init__(self, weight: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.weight = weight

    def call(self, x: Any) -> Any:
        """Activations of shape (batch, ...), unchanged."""
        self.add_loss(self.weight * tf.reduce_sum(x) / tf.cast(tf.shape(x)[0], x.dtype))
        return x

    def get_config(self) -> dict[str, Any]:
        """Arguments to make the layer again."""
        return {**super().get_config(), "weight": self.weight}


def training_model(
    model: Any, *, coding_noise: float = 0.0, activity_penalty: float = 0.0, augmentation: bool = False
) -> Any:
    """The same net as ``model``, on the same weights, with the layers that only training needs.

    ``model`` itself stays free of them: what is trained here is trained there. Max pooling moves in front of the
    activation: AAN is monotone, so the values are the same, but there, as in the spiking net, each pooled unit is
    one neuron, with one noise (and a quarter of the arithmetic).

    Args:
        model: a chain of layers from ``build``.
        coding_noise: factor of ``CodingNoise`` behind each AAN; 0 is off.
        activity_penalty: weight of the mean output of all neurons in the loss; 0 is off.
        augmentation: random shifts (2 pixels in 28), turns (about 10 degrees) and zooms (10 %) of the input image.
    """
    chain = _pooling_first(model.layers[1:])
    x = inputs = layers.Input(model.input_shape[1:])
    if augmentation:
        # what comes in from outside the image is black
        x = layers.RandomTranslation(2 / 28, 2 / 28, fill_mode="constant")(x)
        x = layers.RandomRotation(0.03, fill_mode="constant")(x)
        x = layers.RandomZoom(0.1, 0.1, fill_mode="constant")(x)
    neurons = neuron_count(model)
    for layer in chain:
        x = layer(x)
        activation = getattr(layer, "activation", None)
        if isinstance(activation, AAN):
            if activity_penalty:
                x = ActivityPenalty(activity_penalty / neurons)(x)
            if coding_noise:
                x = CodingNoise(coding_noise, activation.height)(x)
    return keras.Model(inputs, x, name=f"{model.name}_training")


def neuron_count(model: Any) -> int:
    """Number of spiking neurons that a chain of layers becomes: units of each AAN, after the pooling that follows."""
    count, shape = 0, tuple(model.input_shape)
    for layer in _pooling_first(model.layers[1:]):
        shape = tuple(layer.compute_output_shape(shape))
        if isinstance(getattr(layer, "activation", None), AAN):
            count += math.prod(shape[1:])
    return count


def _pooling_first(chain: list[Any]) -> list[Any]:
    """The chain with each AAN and the max pooling right behind it in exchanged order."""
    chain = list(chain)
    for i in range(len(chain) - 1):
        if isinstance(getattr(chain[i], "activation", None), AAN) and isinstance(chain[i + 1], layers.MaxPooling2D):
            chain[i], chain[i + 1] = chain[i + 1], chain[i]
    return chain
