"""A network in fixed point as plain data: a chain of stages that C++ and RTL are generated from."""

from __future__ import annotations

import dataclasses
import math
from collections import ChainMap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from adsnn_hls.arithmetic import FixedType, Words
from adsnn_hls.stages import STAGES, AnalogStage, FixedNeurons, ReadoutStage, SpikingStage, Stage
from snntb_adsnn.errors import NetworkError, ParameterError
from snntb_adsnn.network.maps import Shape, Window
from snntb_adsnn.record import Format


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
        if len(self.stages) < 2 or self.stages[0].place != "first":
            raise NetworkError("a fixed-point network starts with an AnalogStage and ends with a ReadoutStage.")
        if self.stages[-1].place != "last":
            raise NetworkError("a fixed-point network ends with a ReadoutStage.")
        if len({stage.name for stage in self.stages}) != len(self.stages):
            raise NetworkError("two stages have the same name; names must be unique.")
        for before, stage in zip(self.stages, self.stages[1:], strict=False):
            if before.place == "last" or stage.place == "first":
                raise NetworkError(f"{stage.name}: a {type(stage).__name__} cannot stand behind {before.name!r}.")
            if before.signed_out != stage.signed_in:
                one, other = ("may be", "cannot be") if before.signed_out else ("cannot be", "may be")
                raise NetworkError(
                    f"{stage.name}: spikes of {before.name!r} {one} negative, but here they {other}; set signed to "
                    f"{before.signed_out}."
                )
            given, needed = before.shape, stage.input_shape
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
    def names(self) -> list[str]:
        """Names of the stages."""
        return [stage.name for stage in self.stages]

    @property
    def input_shape(self) -> Shape:
        """Shape of an image."""
        return self.analog.input_shape

    @property
    def neuron_count(self) -> int:
        """Number of spiking neurons."""
        return sum(stage.updates for stage in self.stages)

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


FORMAT = Format(
    "snntb-adsnn fixed-point network",
    2,
    "fixed-point network file",
    "Quantise the network again.",
    ChainMap({kind.__name__: kind for kind in (FixedNetwork, FixedNeurons, FixedType, Window)}, STAGES),  # type: ignore[arg-type]
)
