"""What stages with weights share: exact sums, their memories, and, where neurons spike behind them, the core."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from adsnn_hls.arithmetic import FixedType, Words
from adsnn_hls.arithmetic.steps import Assign
from adsnn_hls.cores import Instance, Lanes
from adsnn_hls.cores.instance import Parameters
from adsnn_hls.cores.lanes import MOST, divisors, units_for
from adsnn_hls.cores.memories import bias_memory, memory_files, packed
from adsnn_hls.stages.base import Stage, check_range, check_sum, freeze_words
from adsnn_hls.stages.layers import Layers, Wires
from adsnn_hls.stages.neurons import NeuronState, Spikes, SpikingStage, add_neurons
from adsnn_hls.stages.running import Program
from snntb_adsnn.errors import NetworkError

if TYPE_CHECKING:
    from adsnn_hls.arithmetic.kernels import Synapses


@dataclass(frozen=True, eq=False)
class SynapticStage(Stage):
    """A stage that receives spikes through weights.

    Attributes:
        weights: raw words of ``weight_type``; the spike height of the neurons before is folded in.
        weight_type: signed.
        accumulator: type of the sum of one step, signed, as many fraction bits as the weights; wide enough for any
            set of input spikes.
        signed: whether an input spike may be negative.
    """

    weights: Words
    weight_type: FixedType
    accumulator: FixedType
    signed: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        freeze_words(self, "weights")
        check_range(f"{self.name}: weights", self.weights, self.weight_type)
        if self.accumulator.fraction != self.weight_type.fraction or not self.accumulator.signed:
            raise NetworkError(f"{self.name}: the accumulator must be signed, with the weights' binary point.")
        low, high = accumulator_range(self.weights, self.signed)
        if low < self.accumulator.low or high > self.accumulator.high:
            raise NetworkError(
                f"{self.name}: an accumulator of {self.accumulator.width} bits cannot hold sums from {low} to {high}; "
                f"it needs {sum_type(self.weights, self.weight_type, self.signed).width} bits."
            )

    @property
    def signed_in(self) -> bool:
        return self.signed

    @property
    def signal_types(self) -> dict[str, FixedType]:
        return {"weights": self.weight_type, "accumulator": self.accumulator, **super().signal_types}

    @property
    def weight_count(self) -> int:
        return self.weights.size

    @property
    def weight_bits(self) -> int:
        return self.weights.size * self.weight_type.width

    def totals(self, spikes: Spikes) -> Words:
        """Sum of the weights that this step's spikes (images, *shape) reach: raw words of the accumulator."""
        x = spikes.reshape(len(spikes), *self.input_shape).astype(np.float64)
        weights = self.weights.astype(np.float64)  # sums stay far below 2**53: float64 is exact here, and fast
        return self.accumulator.cast(self.multiply(x, weights).astype(np.int64), self.accumulator.fraction)

    def multiply(self, x: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """The linear map from spikes (images, *input shape) to sums; a matrix unless a stage says otherwise."""
        return x @ weights

    def check_current(self, owner: Any) -> None:
        """Raise ParameterError unless k_beta I + drive fits an intermediate word; ``owner`` has I's types."""
        product = owner.current.fraction + owner.coefficient.fraction, owner.current.width + owner.coefficient.width
        check_sum(self.name, product, (self.accumulator.fraction, self.accumulator.width))

    @property
    def sum_types(self) -> dict[str, FixedType]:
        """Precisions of hls4ml's node of the sums."""
        return {"weight": self.weight_type, "accum": self.accumulator, "result": self.accumulator}

    def synapse_parameters(self, name: str, lanes: Lanes) -> Parameters:
        """Parameters of ``asn_accumulators``."""
        return {
            "LANES": lanes.lanes,
            "W_W": self.weight_type.width,
            "D_W": self.accumulator.width,
            "D_F": self.accumulator.fraction,
            "WEIGHT_FILE": f"{name}_weights",
            "SIGNED": int(self.signed),
        }

    def weight_memory(self, name: str, lanes: Lanes) -> dict[str, str]:
        """Word (input, group) of a dense stage, (row, column, input channel, group) of a convolution."""
        width = self.weight_type.width
        words = packed(self.weights.reshape(-1, lanes.lanes), width)
        return memory_files(f"{name}_weights", words, width * lanes.lanes)


class SpikingSynapticStage(SynapticStage, SpikingStage):
    """Weights, and neurons that spike behind them: ``asn_synaptic_stage``."""

    def start(self, images: int) -> SynapticState:
        return SynapticState(self, images)

    def program(self) -> Program:
        from adsnn_hls.stages.compiled import neuron_program  # needs Numba, which the specification does not

        return neuron_program(self.neurons, self.synapses(), self.accumulator)

    def synapses(self) -> Synapses:
        """The weights for the compiled kernels."""
        raise NotImplementedError

    def add_layers(self, layers: Layers, wires: Wires) -> Wires:
        return add_neurons(self, layers, self.add_sum(layers, wires))

    def add_sum(self, layers: Layers, wires: Wires) -> Wires:
        """Add the nodes of the weighted sums."""
        raise NotImplementedError

    def choose_lanes(self, cycles: int) -> Lanes:
        count, neurons = self.channels, math.prod(self.neurons.input_shape)
        units = units_for(neurons, count, cycles)
        multiples = [n for n in divisors(count) if n % units == 0]
        # an event should cost a dense stage few clocks; a convolution adds all channels of a tap at once
        wanted = max(units, min(MOST, -(-count // 8) if neurons == count else count))
        return Lanes(units, min(multiples, key=lambda n: (abs(n - wanted), n)))

    def instance(self, name: str, lanes: Lanes, multiplier: bool) -> Instance:
        n = self.neurons
        parameters: Parameters = {
            "INPUTS": math.prod(self.input_shape),
            "CHANNELS": self.channels,
            "UNITS": lanes.units,
            "BIAS_BY_NEURON": int(n.bias.shape == n.shape),
            "BIAS_FILE": f"{name}_bias",
            "MULTIPLIER": int(multiplier),
            "ONSET": n.onset,
            "FIFO_DEPTH": lanes.fifo,
            **self.synapse_parameters(name, lanes),
            **n.parameters(self.name),
        }
        more, tables = self.scatter(name, lanes)
        files = self.weight_memory(name, lanes) | bias_memory(f"{name}_bias", n.bias, n.bias_type, lanes.units) | tables
        parameters |= more
        if len(n.input_shape) == 3:
            parameters |= n.image_parameters(self.name)
        inputs = math.prod(self.input_shape)
        return Instance("asn_synaptic_stage", name, parameters, inputs, n.size, files, self.signed, n.signed)

    def scatter(self, name: str, lanes: Lanes) -> tuple[Parameters, dict[str, str]]:
        """More parameters and memories, for how an event finds its weights and sums."""
        return {}, {}


class SynapticState:
    """Neurons behind weights, for a batch of images."""

    def __init__(self, stage: SpikingSynapticStage, images: int) -> None:
        self.stage, self.neurons = stage, NeuronState(stage.neurons, images)

    @property
    def assign(self) -> Mapping[str, Assign]:
        """By state word, its type and statistics."""
        return self.neurons.assign

    @property
    def words(self) -> Mapping[str, Words]:
        """By state word, the raw words."""
        return self.neurons.words

    def step(self, signal: Spikes) -> Spikes:
        """Spikes in, spikes out."""
        self.neurons.receive(self.stage.totals(signal), self.stage.accumulator.fraction)
        return self.neurons.fire()


# ---- accumulators --------------------------------------------------------------------------------------------------


def accumulator_range(weights: Words, signed: bool = False) -> tuple[int, int]:
    """Smallest and largest sum of any subset of the weights that reach one output (the last axis); ``signed``: each of
    the subset may be subtracted instead.
    """
    by_output = weights.reshape(-1, weights.shape[-1])
    if signed:
        most = int(np.abs(by_output).sum(axis=0).max(initial=0))
        return -most, most
    return (
        int(np.minimum(by_output, 0).sum(axis=0).min(initial=0)),
        int(np.maximum(by_output, 0).sum(axis=0).max(initial=0)),
    )


def sum_type(weights: Words, weight_type: FixedType, signed: bool = False) -> FixedType:
    """Narrowest accumulator that cannot overflow, whichever inputs spike: sums are exact, in any order.

    ``signed``: some of the spikes may be negative.
    """
    low, high = accumulator_range(weights, signed)
    width = max(high.bit_length(), (-low - 1).bit_length() if low < 0 else 0) + 1
    return FixedType(width, width - weight_type.fraction)


# ---- hls4ml's dense layer ------------------------------------------------------------------------------------------


def add_dense(stage: SynapticStage, layers: Layers, wires: Wires) -> Wires:
    """Add the node of a matrix of weights, flattening what comes in where it is an image."""
    name, data = layers.name(stage), wires.data
    inputs, outputs = stage.weights.shape
    if len(wires.shape) > 1:
        data = layers.add("Reshape", f"{name}_flat", [data], {"result": wires.spike}, target_shape=[inputs])
    sums = layers.add(
        "SpikeDense",
        f"{name}_synapses",
        [data],
        dict(stage.sum_types),
        n_in=inputs,
        n_out=outputs,
        weight_data=stage.weight_type.value(stage.weights),
        bias_data=None,
        n_steps=layers.calls,
    )
    layers.share_sum(stage, sums, inputs, outputs)
    return Wires(sums, (outputs,), wires.reset)
