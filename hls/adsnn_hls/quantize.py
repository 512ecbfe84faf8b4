"""SpikingNetwork -> FixedNetwork.

Why decaying states round towards zero: with k = exp(-1/50), rounding to -inf (TRN) leaves a negative state at -50 steps
for ever, and rounding to the nearest leaves +-25; then a network that has gone silent still pushes its neurons.
Towards zero every decaying state reaches its reset value. S_hat and theta_a are never negative, so that for them
cutting bits off (TRN, unsigned) is rounding towards zero and costs nothing.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from adsnn_hls.fixed import FixedType, integer_bits
from adsnn_hls.golden import simulate
from adsnn_hls.powers import check_multiplier_free, decay_exponents
from adsnn_hls.stages import (
    AnalogStage,
    ConvStage,
    DenseStage,
    FixedNetwork,
    FixedNeurons,
    ReadoutStage,
    SpikingStage,
    Stage,
    sum_type,
)
from adsnn_hls.synapses import Link, Synapses, chain, input_gain, synapses
from snntb_adsnn.errors import ParameterError
from snntb_adsnn.network import Neurons, Readout, SpikingNetwork
from snntb_adsnn.network.maps import Array
from snntb_adsnn.neuron import ASNParameters
from snntb_adsnn.neuron.transfer import spike_height

Ranges = Mapping[str, Mapping[str, tuple[float, float]]]
"""By stage and state word, the smallest and largest value seen."""


@dataclass(frozen=True)
class Widths:
    """Word lengths of one stage, in bits. Binary points follow from the values.

    Attributes:
        weights: of the synaptic weights (the first stage has none); or a FixedType that fixes the binary point too.
        current, potential, refractory, adaptation: of I, V, S_hat, theta_a (the read-out has the first two).
        coefficient: of the decay factors; not used in multiplier-free neurons, whose factors are exact.
        rounding: of I and V; towards zero unless there is a reason.
    """

    weights: int | FixedType = 8
    current: int = 18
    potential: int = 18
    refractory: int = 18
    adaptation: int = 18
    coefficient: int = 12
    rounding: str = "TRN_ZERO"

    SIGNALS = ("weights", "current", "potential", "refractory", "adaptation", "coefficient")

    def __post_init__(self) -> None:
        for name in self.SIGNALS:
            value = getattr(self, name)
            low, high = WIDTH_LIMITS[name]
            if not isinstance(value, FixedType) and not low <= value <= high:
                raise ParameterError(f"{name} = {value} bits is not allowed: choose {low} to {high}.")
        if isinstance(self.weights, FixedType) and not self.weights.signed:
            raise ParameterError(f"weights = {self.weights} is not allowed: weights need a signed type.")


WIDTH_LIMITS: Mapping[str, tuple[int, int]] = {
    "weights": (2, 24),
    "current": (4, 40),
    "potential": (4, 40),
    "refractory": (4, 40),
    "adaptation": (4, 40),
    "coefficient": (4, 24),
}
_WIDE = Widths(weights=20, current=34, potential=34, refractory=34, adaptation=34, coefficient=22, rounding="RND")
_GAIN_BITS = 18  # one multiplier for all pixels: no reason to save
_WIDE_RANGE = (-(2.0**11), 2.0**11 - 1)


@dataclass(frozen=True)
class PixelFormat:
    """How input words come from the sensor: network input = scale * word + offset.

    Attributes:
        bits: unsigned word length.
        scale: default: 8-bit pixels stand for 0 to 1.
        offset: added.
    """

    bits: int = 8
    scale: float = 1 / 255
    offset: float = 0.0

    def __post_init__(self) -> None:
        if not 1 <= self.bits <= 16 or not (math.isfinite(self.scale) and self.scale > 0):
            raise ParameterError(f"{self}: 1 to 16 bits and a finite scale above 0 are needed.")
        if not math.isfinite(self.offset):
            raise ParameterError(f"{self}: the offset must be finite.")

    @classmethod
    def of(cls, x: Any, bits: int = 8) -> PixelFormat:
        """The format for data ``x``: 0 to 1 where they lie in it (images), else from their smallest to largest."""
        low, high = float(np.min(x)), float(np.max(x))
        if low < 0 or high > 1:
            return cls(bits, max(high - low, 1e-9) / (2**bits - 1), low)
        return cls(bits, 1 / (2**bits - 1))

    @property
    def type(self) -> FixedType:
        """Type of an input word."""
        return FixedType(self.bits, self.bits, signed=False)


def calibrate(network: SpikingNetwork, x: Any, steps: int = 100, pixels: PixelFormat | None = None) -> Ranges:
    """Value ranges of all state words on inputs ``x``, from the golden model with very wide words.

    Args:
        network: the network.
        x: network inputs, shape (images, *input shape); some hundreds of training images.
        steps: time steps to simulate.
        pixels: format of the input words; default: from ``x``.
    """
    x = network.check_images(x, np.float64)
    names = [link.target.name for link in chain(network)]
    everything = {name: dict.fromkeys(("I", "V", "S_hat", "theta_a"), _WIDE_RANGE) for name in names}
    wide = quantize(network, everything, _WIDE, pixels=pixels or PixelFormat.of(x))
    seen = simulate(wide, wide.pixels(x), steps).ranges
    return {
        stage.name: {
            word: (float(kind.value(seen[stage.name][word].low)), float(kind.value(seen[stage.name][word].high)))
            for word, kind in state_types(stage).items()
        }
        for stage in wide.stages
    }


def state_types(stage: Stage) -> dict[str, FixedType]:
    """Types of a stage's state words."""
    if isinstance(stage, ReadoutStage):
        return {"I": stage.current, "V": stage.potential}
    assert isinstance(stage, SpikingStage)
    n = stage.neurons
    return {"I": n.current, "V": n.potential, "S_hat": n.refractory, "theta_a": n.adaptation}


def quantize(
    network: SpikingNetwork,
    ranges: Ranges,
    widths: Widths | Mapping[str, Widths] | None = None,
    *,
    pixels: PixelFormat | None = None,
    multiplier_free: bool = False,
) -> FixedNetwork:
    """Quantise a network.

    The spike height of the neurons before is folded into weights; it is computed for the neurons' quantised constants,
    so that f(1) = 1 holds for what the hardware does.

    Args:
        network: the network; a chain of populations behind a BN-AAN input layer.
        ranges: of the state words, see ``calibrate``; they fix the binary points.
        widths: of all stages, or by stage name; default ``Widths()``.
        pixels: format of the input words; default 8 bits for 0 to 1.
        multiplier_free: neurons without multipliers; the network must have been trained for them.

    Raises:
        NetworkError: a layer for which the hardware has no stage.
        ParameterError: widths that cannot hold the weights or theta0; constants that need multipliers.
    """
    links = chain(network)
    by_name = _widths_by_name(widths, [link.target.name for link in links])
    pixels = pixels or PixelFormat()
    if multiplier_free:
        check_multiplier_free(network)
    stages: list[Stage] = []
    source: tuple[Neurons, FixedNeurons] | None = None
    for link in links:
        name, w, seen = link.target.name, by_name[link.target.name], ranges[link.target.name]
        if isinstance(link.target, Readout):
            assert source is not None
            stages.append(_readout(link, link.target, source, w, seen, multiplier_free))
            break
        neurons = _neurons(link.target, w, seen, multiplier_free)
        if source is None:
            stages.append(_analog(link, neurons, w, pixels))
        else:
            found = synapses(link)
            height = _height(*source, neurons.k_beta / 2.0**neurons.coefficient.fraction)
            words, kind = _weights(name, found.weights * height, w)
            stages.append(_synaptic(name, link, found, words, kind, neurons))
        source = link.target, neurons
    return FixedNetwork(tuple(stages), network.dt, pixels.scale, pixels.offset)


def _widths_by_name(widths: Widths | Mapping[str, Widths] | None, names: list[str]) -> dict[str, Widths]:
    if widths is None or isinstance(widths, Widths):
        return dict.fromkeys(names, widths or Widths())
    if unknown := set(widths) - set(names):
        raise ParameterError(f"widths name unknown layers {sorted(unknown)}; known: {', '.join(names)}.")
    return {name: widths.get(name, Widths()) for name in names}


# ---- stages --------------------------------------------------------------------------------------------------------


def _analog(link: Link, neurons: FixedNeurons, w: Widths, pixels: PixelFormat) -> AnalogStage:
    gain = input_gain(link)
    name = link.target.name
    words, kind = _weights(name, gain * pixels.scale, dataclasses.replace(w, weights=_GAIN_BITS))
    fraction = max(neurons.current.fraction, 0)
    offset, offset_type = _fitted(gain * pixels.offset, fraction)
    # the held current does not decay, so it is rounded to the nearest
    neurons = dataclasses.replace(neurons, current=dataclasses.replace(neurons.current, rounding="RND"))
    return AnalogStage(name, pixels.type, words, offset, kind, offset_type, neurons)


def _synaptic(
    name: str, link: Link, found: Synapses, words: Array, kind: FixedType, neurons: FixedNeurons
) -> DenseStage | ConvStage:
    accumulator = sum_type(words, kind)
    if found.window is None:
        return DenseStage(name, words, kind, accumulator, neurons)
    return ConvStage(name, words, kind, accumulator, link.source_shape, found.window, neurons)


def _readout(
    link: Link,
    target: Readout,
    source: tuple[Neurons, FixedNeurons],
    w: Widths,
    seen: Mapping[str, tuple[float, float]],
    multiplier_free: bool,
) -> ReadoutStage:
    factors = {"k_beta": target.k_beta, "g_phi": 1 - target.k_phi}
    if multiplier_free:
        # the read-out's filter is not trained for: the nearest power of two
        factors["g_phi"] = sum(2.0**-a for a in decay_exponents(target.k_phi, terms=1))
    coefficient, raw = _coefficients(target.name, factors, w, multiplier_free)
    height = _height(*source, raw["k_beta"] / 2.0**coefficient.fraction)
    words, kind = _weights(target.name, synapses(link).weights * height, w)
    current, potential = (_state(w, seen[q], bits) for q, bits in (("I", w.current), ("V", w.potential)))
    bias, bias_type = _fitted(target.bias, potential.fraction)
    return ReadoutStage(
        target.name, words, kind, sum_type(words, kind), bias, current, potential, bias_type, coefficient, **raw
    )


def _neurons(
    target: Neurons, w: Widths, seen: Mapping[str, tuple[float, float]], multiplier_free: bool
) -> FixedNeurons:
    p = target.parameters
    factors = {
        "k_beta": p.k_beta,
        "g_phi": 1 - p.k_phi,
        "k_eta": p.k_eta,
        "k_gamma": p.k_gamma,
        "m_gamma": p.m_f * p.k_gamma,
    }
    coefficient, raw = _coefficients(target.name, factors, w, multiplier_free)
    current, potential = (_state(w, seen[q], bits) for q, bits in (("I", w.current), ("V", w.potential)))
    refractory, adaptation = (
        _state(w, (0.0, max(seen[q][1], p.resting_threshold)), bits, signed=False)
        for q, bits in (("S_hat", w.refractory), ("theta_a", w.adaptation))
    )
    theta0 = round(p.resting_threshold * 2.0**adaptation.fraction)
    if theta0 < 1:
        raise ParameterError(
            f"{target.name}: theta0 = {p.resting_threshold:g} is less than one step of {adaptation}; give the "
            "adaptation more bits."
        )
    bias, bias_type = _fitted(target.bias, potential.fraction)
    return FixedNeurons(
        input_shape=target.input_shapes[0],
        pool=target.pool,
        bias=bias,
        current=current,
        potential=potential,
        refractory=refractory,
        adaptation=adaptation,
        bias_type=bias_type,
        coefficient=coefficient,
        theta0=theta0,
        **raw,
    )


# ---- numbers -------------------------------------------------------------------------------------------------------


def _state(w: Widths, seen: tuple[float, float], width: int, signed: bool = True) -> FixedType:
    """A saturating type of ``width`` bits with an eighth of headroom over the range that was seen."""
    integer = integer_bits(np.array(seen) * 1.125, signed)
    return FixedType(width, integer, signed, w.rounding if signed else "TRN", "SAT")


def _fitted(values: Array, fraction: int) -> tuple[Array, FixedType]:
    """Words with ``fraction`` bits right of the point, and the narrowest signed type that holds them."""
    words = FixedType(48, 48 - fraction, True, "RND", "SAT").quantize(values)
    width = max(int(word).bit_length() for word in (words.max(), ~words.min())) + 1
    return words, FixedType(width, width - fraction)


def _coefficients(name: str, factors: Mapping[str, float], w: Widths, exact: bool) -> tuple[FixedType, dict[str, int]]:
    """One unsigned type for all factors, and their words."""
    highest = max(factors.values())
    integer = max(math.frexp(highest)[1], 0)
    if exact:
        fraction = next(
            (f for f in range(1, 32) if all(abs(v * 2**f - round(v * 2**f)) < 1e-4 for v in factors.values())), None
        )
        if fraction is None:
            raise ParameterError(f"{name}: its constants are no short sums of powers of two; train for them.")
        kind = FixedType(fraction + integer, integer, False, "RND", "SAT")
    else:
        kind = FixedType(w.coefficient, integer, False, "RND", "SAT")
    return kind, {key: int(kind.quantize(value)) for key, value in factors.items()}


def _weights(name: str, weights: Array, w: Widths) -> tuple[Array, FixedType]:
    """Weights in the type with the most fraction bits that still holds them, or in the type that is given.

    Raises:
        ParameterError: the given type cannot hold them.
    """
    if isinstance(w.weights, FixedType):
        kind = dataclasses.replace(w.weights, rounding="RND", overflow="SAT")
        if not kind.holds(weights):
            needed = integer_bits(weights)
            raise ParameterError(
                f"{name}: weights from {weights.min():.4g} to {weights.max():.4g} do not fit {w.weights}; they need "
                f"{needed} integer bits: give at least that many, or only a width."
            )
    else:
        # a bit less may do where the largest weight is rounded down, a bit more be needed where it is rounded up
        least = integer_bits(weights) - 1
        kinds = (FixedType(w.weights, least + more, True, "RND", "SAT") for more in range(3))
        kind = next(kind for kind in kinds if kind.holds(weights))
    return kind.quantize(weights), kind


def effective_parameters(p: ASNParameters, neurons: FixedNeurons, k_beta: float) -> ASNParameters:
    """The constants that the quantised neuron really has, with the decay ``k_beta`` of the current it feeds."""
    one = 2.0**neurons.coefficient.fraction

    def tau(k: float) -> float:
        return -p.dt / math.log(min(max(k, 1e-9), 1 - 1e-9))

    return ASNParameters(
        m_f=neurons.m_gamma / neurons.k_gamma,
        theta0=neurons.theta0 * neurons.adaptation.step,
        tau_gamma=tau(neurons.k_gamma / one),
        tau_eta=tau(neurons.k_eta / one),
        tau_beta=tau(k_beta),
        tau_phi=tau(1 - neurons.g_phi / one),
        dt=p.dt,
    )


def _height(source: Neurons, neurons: FixedNeurons, k_beta: float) -> float:
    """Spike height of ``source`` at a current that decays by ``k_beta``."""
    if min(neurons.k_gamma, neurons.m_gamma, neurons.k_eta) < 1 or not 0 < k_beta < 1:
        raise ParameterError(
            f"{source.name}: a decay or m_f rounds to 0 or 1 in {neurons.coefficient}; give coefficients more bits."
        )
    return spike_height(effective_parameters(source.parameters, neurons, k_beta), form=source.form)
