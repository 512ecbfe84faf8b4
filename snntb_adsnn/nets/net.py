"""The registry of nets, what they are built of, and ``build``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from snntb_adsnn.errors import ParameterError
from snntb_adsnn.registry import Registry


@dataclass(frozen=True)
class Layers:
    """What nets are built of: Keras' layers with the activation that all hidden layers of a net share.

    Each method takes a Keras tensor and returns one; ``suffix`` ends the layers' names.

    Attributes:
        keras: the module ``keras.layers``.
        activation: an ``AAN``.
    """

    keras: Any
    activation: Any

    def bn_aan(self, x: Any, suffix: str, **normalization: Any) -> Any:
        """Batch norm and activation."""
        x = self.keras.BatchNormalization(name=f"bn_{suffix}", **normalization)(x)
        return self.keras.Activation(self.activation, name=f"aan_{suffix}")(x)

    def dense(self, x: Any, suffix: str, units: int, **normalization: Any) -> Any:
        """Dense layer, batch norm, activation."""
        x = self.keras.Dense(units, use_bias=False, name=f"dense_{suffix}")(x)
        return self.bn_aan(x, suffix, **normalization)

    def conv(self, x: Any, suffix: str, filters: int, size: int, *, pool: bool = True) -> Any:
        """Convolution without padding, batch norm, activation, and max pooling where asked for."""
        x = self.keras.Conv2D(filters, size, use_bias=False, name=f"conv_{suffix}")(x)
        x = self.bn_aan(x, suffix)
        return self.keras.MaxPooling2D(name=f"pool_{suffix}")(x) if pool else x

    def flatten(self, x: Any) -> Any:
        """All values of an input in a row."""
        return self.keras.Flatten(name="flatten")(x)

    def average(self, x: Any) -> Any:
        """The mean over pixels."""
        return self.keras.GlobalAveragePooling2D(name="average")(x)

    # ---- for deep nets: max pooling stands in front of batch norm and activation, so that each pooled unit is one
    # ---- neuron; the gains between the two must not be negative, or the pooling could not be moved into the neurons

    def synapses(self, x: Any, suffix: str, filters: int, size: int, strides: int = 1) -> Any:
        """Padded convolution alone."""
        return self.keras.Conv2D(
            filters,
            size,
            strides,
            padding="same",
            use_bias=False,
            kernel_initializer="he_normal",
            name=f"conv_{suffix}",
        )(x)

    def pool_bn_aan(self, x: Any, suffix: str, *, size: int = 2) -> Any:
        """Max pooling, batch norm, activation."""
        x = self.keras.MaxPooling2D(size, 2, padding="same", name=f"pool_{suffix}")(x)
        return self.bn_aan(x, suffix, gamma_constraint="non_neg")

    def image_input(self, x: Any) -> Any:
        """Spikes that code an image whose channels are centred around 0: it lifts them out of the silent zone."""
        return self.bn_aan(x, "input", beta_initializer="ones")


@dataclass(frozen=True)
class Net:
    """An entry of ``NETS``.

    Attributes:
        hidden: from layers and the input tensor to the last hidden tensor.
        dimensions: of one input.
    """

    hidden: Callable[[Layers, Any], Any]
    dimensions: int


NETS: Registry[str, Net] = Registry("architecture")
"""All nets, by the name that ``[training] architecture`` takes."""

_Hidden = Callable[[Layers, Any], Any]


def architecture(name: str, *, dimensions: int) -> Callable[[_Hidden], _Hidden]:
    """Decorator of a function that builds a net's hidden layers: makes it known as ``[training] architecture = name``.

    The function takes ``Layers`` and the input tensor, and returns what goes into the last layer.

    Args:
        name: of the net.
        dimensions: of one input: 3 for images, 1 for rows of a table.

    Raises:
        ParameterError: the name is taken.
    """

    def register(hidden: _Hidden) -> _Hidden:
        NETS.add(name, Net(hidden, dimensions))
        return hidden

    return register


_TOO_SMALL = ("Negative dimension size", "is <= 0 due to downsampling")
"""What Keras says where nothing of an image is left."""


def build(architecture: str, input_shape: tuple[int, ...], classes: int, activation: Any) -> Any:
    """A Keras model of standard layers and AAN only, untrained.

    Args:
        architecture: a name in ``NETS``.
        input_shape: shape of one input.
        classes: number of classes; the last layer is a softmax over them.
        activation: of every hidden layer, an ``AAN``.

    Raises:
        ParameterError: unknown name, or an input shape that the net cannot take.
    """
    from snntb_adsnn.frontends.keras.compat import keras

    net = NETS.find(architecture)
    if len(input_shape) != net.dimensions:
        raise ParameterError(
            f"architecture {architecture!r} takes inputs of {net.dimensions} dimension(s), not of shape {input_shape}; "
            "choose another architecture or data set."
        )
    x = inputs = keras.layers.Input(input_shape, name="input")
    try:
        x = net.hidden(Layers(keras.layers, activation), x)
    except ValueError as error:
        small = any(words in str(error) for words in _TOO_SMALL)
        why = "they are too small for its layers; give larger ones, or choose another architecture." if small else error
        raise ParameterError(
            f"architecture {architecture!r} cannot take inputs of shape {input_shape}: {why}"
        ) from None
    outputs = keras.layers.Dense(classes, activation="softmax", name="output")(x)
    return keras.Model(inputs, outputs, name=architecture)
