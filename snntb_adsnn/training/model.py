"""What only training needs: the same net with noise, penalties, smooth activations and mixed precision."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from snntb_adsnn.frontends.keras.activation import AAN, PACKAGE
from snntb_adsnn.frontends.keras.compat import keras, tf
from snntb_adsnn.neuron.transfer import smooth_constants

layers: Any = keras.layers


@keras.utils.register_keras_serializable(package=PACKAGE)
class CodingNoise(keras.__internal__.layers.BaseRandomLayer):  # type: ignore[misc]
    """Gaussian noise of the size of the spike coding's own, on active (> 0) units, during training only.

    What one regularly spiking neuron's output looks like at the receiver is a sawtooth of height h around f(S); its
    standard deviation is h/sqrt(12).

    Args:
        factor: multiple of that standard deviation.
        height: the spike height h of the neurons in front.
    """

    def __init__(self, factor: float, height: float, **kwargs: Any) -> None:
        super().__init__(force_generator=True, **kwargs)
        self.factor, self.height = factor, height

    def call(self, x: Any, training: Any = None) -> Any:
        """Activations of any shape, with noise where they are above 0 if ``training``."""
        if not training:
            return x
        size = self.factor * self.height / 12**0.5
        noise = self._random_generator.random_normal(tf.shape(x), stddev=size, dtype=x.dtype)
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


@keras.utils.register_keras_serializable(package=PACKAGE)
class SmoothAAN(keras.__internal__.layers.BaseRandomLayer):  # type: ignore[misc]
    """AAN in inference; in training its smooth form, with activity penalty and coding noise in the same pass.

    At the threshold the exact form is infinitely steep: a few units there drown the gradient of a whole batch, and
    deep nets learn slowly. ``transfer.smooth_constants`` differs by less than the coding noise. The noise is uniform,
    as that of a sawtooth.

    Args:
        activation: the AAN's name.
        coding_noise, activity_penalty: as in ``CodingNoise`` and ``ActivityPenalty``.
    """

    def __init__(
        self, activation: str, coding_noise: float = 0.0, activity_penalty: float = 0.0, **kwargs: Any
    ) -> None:
        super().__init__(force_generator=True, **kwargs)
        self.activation = AAN.from_name(activation)
        self.coding_noise, self.activity_penalty = coding_noise, activity_penalty
        parameters = self.activation.parameters
        n0, n1, n2, d1, d2 = smooth_constants(parameters)
        half = parameters.resting_threshold / 2
        width = coding_noise * self.activation.height

        @tf.custom_gradient  # type: ignore[untyped-decorator]
        def curve(S: Any, seed: Any) -> Any:
            e = tf.nn.relu(S - half)
            y = (n0 + e * (n1 + e * n2)) / (1 + e * (d1 + e * d2))
            if coding_noise:
                y += width * (_hashed_uniform(tf.shape(S), seed) - 0.5)

            def gradient(upstream: Any) -> tuple[Any, None]:
                # computed anew: four times as fast as with what the forward pass would have to store
                e = tf.nn.relu(S - half)
                inverse = 1 / (1 + e * (d1 + e * d2))
                slope = (n1 + 2 * n2 * e - (n0 + e * (n1 + e * n2)) * inverse * (d1 + 2 * d2 * e)) * inverse
                return tf.where(S > half, upstream * slope, 0.0), None

            return tf.where(S > half, y, 0.0), gradient

        self._smooth = tf.function(curve, jit_compile=True)

    def call(self, x: Any, training: Any = None) -> Any:
        """Potentials of any shape as outputs of the same shape."""
        if not training:
            return self.activation(x)
        seed = self._random_generator.random_uniform((), 0, 2**31 - 1, dtype=tf.int32)
        y = self._smooth(x, tf.cast(seed, tf.uint32))
        if self.activity_penalty:
            self.add_loss(self.activity_penalty * tf.reduce_sum(y) / tf.cast(tf.shape(x)[0], x.dtype))
        return y

    def get_config(self) -> dict[str, Any]:
        """Arguments to make the layer again."""
        keys = ("coding_noise", "activity_penalty")
        return {**super().get_config(), "activation": self.activation.name, **{key: getattr(self, key) for key in keys}}


def _hashed_uniform(shape: Any, seed: Any) -> Any:
    """Numbers in [0, 1) from a hash of each position and the seed: XLA fuses it, where a generator takes four passes.

    The constants are those of C. Wellons's ``lowbias32`` (2018).
    """
    h = tf.cast(tf.reshape(tf.range(tf.reduce_prod(shape)), shape), tf.uint32) + seed
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
        h = tf.bitwise.bitwise_xor(h, tf.bitwise.right_shift(h, tf.constant(shift, tf.uint32)))
        h *= tf.constant(factor, tf.uint32)
    h = tf.bitwise.bitwise_xor(h, tf.bitwise.right_shift(h, tf.constant(16, tf.uint32)))
    return tf.cast(tf.cast(tf.bitwise.right_shift(h, tf.constant(8, tf.uint32)), tf.int32), tf.float32) * 2.0**-24


def training_model(
    model: Any,
    *,
    coding_noise: float = 0.0,
    activity_penalty: float = 0.0,
    augmentation: bool = False,
    precision: str = "float32",
    smooth: bool = False,
) -> Any:
    """The same net as ``model`` with the layers that only training needs.

    ``model`` itself stays free of them. Layers with weights are shared with it, except where ``precision`` is mixed:
    then ``copy_weights`` brings the weights from one to the other. Max pooling moves in front of the activation: AAN
    is monotone, so the values are the same, but there, as in the spiking net, each pooled unit is one neuron, with
    one noise (and a quarter of the arithmetic).

    Args:
        model: a net from ``build``.
        coding_noise: factor of ``CodingNoise`` behind each AAN; 0 is off.
        activity_penalty: weight of the mean output of all neurons in the loss; 0 is off.
        augmentation: random shifts (2 pixels in 28), turns (about 10 degrees) and zooms (10 %) of the input image.
        precision: dtype policy of convolutions and dense layers.
        smooth: train with ``SmoothAAN``.
    """
    x = inputs = layers.Input(model.input_shape[1:])
    if augmentation:
        # what comes in from outside the image is black
        x = layers.RandomTranslation(2 / 28, 2 / 28, fill_mode="constant")(x)
        x = layers.RandomRotation(0.03, fill_mode="constant")(x)
        x = layers.RandomZoom(0.1, 0.1, fill_mode="constant")(x)
    neurons = neuron_count(model)

    def apply(layer: Any, x: Any) -> Any:
        activation = getattr(layer, "activation", None)
        if not isinstance(activation, AAN):
            return _in_precision(layer, precision)(x)
        if smooth:
            return SmoothAAN(activation.name, coding_noise, activity_penalty / neurons)(x)
        x = layer(x)
        if activity_penalty:
            x = ActivityPenalty(activity_penalty / neurons)(x)
        return CodingNoise(coding_noise, activation.height)(x) if coding_noise else x

    return keras.Model(inputs, _pooling_first(model, x, apply), name=f"{model.name}_training")


def copy_weights(learner: Any, model: Any) -> None:
    """Give ``model`` the weights of the ``training_model`` made of it."""
    for layer in model.layers:
        if layer.weights:
            layer.set_weights(learner.get_layer(layer.name).get_weights())


def _in_precision(layer: Any, precision: str) -> Any:
    """``layer`` itself, or what stands for it in training."""
    if isinstance(layer, layers.Dropout):
        # with a generator of its own, which a resumed training can set
        return layers.Dropout(layer.rate, force_generator=True)
    heavy = isinstance(layer, layers.Conv2D | layers.MaxPooling2D | layers.Dense)
    # the loss is computed in float32
    if precision == "float32" or not heavy or getattr(layer, "activation", None) is keras.activations.softmax:
        return layer
    twin = type(layer).from_config({**layer.get_config(), "dtype": precision})
    if layer.weights:
        twin.build(layer.input_shape)
        twin.set_weights(layer.get_weights())
    return twin


def neuron_count(model: Any) -> int:
    """Number of spiking neurons that a net becomes: units of each AAN, after the pooling that follows."""
    count = 0

    def apply(layer: Any, shape: Any) -> Any:
        nonlocal count
        shape = layer.compute_output_shape(shape)
        if isinstance(getattr(layer, "activation", None), AAN):
            count += math.prod(shape[1:])
        return shape

    _pooling_first(model, tuple(model.input_shape), apply)
    return count


def _pooling_first(model: Any, x: Any, apply: Callable[[Any, Any], Any]) -> Any:
    """Walk through the net's layers with ``apply(layer, inputs)``, each AAN and the max pooling right behind it in
    exchanged order; returns what the last layer gave."""
    calls = [call for depth in sorted(model._nodes_by_depth, reverse=True) for call in model._nodes_by_depth[depth]]
    values = {id(model.inputs[0]): x}
    waiting: dict[int, Any] = {}
    for call in calls:
        layer = call.outbound_layer
        if isinstance(layer, layers.InputLayer):
            continue
        inputs = [values[id(tensor)] for tensor in call.keras_inputs]
        x = inputs[0] if len(inputs) == 1 else inputs
        following = [c.outbound_layer for c in calls if any(t is call.outputs for t in c.keras_inputs)]
        pools = len(following) == 1 and isinstance(following[0], layers.MaxPooling2D)
        if isinstance(layer, layers.Activation) and isinstance(layer.activation, AAN) and pools:
            waiting[id(call.outputs)] = layer
        else:
            x = apply(layer, x)
            for tensor in call.keras_inputs:
                if id(tensor) in waiting:
                    x = apply(waiting[id(tensor)], x)
        values[id(call.outputs)] = x
    return values[id(model.outputs[0])]
