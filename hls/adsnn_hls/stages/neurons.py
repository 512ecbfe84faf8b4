"""The spiking part of a stage: filter, pooling, threshold, adaptation."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from adsnn_hls.arithmetic import FixedType, Words
from adsnn_hls.arithmetic.powers import signed_digits
from adsnn_hls.arithmetic.steps import WORD, Assign, align, current_step, filter_step
from adsnn_hls.cores.instance import LARGEST, Parameters, type_parameters
from adsnn_hls.stages.base import Stage, check_range, check_signs, freeze_words
from adsnn_hls.stages.layers import SIGNED_SPIKE, SPIKE, Layers, Wires
from snntb_adsnn.errors import NetworkError, ParameterError
from snntb_adsnn.network.maps import Shape, Window
from snntb_adsnn.neuron.constants import STATES
from snntb_adsnn.neuron.equations import LEAST_CORRECTIVE

QUARTERS = 2
"""Fraction bits of c, the constant of the rule for corrective spikes: a multiple of 1/4, so that c theta is exact."""

CORRECTIVE_BITS = 8
"""Bits of its word: c is below 64."""

LONGEST_ONSET = (1 << 16) - 1
"""Most time steps that a layer can wait: as many as the RTL counts."""

FEW_DIGITS = 3
"""A product with a constant of at most so many signed digits is written as shifts and additions."""


@dataclass(frozen=True, eq=False)
class FixedNeurons:
    """The spiking part of a stage: filter, pooling, threshold, adaptation.

    Attributes:
        input_shape: shape of I and V: (neurons,) or (height, width, channels) before pooling.
        pool: max pooling of V, or ``None``.
        bias: raw words of ``bias_type``, shape (channels,) or ``shape``.
        current, potential: types of I and V, signed; one I and V for each input.
        refractory, adaptation: types of S_hat and theta_a, unsigned: neither is ever negative.
        bias_type: signed; as many fraction bits as ``potential``.
        coefficient: unsigned type of the factors below.
        k_beta, k_eta, k_gamma: decay factors of I, S_hat and theta_a.
        g_phi: 1 - k_phi.
        m_gamma: m_f * k_gamma: adaptation is added and decays in one product.
        theta0: resting threshold, with ``adaptation.fraction`` bits right of the point; positive.
        onset: time steps at the beginning of an image in which no neuron spikes.
        corrective: c of the rule for corrective spikes, in quarters, 8 (c = 2) or more; 0: there are none.
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
    onset: int = 0
    corrective: int = 0

    FACTORS: ClassVar[tuple[str, ...]] = ("k_beta", "g_phi", "k_eta", "k_gamma", "m_gamma")

    def __post_init__(self) -> None:
        freeze_words(self, "bias")
        if self.bias.shape not in (self.shape, self.shape[-1:]):
            raise NetworkError(f"bias of shape {self.bias.shape} fits neither {self.shape} nor {self.shape[-1:]}.")
        check_range("bias", self.bias, self.bias_type)
        if self.bias_type.fraction != self.potential.fraction:
            raise NetworkError("the bias needs the potential's binary point.")
        check_signs(self, {state.word: state.signed for state in STATES} | {"bias_type": True, "coefficient": False})
        for name in self.FACTORS:
            check_range(name, getattr(self, name), self.coefficient)
        one = 1 << max(self.coefficient.fraction, 0)
        for name in ("k_beta", "g_phi", "k_eta", "k_gamma"):
            if not 0 <= getattr(self, name) <= one:
                raise NetworkError(f"{name} = {getattr(self, name)} is not between 0 and 1 ({one}).")
        if self.theta0 < 1:
            raise NetworkError("theta0 is zero in fixed point, so every neuron would always spike; give it more bits.")
        if not 0 <= self.onset <= LONGEST_ONSET:
            raise ParameterError(
                f"an onset of {self.onset} time steps is not allowed: the hardware counts 0 to {LONGEST_ONSET}; "
                "let the layer wait for a shorter time."
            )
        least, most = int(LEAST_CORRECTIVE) << QUARTERS, (1 << CORRECTIVE_BITS) - 1
        if self.corrective and not least <= self.corrective <= most:
            raise NetworkError(f"corrective = {self.corrective} quarters is not between {least} and {most}.")
        finest = max(kind.fraction for kind in self.types.values())
        widest = max(kind.width + finest - kind.fraction for kind in self.types.values())
        if widest + max(self.coefficient.width, CORRECTIVE_BITS - 1 if self.corrective else 0) + 3 > WORD:
            raise ParameterError(
                f"states of up to {widest} aligned bits and coefficients of {self.coefficient.width} bits exceed the "
                f"{WORD} bits of an intermediate result; choose narrower types."
            )

    @cached_property
    def types(self) -> dict[str, FixedType]:
        """Types of the states, by their names."""
        return {state.name: getattr(self, state.word) for state in STATES}

    @cached_property
    def shapes(self) -> dict[str, Shape]:
        """Shapes of the states."""
        return {state.name: self.input_shape if state.at == "input" else self.shape for state in STATES}

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

    @property
    def signed(self) -> bool:
        """Whether a spike may be negative."""
        return self.corrective > 0

    @property
    def factors(self) -> dict[str, int]:
        """The factors by name, in the order in which a step applies them."""
        return {name: getattr(self, name) for name in self.FACTORS}

    # ---- RTL -------------------------------------------------------------------------------------------------------

    def parameters(self, name: str) -> Parameters:
        """Parameters of ``asn_neurons``; ``name``: of the stage, for messages.

        Raises:
            ParameterError: a type or threshold that the cores do not have.
        """
        if self.theta0 > LARGEST:
            raise ParameterError(f"{name}: theta0 has more than 31 bits; give the adaptation fewer bits.")
        found: Parameters = {}
        for state in STATES:
            found |= type_parameters(state.letter, name, self.types[state.name])
        found |= {"B_W": self.bias_type.width, "C_W": self.coefficient.width, "C_F": self.coefficient.fraction}
        found |= {key.upper(): word for key, word in self.factors.items()}
        return {**found, "THETA0": self.theta0, "CORRECTIVE": self.corrective}

    def image_parameters(self, name: str) -> Parameters:
        """Geometry of neurons on an image, for ``asn_sweep``; pooling windows must not overlap.

        Raises:
            NetworkError: they do.
        """
        height, width, _ = self.input_shape
        pool = self.pool or Window((1, 1))
        if pool.size != pool.strides or pool.dilation != (1, 1):
            raise NetworkError(
                f"{name}: pooling windows of {pool.size} at strides {pool.strides} overlap or leave gaps, which the "
                "RTL cannot do; use max pooling with strides equal to its size."
            )
        (top, _), (left, _) = pool.padding
        if top >= pool.size[0] or left >= pool.size[1]:
            raise NetworkError(f"{name}: a pooling window lies in the padding only; use less padding.")
        return {
            "HEIGHT": height,
            "WIDTH": width,
            "POOL_ROWS": pool.size[0],
            "POOL_COLUMNS": pool.size[1],
            "PAD_TOP": top,
            "PAD_LEFT": left,
            "OUT_ROWS": self.shape[0],
            "OUT_COLUMNS": self.shape[1],
        }


class SpikingStage(Stage):
    """A stage whose neurons spike."""

    neurons: FixedNeurons

    @property
    def shape(self) -> Shape:
        return self.neurons.shape

    @property
    def signed_out(self) -> bool:
        return self.neurons.signed

    @property
    def state_types(self) -> dict[str, FixedType]:
        return dict(self.neurons.types)

    @property
    def state_shapes(self) -> dict[str, Shape]:
        return dict(self.neurons.shapes)

    @property
    def factor_type(self) -> FixedType:
        return self.neurons.coefficient

    @property
    def updates(self) -> int:
        return self.neurons.size

    def products(self, shift_add: bool) -> int:
        return 0 if shift_add else len(FixedNeurons.FACTORS)


# ---- golden step ---------------------------------------------------------------------------------------------------


Spikes = NDArray[np.bool_] | NDArray[np.int8]
"""Whether a neuron spikes; where spikes may be corrective 1, or -1 for those, or 0."""


class NeuronState:
    """State of a stage's neurons for a batch of images, and its step."""

    I: Words
    V: Words
    S_hat: Words
    theta_a: Words

    def __init__(self, neurons: FixedNeurons, images: int) -> None:
        self.neurons = neurons
        self.assign = {name: Assign(kind) for name, kind in neurons.types.items()}
        for name, shape in neurons.shapes.items():
            setattr(self, name, np.zeros((images, *shape), np.int64))
        self.steps = 0

    @property
    def words(self) -> dict[str, Words]:
        """The states by name."""
        return {name: getattr(self, name) for name in self.assign}

    def receive(self, drive: Words, fraction: int) -> None:
        """Step 1: the sum of this step's weights joins the decaying current."""
        n = self.neurons
        self.I = current_step(self.I, drive, fraction, n.k_beta, self.assign["I"], n.coefficient)

    def fire(self) -> Spikes:
        """Steps 2 to 7: filter, pool, decay of S_hat, comparisons, reaction to the spike, decay of theta_a."""
        n, c = self.neurons, self.neurons.coefficient.fraction
        v, s, a = (t.fraction for t in (n.potential, n.refractory, n.adaptation))
        self.V = filter_step(self.V, self.I, n.g_phi, self.assign["V"], n.current, n.coefficient)
        # S is not stored, and neither S - S_hat nor theta is rounded: no bit of the comparison is lost
        finest = max(v, s, a)
        S = align(max_pool(self.V, n.pool) + n.bias, v, finest)
        S_hat = self.assign["S_hat"](n.k_eta * self.S_hat, s + c)
        theta = n.theta0 + self.theta_a
        spikes: Spikes = (2 * (S - align(S_hat, s, finest)) > align(theta, a, finest)) & (self.steps >= n.onset)
        if n.corrective and self.steps >= n.onset:
            ahead = align(S_hat, s, finest) - np.maximum(S, 0)
            too_far = 2 * align(ahead, 0, QUARTERS) > n.corrective * align(theta, a, finest)
            spikes = spikes.astype(np.int8) - too_far  # never both: S_hat is below S, or above
        self.steps += 1
        f = max(s, a)
        self.S_hat = self.assign["S_hat"](align(S_hat, s, f) + align(spikes * theta, a, f), f, spikes != 0)
        self.theta_a = self.assign["theta_a"](n.k_gamma * self.theta_a + np.where(spikes, n.m_gamma * theta, 0), a + c)
        return spikes


def max_pool(V: Words, pool: Window | None) -> Words:
    """Largest V of each window; padded pixels never win."""
    if pool is None:
        return V
    padded = np.pad(V, ((0, 0), *pool.padding, (0, 0)), constant_values=np.iinfo(np.int64).min)
    parts = [padded[:, rows, columns] for _, (rows, columns) in pool.taps(*V.shape[1:3])]
    return np.asarray(np.max(parts, axis=0))


# ---- C++ -----------------------------------------------------------------------------------------------------------


def add_neurons(
    stage: SpikingStage, layers: Layers, wires: Wires, kind: str = "ASN", more: Mapping[str, Any] | None = None
) -> Wires:
    """Add the node of a stage's neurons; returns the wires behind it.

    Args:
        stage: the stage.
        layers: the graph.
        wires: what comes in.
        kind: class of the node.
        more: ``types``, ``constants`` and ``arrays`` beside the neurons' own.

    Raises:
        NetworkError: a pooling that the C++ does not have.
    """
    n, name, more = stage.neurons, layers.name(stage), more or {}
    spike = SIGNED_SPIKE if n.signed else SPIKE
    types = {
        "bias": n.bias_type,
        **{state.word: n.types[state.name] for state in STATES},
        "coefficient": n.coefficient,
        "result": spike,
    }
    bits = n.theta0.bit_length()
    constants = node_constants(stage, layers, n.input_shape) | _pooling(stage.name, n) | n.factors
    constants |= {
        "theta0": n.theta0,
        "theta0_t": FixedType(bits, bits - n.adaptation.fraction, False).cpp,
        "n_bias": n.bias.size,
        **coefficient_constants(n.coefficient, n.factors.values()),
    }
    if n.onset:
        constants["onset"] = n.onset
    if n.signed:
        constants |= {"corrective": n.corrective, "spike_t": "ap_int<2>"}
    reset = None if wires.reset is None else f"{name}_reset"
    layers.add(
        kind,
        name,
        wires.inputs,
        {**types, **more.get("types", {})},
        out_shape=list(n.shape),
        constants={**constants, **more.get("constants", {})},
        outputs=[name] if reset is None else [reset, name],
        bias_data=n.bias_type.value(n.bias).ravel(),
        **more.get("arrays", {}),
    )
    layers.share_neurons(stage, name, n.input_shape)
    return Wires(name, n.shape, reset, spike)


def node_constants(stage: Stage, layers: Layers, shape: Shape) -> dict[str, Any]:
    """Constants of every node of ours."""
    height, width, channels = shape if len(shape) == 3 else (1, 1, math.prod(shape))
    number = layers.number(stage)
    return {"stage": number, "n_steps": layers.calls, "height": height, "width": width, "channels": channels}


def coefficient_constants(kind: FixedType, words: Any) -> dict[str, Any]:
    """How products with the factors are written."""
    few = all(len(signed_digits(word)) <= FEW_DIGITS for word in words)
    return {"coefficient_fraction": kind.fraction, "shift_add": few}


def _pooling(name: str, n: FixedNeurons) -> dict[str, Any]:
    if n.pool is None:
        shape = n.shape if len(n.shape) == 3 else (1, 1)
        return {"out_height": shape[0], "out_width": shape[1]}
    if n.pool.dilation != (1, 1):
        raise NetworkError(f"{name}: dilated pooling has no hardware stage; use a pooling layer without dilation.")
    return {
        "pooled": True,
        "out_height": n.shape[0],
        "out_width": n.shape[1],
        "pool_height": n.pool.size[0],
        "pool_width": n.pool.size[1],
        "stride_height": n.pool.strides[0],
        "stride_width": n.pool.strides[1],
        "pad_top": n.pool.padding[0][0],
        "pad_left": n.pool.padding[1][0],
    }
