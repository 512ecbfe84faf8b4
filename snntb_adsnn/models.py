"""The paper's nets and smaller ones of their kind, and the extra layers that only training needs.

All but ``resnet9`` begin with a BN-AAN layer that codes the input in spikes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from snntb_adsnn.activation import AAN, PACKAGE
from snntb_adsnn.config import ARCHITECTURES
from snntb_adsnn.errors import ParameterError
from snntb_adsnn.keras_compat import keras, tf
from snntb_adsnn.transfer import smooth_constants

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


# ---- deep nets -------------------------------------------------------------------------------------------------------
#
# Max pooling stands in front of batch norm and activation: each pooled unit is one neuron. The gains between the two
# must not be negative, or the pooling could not be moved into the neurons.


def _synapses(x: Any, suffix: str, filters: int, size: int, strides: int = 1) -> Any:
    return layers.Conv2D(
        filters, size, strides, padding="same", use_bias=False, kernel_initializer="he_normal", name=f"conv_{suffix}"
    )(x)


def _pool_bn_aan(x: Any, activation: AAN, suffix: str, *, size: int = 2) -> Any:
    x = layers.MaxPooling2D(size, 2, padding="same", name=f"pool_{suffix}")(x)
    return _bn_aan(x, activation, suffix, gamma_constraint="non_neg")


def _image_input(x: Any, activation: AAN) -> Any:
    # channels are centred around 0: lift them out of the silent zone
    return _bn_aan(x, activation, "input", beta_initializer="ones")


# filters of each convolution, and whether pooling follows: early, where pixels are many
_VGG = [(64, True), (96, False), (128, True), (128, False), (192, True), (192, False)]


def _vgg_cifar(x: Any, activation: AAN) -> Any:
    x = _image_input(x, activation)
    for i, (filters, pool) in enumerate(_VGG, 1):
        x = _synapses(x, str(i), filters, 3)
        x = (_pool_bn_aan if pool else _bn_aan)(x, activation, str(i))
    return layers.Dropout(0.2, name="dropout")(layers.Flatten(name="flatten")(x))


def _residual_block(x: Any, activation: AAN, suffix: str, filters: int, strides: int) -> Any:
    """Pre-activation block with identity mapping (He et al. 2016, arXiv 1603.05027); where the shape changes, the
    shortcut is a projection of the block's first activation."""
    first = _bn_aan(x, activation, f"{suffix}a")
    residual = _synapses(first, f"{suffix}a", filters, 3, strides)
    residual = _synapses(_bn_aan(residual, activation, f"{suffix}b"), f"{suffix}b", filters, 3)
    if strides != 1 or x.shape[-1] != filters:
        x = _synapses(first, f"{suffix}s", filters, 1, strides)
    return layers.Add(name=f"add_{suffix}")([x, residual])


def _residual_stages(x: Any, activation: AAN, stages: list[tuple[int, int]]) -> Any:
    """Stages of (filters, blocks), every stage but the first at half the resolution; then the mean over pixels."""
    for stage, (filters, blocks) in enumerate(stages, 1):
        for block in range(1, blocks + 1):
            strides = 2 if stage > 1 and block == 1 else 1
            x = _residual_block(x, activation, f"{stage}{block}", filters, strides)
    x = _bn_aan(x, activation, "last")
    return layers.GlobalAveragePooling2D(name="average")(x)


def _resnet_cifar(x: Any, activation: AAN) -> Any:
    x = _synapses(_image_input(x, activation), "stem", 32, 3)
    x = _pool_bn_aan(x, activation, "stem")
    return _residual_stages(_synapses(x, "embed", 40, 3), activation, [(40, 1), (64, 2), (88, 2)])


def _identity_block(x: Any, activation: AAN, suffix: str, filters: int) -> Any:
    """The input plus what two layers of neurons make of it; a sum of spike trains, not of potentials."""
    residual = x
    for part in "ab":
        residual = _bn_aan(_synapses(residual, f"{suffix}{part}", filters, 3), activation, f"{suffix}{part}")
    return layers.Add(name=f"add_{suffix}")([x, residual])


def _resnet9(x: Any, activation: AAN) -> Any:
    """Four stages, a residual block behind the second and the last: few layers in a row, so that spikes arrive soon.

    The topology is that of D. Page's ResNet-9 (2018, "How to train your ResNet"), half as wide or less. The first
    neurons take in the image through their convolution, as a constant current: spiking colour channels would lose what
    lies below the threshold.
    """
    x = _bn_aan(_synapses(x, "1", 32, 3), activation, "1")
    x = _pool_bn_aan(_synapses(x, "2", 64, 3), activation, "2")
    x = _identity_block(x, activation, "2", 64)
    x = _pool_bn_aan(_synapses(x, "3", 128, 3), activation, "3")
    x = _pool_bn_aan(_synapses(x, "4", 192, 3), activation, "4")
    x = _identity_block(x, activation, "4", 192)
    return layers.GlobalAveragePooling2D(name="average")(x)


def _resnet18(x: Any, activation: AAN) -> Any:
    x = _synapses(_image_input(x, activation), "stem", 64, 7, 2)
    x = _pool_bn_aan(x, activation, "stem", size=3)
    return _residual_stages(x, activation, [(64, 2), (128, 2), (256, 2), (512, 2)])


# name -> (hidden layers, dimensions of one input)
_BUILDERS: Mapping[str, tuple[Callable[[Any, AAN], Any], int]] = {
    "iris": (_tabular(32), 1),
    "sonar": (_tabular(192), 1),
    "digits": (_digits, 3),
    "mnist": (_mnist, 3),
    "mnist_dense": (_mnist_dense, 3),
    "vgg_cifar": (_vgg_cifar, 3),
    "resnet_cifar": (_resnet_cifar, 3),
    "resnet9": (_resnet9, 3),
    "resnet18": (_resnet18, 3),
}
assert tuple(_BUILDERS) == ARCHITECTURES


# ---- layers that only training needs ---------------------------------------------------------------------------------


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
