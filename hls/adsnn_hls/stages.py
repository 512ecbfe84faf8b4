"""A network in fixed point as plain data: a chain of stages that C++ and RTL are generated from.

All numbers are raw words (see ``fixed``); what is computed with them, in which order and with which roundings, is
docs/fixed-point.md, which the golden model executes. A fresh state is all zeros.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from adsnn_hls.fixed import FixedType, Words
from snntb_adsnn.errors import NetworkError, ParameterError
from snntb_adsnn.network.linear import Shape, Window
from snntb_adsnn.record import Format

_WORD = 62  # bits that an intermediate result may have: the golden model computes in int64


@dataclass(frozen=True, eq=False)
class FixedNeurons:
    """The spiking part of a stage: filter, pooling, threshold, adaptation.

    Attributes:
        input_shape: shape of I and V: (neurons,) or (height, width, channels) before pooling.
        pool: max pooling of V, or ``None``.
        bias: raw words of ``bias_type``, shape (channels,) or ``shape``.
        current, potential: types of I and V, signed; one I and V for each input.
        refractory, adaptation: types of S_hat and theta_a, unsigned: both are sums of positive numbers.
        bias_type: signed; as many fraction bits as ``potential``.
        coefficient: unsigned type of the factors below.
        k_beta, k_eta, k_gamma: decay factors of I, S_hat and theta_a.
        g_phi: 1 - k_phi.
        m_gamma: m_f * k_gamma: adaptation is added and decays in one product.
        theta0: resting threshold, with ``adaptation.fraction`` bits right of the point; positive.
    """

    input_shape: Shape
    pool: Window | None
    bias: Words
    current: FixedType
    potential: FixedType
    refractory: FixedType
    adaptation: FixedType
    bias_type: FixedType
    coefficient: FixedType
    k_beta: int
    k_eta: int
    k_gamma: int
    g_phi: int
    m_gamma: int
    theta0: int

    FACTORS: ClassVar[tuple[str, ...]] = ("k_beta", "g_phi", "k_eta", "k_gamma", "m_gamma")

    def __post_init__(self) -> None:
        _words(self, "bias")
        if self.bias.shape not in (self.shape, self.shape[-1:]):
            raise NetworkError(f"bias of shape {self.bias.shape} fits neither {self.shape} nor {self.shape[-1:]}.")
        _check_range("bias", self.bias, self.bias_type)
        if self.bias_type.fraction != self.potential.fraction:
            raise NetworkError("the bias needs the potential's binary point.")
        _check_signs(
            self, signed=("current", "potential", "bias_type"), unsigned=("refractory", "adaptation", "coefficient")
        )
        for name in self.FACTORS:
            _check_range(name, getattr(self, name), self.coefficient)
        one = 1 << max(self.coefficient.fraction, 0)
        for name in ("k_beta", "g_phi", "k_eta", "k_gamma"):
            if not 0 <= getattr(self, name) <= one:
                raise NetworkError(f"{name} = {getattr(self, name)} is not between 0 and 1 ({one}).")
        if self.theta0 < 1:
            raise NetworkError("theta0 is zero in fixed point, so every neuron would always spike; give it more bits.")
        widest = max(t.width + span for t, span in self._alignments())
        if widest + self.coefficient.width + 3 > _WORD:
            raise ParameterError(
                f"states of up to {widest} aligned bits and coefficients of {self.coefficient.width} bits exceed the "
                f"{_WORD} bits of an intermediate result; choose narrower types."
            )

    def _alignments(self) -> list[tuple[FixedType, int]]:
        types = [self.current, self.potential, self.refractory, self.adaptation]
        finest = max(t.fraction for t in types)
        return [(t, finest - t.fraction) for t in types]

    @cached_property
    def shape(self) -> Shape:
        """Shape of S_hat, theta_a and the spikes."""
        if self.pool is None:
            return self.input_shape
        return (*self.pool.output_size(*self.input_shape[:2]), self.input_shape[2])

    @property
    def size(self) -> int:
        """Number of neurons."""
        return math.prod(self.shape)


@dataclass(frozen=True, eq=False)
class Stage:
    """One pipeline stage.

    Attributes:
        name: of the neurons in the SpikingNetwork.
    """

    name: str


@dataclass(frozen=True, eq=False)
class AnalogStage(Stage):
    """The first stage: its current is gain * pixel + offset, computed once an image and held.

    Attributes:
        pixel: type of the input words, unsigned.
        gain, offset: raw words of ``gain_type`` and ``offset_type``, shape (channels,) or the input's shape.
        neurons: ``k_beta`` is not used.
    """

    pixel: FixedType
    gain: Words
    offset: Words
    gain_type: FixedType
    offset_type: FixedType
    neurons: FixedNeurons

    def __post_init__(self) -> None:
        for name in ("gain", "offset"):
            _words(self, name)
            values = getattr(self, name)
            if values.shape not in (self.input_shape, self.input_shape[-1:]):
                raise NetworkError(f"{self.name}: {name} of shape {values.shape} does not fit {self.input_shape}.")
            _check_range(f"{self.name}: {name}", values, getattr(self, f"{name}_type"))
        product = self.gain_type.fraction + self.pixel.fraction, self.gain_type.width + self.pixel.width
        _check_sum(self.name, product, (self.offset_type.fraction, self.offset_type.width))

    @property
    def input_shape(self) -> Shape:
        """Shape of an image."""
        return self.neurons.input_shape


@dataclass(frozen=True, eq=False)
class SynapticStage(Stage):
    """A stage that receives spikes through weights.

    Attributes:
        weights: raw words of ``weight_type``; the spike height of the neurons before is folded in.
        weight_type: signed.
        accumulator: type of the sum of one step, signed, as many fraction bits as the weights; wide enough for any
            set of input spikes.
    """

    weights: Words
    weight_type: FixedType
    accumulator: FixedType

    def __post_init__(self) -> None:
        _words(self, "weights")
        _check_range(f"{self.name}: weights", self.weights, self.weight_type)
        if self.accumulator.fraction != self.weight_type.fraction or not self.accumulator.signed:
            raise NetworkError(f"{self.name}: the accumulator must be signed, with the weights' binary point.")
        low, high = accumulator_range(self.weights)
        if low < self.accumulator.low or high > self.accumulator.high:
            raise NetworkError(
                f"{self.name}: an accumulator of {self.accumulator.width} bits cannot hold sums from {low} to {high}; "
                f"it needs {sum_type(self.weights, self.weight_type).width} bits."
            )

    @property
    def input_shape(self) -> Shape:
        """Shape of the spikes it receives."""
        raise NotImplementedError


@dataclass(frozen=True, eq=False)
class DenseStage(SynapticStage):
    """Dense weights of shape (inputs, neurons); an image before it is flattened row by row, channels last."""

    neurons: FixedNeurons

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.weights.ndim != 2 or self.weights.shape[1:] != self.neurons.input_shape:
            raise NetworkError(
                f"{self.name}: weights of shape {self.weights.shape} do not fit {self.neurons.input_shape} neurons."
            )
        _check_current(self, self.neurons)

    @property
    def input_shape(self) -> Shape:
        return self.weights.shape[:1]


@dataclass(frozen=True, eq=False)
class ConvStage(SynapticStage):
    """A convolution with weights of shape (rows, columns, input channels, output channels), zero padded.

    Attributes:
        image: shape (height, width, channels) of the spikes it receives.
        window: kernel size, strides and padding; no dilation.
    """

    image: Shape
    window: Window
    neurons: FixedNeurons

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.weights.ndim != 4 or self.weights.shape[:3] != (*self.window.size, self.image[2]):
            raise NetworkError(f"{self.name}: weights of shape {self.weights.shape} do not fit {self.image} inputs.")
        if self.window.dilation != (1, 1):
            raise NetworkError(f"{self.name}: the convolution stage has no dilation; spread the kernel with zeros.")
        if self.neurons.input_shape != (*self.window.output_size(*self.image[:2]), self.weights.shape[3]):
            raise NetworkError(f"{self.name}: the convolution does not fit {self.neurons.input_shape} neurons.")
        _check_current(self, self.neurons)

    @property
    def input_shape(self) -> Shape:
        return self.image


@dataclass(frozen=True, eq=False)
class ReadoutStage(SynapticStage):
    """The last stage: dense weights, smoothed current V plus bias, no spikes; the class is the argmax.

    Attributes:
        bias: raw words of ``bias_type``, shape (classes,).
        current, potential: types of I and V, signed.
        bias_type: signed; as many fraction bits as ``potential``.
        coefficient: unsigned type of ``k_beta`` and ``g_phi`` (1 - k_phi).
    """

    bias: Words
    current: FixedType
    potential: FixedType
    bias_type: FixedType
    coefficient: FixedType
    k_beta: int
    g_phi: int

    def __post_init__(self) -> None:
        super().__post_init__()
        _words(self, "bias")
        _check_range(f"{self.name}: bias", self.bias, self.bias_type)
        if self.weights.ndim != 2 or self.bias.shape != self.weights.shape[1:]:
            raise NetworkError(f"{self.name}: weights {self.weights.shape} and bias {self.bias.shape} do not fit.")
        if self.bias_type.fraction != self.potential.fraction:
            raise NetworkError(f"{self.name}: the bias needs the potential's binary point.")
        _check_signs(self, signed=("current", "potential", "bias_type"), unsigned=("coefficient",))
        for name in ("k_beta", "g_phi"):
            _check_range(f"{self.name}: {name}", getattr(self, name), self.coefficient)
        if max(self.current.width, self.potential.width) + self.coefficient.width + 3 > _WORD:
            raise ParameterError(f"{self.name}: states and coefficients exceed {_WORD} bits; choose narrower types.")
        _check_current(self, self)

    @property
    def input_shape(self) -> Shape:
        return self.weights.shape[:1]

    @property
    def classes(self) -> int:
        """Number of outputs."""
        return int(self.weights.shape[1])


SpikingStage = AnalogStage | DenseStage | ConvStage


@dataclass(frozen=True, eq=False)
class FixedNetwork:
    """A chain of stages: AnalogStage, then dense and convolution stages, then ReadoutStage.

    Attributes:
        stages: in order.
        dt: time step, ms.
        pixel_scale, pixel_offset: an input word p stands for the network input pixel_scale * p + pixel_offset
            (already folded into the first stage; used to turn data into words).

    Raises:
        NetworkError: stages that do not fit each other.
    """

    stages: tuple[Stage, ...]
    dt: float = 1.0
    pixel_scale: float = 1.0
    pixel_offset: float = 0.0

    def __post_init__(self) -> None:
        if len(self.stages) < 2 or not isinstance(self.stages[0], AnalogStage):
            raise NetworkError("a fixed-point network starts with an AnalogStage and ends with a ReadoutStage.")
        if not isinstance(self.stages[-1], ReadoutStage):
            raise NetworkError("a fixed-point network ends with a ReadoutStage.")
        if len({stage.name for stage in self.stages}) != len(self.stages):
            raise NetworkError("two stages have the same name; names must be unique.")
        for before, stage in zip(self.stages, self.stages[1:], strict=False):
            if not isinstance(before, SpikingStage) or not isinstance(stage, SynapticStage):
                raise NetworkError(f"{stage.name}: a {type(stage).__name__} cannot stand behind {before.name!r}.")
            given, needed = before.neurons.shape, stage.input_shape
            if given != needed and (len(needed) != 1 or math.prod(given) != needed[0]):
                raise NetworkError(f"{stage.name}: expects spikes of shape {needed}, but {before.name} gives {given}.")

    @property
    def analog(self) -> AnalogStage:
        """The first stage."""
        assert isinstance(self.stages[0], AnalogStage)
        return self.stages[0]

    @property
    def readout(self) -> ReadoutStage:
        """The last stage."""
        assert isinstance(self.stages[-1], ReadoutStage)
        return self.stages[-1]

    @property
    def spiking(self) -> tuple[SpikingStage, ...]:
        """All stages but the last."""
        return tuple(stage for stage in self.stages if isinstance(stage, SpikingStage))

    @property
    def input_shape(self) -> Shape:
        """Shape of an image."""
        return self.analog.input_shape

    @property
    def neuron_count(self) -> int:
        """Number of spiking neurons."""
        return sum(stage.neurons.size for stage in self.spiking)

    def pixels(self, x: Any) -> Words:
        """Network inputs (images, *input shape) as input words, rounded to the nearest and saturated.

        Images for a network that begins with Flatten are flattened here.

        Raises:
            ParameterError: wrong shape, or values that are not finite.
        """
        x = np.asarray(x, np.float64)
        if len(self.input_shape) == 1:
            x = x.reshape(len(x), -1)
        if x.shape[1:] != self.input_shape or not len(x):
            raise ParameterError(
                f"input of shape {x.shape} does not fit: the network takes (images, {self.input_shape})."
            )
        word = dataclasses.replace(self.analog.pixel, rounding="RND", overflow="SAT")
        return word.quantize((x - self.pixel_offset) / self.pixel_scale)

    # ---- files -----------------------------------------------------------------------------------------------------

    def save(self, path: str | Path) -> Path:
        """Write the network to one ``.npz`` file, atomically and without pickle; returns its path."""
        return FORMAT.write(path, self)

    @classmethod
    def load(cls, path: str | Path) -> FixedNetwork:
        """Read a network written by ``save``.

        Raises:
            OutputError: the file is missing, damaged, or something else.
        """
        network: FixedNetwork = FORMAT.read(path)
        return network

    def digest(self) -> str:
        """A hash of every number in the network: two networks with the same digest compute the same words."""
        return FORMAT.digest(self)


_KINDS = (FixedNetwork, AnalogStage, DenseStage, ConvStage, ReadoutStage, FixedNeurons, FixedType, Window)
FORMAT = Format(
    "snntb-adsnn fixed-point network",
    2,
    "fixed-point network file",
    "Quantise the network again.",
    {kind.__name__: kind for kind in _KINDS},
)


# ---- accumulators --------------------------------------------------------------------------------------------------


def accumulator_range(weights: Words) -> tuple[int, int]:
    """Smallest and largest sum of any subset of the weights that reach one output (the last axis)."""
    by_output = weights.reshape(-1, weights.shape[-1])
    return (
        int(np.minimum(by_output, 0).sum(axis=0).min(initial=0)),
        int(np.maximum(by_output, 0).sum(axis=0).max(initial=0)),
    )


def sum_type(weights: Words, weight_type: FixedType) -> FixedType:
    """Narrowest accumulator that cannot overflow, whichever inputs spike: sums are exact, in any order."""
    low, high = accumulator_range(weights)
    width = max(high.bit_length(), (-low - 1).bit_length() if low < 0 else 0) + 1
    return FixedType(width, width - weight_type.fraction)


# ---- helpers -------------------------------------------------------------------------------------------------------


def _words(owner: Any, name: str) -> None:
    array = np.ascontiguousarray(getattr(owner, name), np.int64)
    array.flags.writeable = False
    object.__setattr__(owner, name, array)


def _check_range(what: str, words: Any, kind: FixedType) -> None:
    words = np.asarray(words)
    if words.size and (words.min() < kind.low or words.max() > kind.high):
        raise NetworkError(f"{what}: raw words from {words.min()} to {words.max()} do not fit {kind}.")


def _check_signs(owner: Any, signed: tuple[str, ...], unsigned: tuple[str, ...]) -> None:
    for name in (*signed, *unsigned):
        if getattr(owner, name).signed != (name in signed):
            raise ParameterError(f"{name} must be {'signed' if name in signed else 'unsigned'}.")


def _check_current(stage: SynapticStage, owner: FixedNeurons | ReadoutStage) -> None:
    """k_beta I + drive must fit an intermediate word."""
    product = owner.current.fraction + owner.coefficient.fraction, owner.current.width + owner.coefficient.width
    _check_sum(stage.name, product, (stage.accumulator.fraction, stage.accumulator.width))


def _check_sum(name: str, *terms: tuple[int, int]) -> None:
    """Terms of (fraction, width) aligned to the finest of them must fit an intermediate word with their sum."""
    finest = max(fraction for fraction, _ in terms)
    widest = max(width + finest - fraction for fraction, width in terms) + 1
    if widest > _WORD:
        raise ParameterError(
            f"{name}: a sum of {widest} bits exceeds the {_WORD} bits of an intermediate result; the binary points of "
            "its terms lie too far apart. Choose narrower types."
        )
