"""The last stage: dense weights, smoothed current plus bias, no spikes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from adsnn_hls.arithmetic import FixedType, Words
from adsnn_hls.arithmetic.steps import WORD, Assign, current_step, filter_step
from adsnn_hls.cores import Instance, Lanes
from adsnn_hls.cores.instance import Parameters, type_parameters
from adsnn_hls.cores.lanes import MOST, divisors
from adsnn_hls.cores.memories import bias_memory
from adsnn_hls.stages.base import STAGES, check_range, check_signs, freeze_words
from adsnn_hls.stages.layers import Layers, Wires
from adsnn_hls.stages.neurons import Spikes, coefficient_constants, node_constants
from adsnn_hls.stages.running import Program
from adsnn_hls.stages.synaptic import SynapticStage, add_dense
from snntb_adsnn.errors import NetworkError, ParameterError
from snntb_adsnn.network.maps import Shape
from snntb_adsnn.neuron.constants import STATES

_STATES = tuple(state for state in STATES if state.at == "input")


@STAGES.register("ReadoutStage")
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

    place: ClassVar[Literal["first", "inner", "last"]] = "last"

    def __post_init__(self) -> None:
        super().__post_init__()
        freeze_words(self, "bias")
        check_range(f"{self.name}: bias", self.bias, self.bias_type)
        if self.weights.ndim != 2 or self.bias.shape != self.weights.shape[1:]:
            raise NetworkError(f"{self.name}: weights {self.weights.shape} and bias {self.bias.shape} do not fit.")
        if self.bias_type.fraction != self.potential.fraction:
            raise NetworkError(f"{self.name}: the bias needs the potential's binary point.")
        check_signs(self, {state.word: state.signed for state in _STATES} | {"bias_type": True, "coefficient": False})
        for name in ("k_beta", "g_phi"):
            check_range(f"{self.name}: {name}", getattr(self, name), self.coefficient)
        if max(self.current.width, self.potential.width) + self.coefficient.width + 3 > WORD:
            raise ParameterError(f"{self.name}: states and coefficients exceed {WORD} bits; choose narrower types.")
        self.check_current(self)

    @property
    def input_shape(self) -> Shape:
        return self.weights.shape[:1]

    @property
    def shape(self) -> Shape:
        return (self.classes,)

    @property
    def classes(self) -> int:
        """Number of outputs."""
        return int(self.weights.shape[1])

    @property
    def state_types(self) -> dict[str, FixedType]:
        return {state.name: getattr(self, state.word) for state in _STATES}

    @property
    def state_shapes(self) -> dict[str, Shape]:
        return {state.name: self.shape for state in _STATES}

    @property
    def factor_type(self) -> FixedType:
        return self.coefficient

    @property
    def output_type(self) -> FixedType:
        """Type of V + bias, which is not rounded."""
        integer = max(self.potential.integer, self.bias_type.integer) + 1
        return FixedType(integer + self.potential.fraction, integer)

    def products(self, shift_add: bool) -> int:
        return 0 if shift_add else 2  # k_beta, g_phi

    # ---- golden model ----------------------------------------------------------------------------------------------

    def start(self, images: int) -> ReadoutState:
        return ReadoutState(self, images)

    def program(self) -> Program:
        from adsnn_hls.stages.compiled import ReadoutProgram, filter_of, matrix, sum_dtype

        f = filter_of(self, self.accumulator.fraction)
        return ReadoutProgram(matrix(self.weights), sum_dtype(self.accumulator), f, self.bias)

    # ---- C++ -------------------------------------------------------------------------------------------------------

    def add_layers(self, layers: Layers, wires: Wires) -> Wires:
        sums = add_dense(self, layers, wires)
        factors = {"k_beta": self.k_beta, "g_phi": self.g_phi}
        name = layers.add(
            "ASNReadout",
            layers.name(self),
            sums.inputs,
            {
                "bias": self.bias_type,
                **{state.word: getattr(self, state.word) for state in _STATES},
                "coefficient": self.coefficient,
                "result": self.output_type,
            },
            out_shape=[layers.steps, self.classes] if layers.stream else [self.classes],
            constants=node_constants(self, layers, self.shape)
            | factors
            | coefficient_constants(self.coefficient, factors.values()),
            bias_data=self.bias_type.value(self.bias),
        )
        layers.unshared(name)
        return Wires(name, self.shape)

    # ---- RTL -------------------------------------------------------------------------------------------------------

    def choose_lanes(self, cycles: int) -> Lanes:
        return Lanes(1, max(n for n in divisors(self.channels) if n <= MOST))

    def check_lanes(self, lanes: Lanes) -> None:
        super().check_lanes(lanes)
        if lanes.units != 1:
            raise ParameterError(f"{self.name}: the read-out has one unit, not {lanes.units}; give it lanes instead.")

    def instance(self, name: str, lanes: Lanes, multiplier: bool) -> Instance:
        files = self.weight_memory(name, lanes) | bias_memory(f"{name}_bias", self.bias, self.bias_type, 1)
        parameters: Parameters = {
            "INPUTS": self.weights.shape[0],
            "CLASSES": self.classes,
            "BIAS_FILE": f"{name}_bias",
            "MULTIPLIER": int(multiplier),
            "B_W": self.bias_type.width,
            "C_W": self.coefficient.width,
            "C_F": self.coefficient.fraction,
            "K_BETA": self.k_beta,
            "G_PHI": self.g_phi,
            **self.synapse_parameters(name, lanes),
        }
        for state in _STATES:
            parameters |= type_parameters(state.letter, self.name, getattr(self, state.word))
        return Instance("asn_readout_stage", name, parameters, self.weights.shape[0], self.classes, files, self.signed)


class ReadoutState:
    """I and V of the read-out, for a batch of images."""

    def __init__(self, stage: ReadoutStage, images: int) -> None:
        self.stage = stage
        self.I, self.V = (np.zeros((images, stage.classes), np.int64) for _ in range(2))
        self.assign = {name: Assign(kind) for name, kind in stage.state_types.items()}

    @property
    def words(self) -> Mapping[str, Words]:
        """By state word, the raw words."""
        return {name: getattr(self, name) for name in self.assign}

    def step(self, signal: Spikes) -> Words:
        """Spikes in, outputs out."""
        s = self.stage
        drive = s.totals(signal)
        I, V = self.assign["I"], self.assign["V"]
        self.I = current_step(self.I, drive, s.accumulator.fraction, s.k_beta, I, s.coefficient)
        self.V = filter_step(self.V, self.I, s.g_phi, V, s.current, s.coefficient)
        return self.V + s.bias
