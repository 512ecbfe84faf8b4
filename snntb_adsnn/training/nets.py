"""The paper's nets and smaller ones of their kind.

All but ``resnet9`` begin with a BN-AAN layer that codes the input in spikes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from snntb_adsnn.config.training import ARCHITECTURES
from snntb_adsnn.errors import ParameterError
from snntb_adsnn.frontends.keras.activation import AAN
from snntb_adsnn.frontends.keras.compat import keras

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


# filters of each convolution, and whether pooling follows
_VGG = [(32, False), (64, True), (128, True), (128, False), (192, True), (192, False)]


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
