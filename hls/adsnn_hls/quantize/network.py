"""SpikingNetwork -> FixedNetwork.

Why decaying states round towards zero: with k = exp(-1/50), rounding to -inf (TRN) leaves a negative state at -50 steps
for ever, and rounding to the nearest leaves +-25; then a network that has gone silent still pushes its neurons.
Towards zero every decaying state reaches its reset value. S_hat and theta_a are never negative, so that for them
cutting bits off (TRN, unsigned) is rounding towards zero and costs nothing.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from adsnn_hls.arithmetic import FixedType
from adsnn_hls.arithmetic.powers import check_multiplier_free, decay_exponents
from adsnn_hls.fixed import FixedNetwork, simulate
from adsnn_hls.quantize.numbers import (
    coefficients,
    corrective_word,
    fitted,
    height,
    neuron_types,
    state_type,
    weight_words,
)
from adsnn_hls.quantize.pixels import PixelFormat
from adsnn_hls.quantize.synapses import Link, Synapses, chain, input_gain, synapses
from adsnn_hls.quantize.widths import Widths, widths_by_name
from adsnn_hls.stages import (
    AnalogStage,
    ConvStage,
    DenseStage,
    FixedNeurons,
    ReadoutStage,
    Stage,
    sum_type,
)
from snntb_adsnn.engine.switch import need_classes
from snntb_adsnn.errors import ParameterError
from snntb_adsnn.network import Neurons, Readout, SpikingNetwork
from snntb_adsnn.network.maps import Array
from snntb_adsnn.neuron.constants import STATES

Ranges = Mapping[str, Mapping[str, tuple[float, float]]]
"""By stage and state word, the smallest and largest value seen."""


@dataclass(frozen=True)
class Recipe:
    """How a network is quantised, but for the widths; see ``quantize``.

    Attributes:
        ranges: of the state words; ``None``: calibrated on the data at hand.
        pixels: format of the input words; ``None``: from the data at hand.
        multiplier_free: neurons without multipliers.
    """

    ranges: Ranges | None = None
    pixels: PixelFormat | None = None
    multiplier_free: bool = False

    def completed(self, network: SpikingNetwork, x: Any, steps: int) -> Recipe:
        """The same with what is missing taken from inputs ``x``."""
        pixels = self.pixels or PixelFormat.of(x)
        return Recipe(self.ranges or calibrate(network, x, steps, pixels), pixels, self.multiplier_free)

    def fixed(self, network: SpikingNetwork, widths: Widths | Mapping[str, Widths]) -> FixedNetwork:
        """``network`` in words of these widths; the recipe must be complete."""
        assert self.ranges is not None
        return quantize(network, self.ranges, widths, pixels=self.pixels, multiplier_free=self.multiplier_free)


_WIDE = Widths(weights=20, current=34, potential=34, refractory=34, adaptation=34, coefficient=22, rounding="RND")
_GAIN_BITS = 18  # one multiplier for all pixels: no reason to save
_WIDE_RANGE = (-(2.0**11), 2.0**11 - 1)


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
    everything = {name: dict.fromkeys((state.name for state in STATES), _WIDE_RANGE) for name in names}
    wide = quantize(network, everything, _WIDE, pixels=pixels or PixelFormat.of(x))
    seen = simulate(wide, wide.pixels(x), steps).ranges
    return {
        stage.name: {
            word: (float(kind.value(seen[stage.name][word].low)), float(kind.value(seen[stage.name][word].high)))
            for word, kind in stage.state_types.items()
        }
        for stage in wide.stages
    }


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
    need_classes(network, "hardware")
    links = chain(network)
    by_name = widths_by_name(widths, [link.target.name for link in links])
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
            spike = height(*source, neurons.k_beta / 2.0**neurons.coefficient.fraction)
            words, kind = weight_words(name, found.weights * spike, w)
            stages.append(_synaptic(name, link, found, words, kind, neurons, source[1].signed))
        source = link.target, neurons
    return FixedNetwork(tuple(stages), network.dt, pixels.scale, pixels.offset)


# ---- stages --------------------------------------------------------------------------------------------------------


def _analog(link: Link, neurons: FixedNeurons, w: Widths, pixels: PixelFormat) -> AnalogStage:
    gain = input_gain(link)
    name = link.target.name
    words, kind = weight_words(name, gain * pixels.scale, dataclasses.replace(w, weights=_GAIN_BITS))
    fraction = max(neurons.current.fraction, 0)
    offset, offset_type = fitted(gain * pixels.offset, fraction)
    # the held current does not decay, so it is rounded to the nearest
    neurons = dataclasses.replace(neurons, current=dataclasses.replace(neurons.current, rounding="RND"))
    return AnalogStage(name, pixels.type, words, offset, kind, offset_type, neurons)


def _synaptic(
    name: str, link: Link, found: Synapses, words: Array, kind: FixedType, neurons: FixedNeurons, signed: bool
) -> DenseStage | ConvStage:
    accumulator = sum_type(words, kind, signed)
    if found.window is None:
        return DenseStage(name, words, kind, accumulator, neurons, signed=signed)
    return ConvStage(name, words, kind, accumulator, link.source_shape, found.window, neurons, signed=signed)


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
    coefficient, raw = coefficients(target.name, factors, w, multiplier_free)
    spike = height(*source, raw["k_beta"] / 2.0**coefficient.fraction)
    words, kind = weight_words(target.name, synapses(link).weights * spike, w)
    current, potential = (state_type(w, seen[q], bits) for q, bits in (("I", w.current), ("V", w.potential)))
    bias, bias_type = fitted(target.bias, potential.fraction)
    signed = source[1].signed
    more: dict[str, Any] = {"accumulator": sum_type(words, kind, signed), "signed": signed, **raw}
    return ReadoutStage(
        target.name,
        words,
        kind,
        bias=bias,
        current=current,
        potential=potential,
        bias_type=bias_type,
        coefficient=coefficient,
        **more,
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
    coefficient, raw = coefficients(target.name, factors, w, multiplier_free)
    types = neuron_types(w, seen, p.resting_threshold)
    adaptation = types["adaptation"]
    theta0 = round(p.resting_threshold * 2.0**adaptation.fraction)
    if theta0 < 1:
        raise ParameterError(
            f"{target.name}: theta0 = {p.resting_threshold:g} is less than one step of {adaptation}; give the "
            "adaptation more bits."
        )
    bias, bias_type = fitted(target.bias, types["potential"].fraction)
    numbers: dict[str, Any] = {**types, **raw, "theta0": theta0, "onset": target.onset_steps}
    if target.corrective is not None:
        numbers["corrective"] = corrective_word(target.name, target.corrective, multiplier_free)
    return FixedNeurons(
        target.input_shapes[0], target.pool, bias, bias_type=bias_type, coefficient=coefficient, **numbers
    )
