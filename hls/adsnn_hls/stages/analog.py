"""The first stage: a current that pixels set, held for an image, and spiking neurons."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from adsnn_hls.arithmetic import FixedType, Words
from adsnn_hls.arithmetic.steps import Assign, Range, align
from adsnn_hls.cores import Instance, Lanes
from adsnn_hls.cores.lanes import units_for
from adsnn_hls.cores.memories import bias_memory, records
from adsnn_hls.stages.base import STAGES, check_range, check_sum, freeze_words
from adsnn_hls.stages.layers import Layers, Wires
from adsnn_hls.stages.neurons import FixedNeurons, NeuronState, Spikes, SpikingStage, add_neurons
from adsnn_hls.stages.running import Program
from snntb_adsnn.errors import NetworkError, ParameterError
from snntb_adsnn.network.maps import Shape


@STAGES.register("AnalogStage")
@dataclass(frozen=True, eq=False)
class AnalogStage(SpikingStage):
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

    place: ClassVar[Literal["first", "inner", "last"]] = "first"

    def __post_init__(self) -> None:
        for name in ("gain", "offset"):
            freeze_words(self, name)
            values = getattr(self, name)
            if values.shape not in (self.input_shape, self.input_shape[-1:]):
                raise NetworkError(f"{self.name}: {name} of shape {values.shape} does not fit {self.input_shape}.")
            check_range(f"{self.name}: {name}", values, getattr(self, f"{name}_type"))
        product = self.gain_type.fraction + self.pixel.fraction, self.gain_type.width + self.pixel.width
        check_sum(self.name, product, (self.offset_type.fraction, self.offset_type.width))

    @property
    def input_shape(self) -> Shape:
        return self.neurons.input_shape

    def products(self, shift_add: bool) -> int:
        return 1 if shift_add else super().products(shift_add)  # the gain takes the place of k_beta

    # ---- golden model ----------------------------------------------------------------------------------------------

    def held_current(self, pixels: Words) -> tuple[Words, int]:
        """gain * pixel + offset, exact, and its fraction bits."""
        g, o = self.gain_type.fraction + self.pixel.fraction, self.offset_type.fraction
        f = max(g, o)
        return align(self.gain * pixels, g, f) + align(self.offset, o, f), f

    def start(self, images: int) -> AnalogState:
        return AnalogState(self, images)

    def program(self) -> Program:
        from adsnn_hls.stages.compiled import held_program

        return held_program(self.neurons, self._held)

    def _held(self, pixels: Words) -> tuple[Words, Range]:
        assign = Assign(self.neurons.current)
        current = assign(*self.held_current(pixels))
        return current, assign.range

    # ---- C++ -------------------------------------------------------------------------------------------------------

    def add_layers(self, layers: Layers, wires: Wires) -> Wires:
        more: dict[str, Any] = {
            "types": {"gain": self.gain_type, "offset": self.offset_type},
            "constants": {"analog": True, "n_gain": self.gain.size, "n_offset": self.offset.size},
            "arrays": {
                "gain_data": self.gain_type.value(self.gain).ravel(),
                "offset_data": self.offset_type.value(self.offset).ravel(),
            },
        }
        return add_neurons(self, layers, wires, "AnalogASN", more)

    # ---- RTL -------------------------------------------------------------------------------------------------------

    @property
    def channels(self) -> int:
        return self.neurons.size

    def choose_lanes(self, cycles: int) -> Lanes:
        units = units_for(math.prod(self.neurons.input_shape), self.channels, cycles)
        return Lanes(units, units)

    def check_lanes(self, lanes: Lanes) -> None:
        super().check_lanes(lanes)
        if lanes.lanes != lanes.units:
            raise ParameterError(f"{self.name}: the first stage has no weights; give it as many lanes as units.")

    def instance(self, name: str, lanes: Lanes, multiplier: bool) -> Instance:
        n = self.neurons
        if n.pool is not None:
            raise NetworkError(f"{self.name}: the RTL's first stage cannot pool; pool the images before.")
        gain, gains = self.gain_memory(f"{name}_gain")
        one_bias = n.bias.size == 1
        bias = n.bias if one_bias else np.broadcast_to(n.bias, n.shape)
        groups = np.repeat(bias.ravel(), lanes.units) if one_bias else bias
        neurons = n.parameters(self.name)
        del neurons["K_BETA"]  # a held current does not decay
        return Instance(
            "asn_analog_stage",
            name,
            {
                "NEURONS": n.size,
                "UNITS": lanes.units,
                "PIXEL_W": self.pixel.width,
                "GAINS": gains,
                "GAIN_FILE": f"{name}_gain",
                "GAIN_W": self.gain_type.width,
                "OFFSET_W": self.offset_type.width,
                "PRODUCT_F": self.gain_type.fraction + self.pixel.fraction,
                "OFFSET_F": self.offset_type.fraction,
                "BIAS_BY_NEURON": int(not one_bias),
                "BIAS_FILE": f"{name}_bias",
                "MULTIPLIER": int(multiplier),
                "ONSET": n.onset,
                "FIFO_DEPTH": lanes.fifo,
                **neurons,
            },
            n.size,
            n.size,
            files=gain | bias_memory(f"{name}_bias", groups, n.bias_type, lanes.units),
            signed_out=n.signed,
        )

    def gain_memory(self, name: str) -> tuple[dict[str, str], int]:
        """Words {gain, offset} for the input words in turn, and their number."""
        channels = self.input_shape[-1:]
        by_channel = self.gain.shape == channels and self.offset.shape == channels
        shape = channels if by_channel else self.input_shape
        gain, offset = (np.broadcast_to(a, shape).ravel() for a in (self.gain, self.offset))
        fields = [(self.gain_type.width, gain.tolist()), (self.offset_type.width, offset.tolist())]
        return records(name, fields), len(gain)


class AnalogState:
    """The first stage's neurons, for a batch of images; the first step computes the held current."""

    def __init__(self, stage: AnalogStage, images: int) -> None:
        self.stage, self.neurons = stage, NeuronState(stage.neurons, images)
        self.loaded = False

    @property
    def assign(self) -> Mapping[str, Assign]:
        """By state word, its type and statistics."""
        return self.neurons.assign

    @property
    def words(self) -> Mapping[str, Words]:
        """By state word, the raw words."""
        return self.neurons.words

    def step(self, signal: Words) -> Spikes:
        """Pixels in, which count in the first step only; spikes out."""
        if not self.loaded:
            # assigned once an image, without decay
            self.neurons.I = self.neurons.assign["I"](*self.stage.held_current(signal))
            self.loaded = True
        return self.neurons.fire()
