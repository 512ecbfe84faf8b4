"""From real numbers to words: types of states, biases, factors and weights, spike heights."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping

import numpy as np

from adsnn_hls.arithmetic import FixedType, integer_bits
from adsnn_hls.arithmetic.powers import signed_digits
from adsnn_hls.quantize.widths import Widths
from adsnn_hls.stages import FixedNeurons
from adsnn_hls.stages.neurons import CORRECTIVE_BITS, QUARTERS
from snntb_adsnn.errors import ParameterError
from snntb_adsnn.network import Neurons
from snntb_adsnn.network.maps import Array
from snntb_adsnn.neuron import ASNParameters
from snntb_adsnn.neuron.constants import STATES
from snntb_adsnn.neuron.transfer import spike_height


def state_type(w: Widths, seen: tuple[float, float], width: int, signed: bool = True) -> FixedType:
    """A saturating type of ``width`` bits with an eighth of headroom over the range that was seen."""
    integer = integer_bits(np.array(seen) * 1.125, signed)
    return FixedType(width, integer, signed, w.rounding if signed else "TRN", "SAT")


def neuron_types(w: Widths, seen: Mapping[str, tuple[float, float]], threshold: float) -> dict[str, FixedType]:
    """Types of a neuron's states by their words; those that only grow hold at least the resting threshold."""
    return {
        state.word: state_type(
            w,
            seen[state.name] if state.signed else (0.0, max(seen[state.name][1], threshold)),
            getattr(w, state.word),
            state.signed,
        )
        for state in STATES
    }


def fitted(values: Array, fraction: int) -> tuple[Array, FixedType]:
    """Words with ``fraction`` bits right of the point, and the narrowest signed type that holds them."""
    words = FixedType(48, 48 - fraction, True, "RND", "SAT").quantize(values)
    width = max(int(word).bit_length() for word in (words.max(), ~words.min())) + 1
    return words, FixedType(width, width - fraction)


def coefficients(name: str, factors: Mapping[str, float], w: Widths, exact: bool) -> tuple[FixedType, dict[str, int]]:
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


def corrective_word(name: str, c: float, exact: bool) -> int:
    """c of the rule for corrective spikes, in quarters.

    Args:
        name: of the layer, for messages.
        c: the constant.
        exact: whether it must need no multiplier.

    Raises:
        ParameterError: it is no such number.
    """
    word = round(c * 2**QUARTERS)
    if word != c * 2**QUARTERS or word >= 1 << CORRECTIVE_BITS:
        raise ParameterError(
            f"{name}: corrective = {c:g} is not a multiple of 1/4 below {1 << (CORRECTIVE_BITS - QUARTERS)}, which the "
            f"hardware needs so that c theta is exact; choose {min(max(round(4 * c), 8), 255) / 4:g}."
        )
    if exact and len(signed_digits(word)) > 1:
        raise ParameterError(
            f"{name}: corrective = {c:g} is no power of two, as neurons without multipliers need it; choose 2 or 4."
        )
    return word


def weight_words(name: str, weights: Array, w: Widths) -> tuple[Array, FixedType]:
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


def height(source: Neurons, neurons: FixedNeurons, k_beta: float) -> float:
    """Spike height of ``source`` at a current that decays by ``k_beta``."""
    if min(neurons.k_gamma, neurons.m_gamma, neurons.k_eta) < 1 or not 0 < k_beta < 1:
        raise ParameterError(
            f"{source.name}: a decay or m_f rounds to 0 or 1 in {neurons.coefficient}; give coefficients more bits."
        )
    return spike_height(effective_parameters(source.parameters, neurons, k_beta), form=source.form)
