"""How parallel each stage is, and whether the cores can do it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from adsnn_hls.stages import AnalogStage, FixedNetwork, ReadoutStage, SpikingStage, Stage
from snntb_adsnn.errors import ParameterError

_MOST_LANES = 32  # default choice only


@dataclass(frozen=True)
class Lanes:
    """Parallelism of one stage.

    Attributes:
        units: neurons updated per clock; divides ``lanes`` (the read-out has one unit).
        lanes: weights added per clock and event; divides the stage's channels (dense: neurons). The first stage has
            no weights: there it equals ``units``.
        fifo: spike groups that the stage can be ahead of the next one; a power of two, at least 32.
    """

    units: int = 1
    lanes: int = 1
    fifo: int = 64


def channels(stage: Stage) -> int:
    """Neurons of a stage that lanes and units must divide: those at one pixel."""
    if isinstance(stage, ReadoutStage):
        return stage.classes
    assert isinstance(stage, SpikingStage)
    if isinstance(stage, AnalogStage):
        return stage.neurons.size
    return stage.neurons.input_shape[-1]


def choose_lanes(network: FixedNetwork, cycles: int = 256) -> dict[str, Lanes]:
    """Parallelism for about ``cycles`` clocks per time step (pipeline and spikes come on top).

    Args:
        network: the network.
        cycles: clocks in which a stage should have updated all its neurons.

    Raises:
        ParameterError: ``cycles`` is below 1.
    """
    if cycles < 1:
        raise ParameterError(f"cycles = {cycles} is not allowed: a time step takes at least one clock.")
    chosen = {}
    for stage in network.stages:
        count = channels(stage)
        divisors = [n for n in range(1, count + 1) if count % n == 0]
        if isinstance(stage, ReadoutStage):
            chosen[stage.name] = Lanes(1, max(n for n in divisors if n <= _MOST_LANES))
            continue
        assert isinstance(stage, SpikingStage)
        pixels = -(-_inputs(stage) // count)
        units = next((n for n in divisors if pixels * count <= cycles * n), count)
        if isinstance(stage, AnalogStage):
            chosen[stage.name] = Lanes(units, units)
            continue
        multiples = [n for n in divisors if n % units == 0]
        # an event should cost a dense stage few clocks; a convolution adds all channels of a tap at once
        wanted = max(units, min(_MOST_LANES, -(-count // 8) if pixels == 1 else count))
        chosen[stage.name] = Lanes(units, min(multiples, key=lambda n: (abs(n - wanted), n)))
    return chosen


def check_lanes(network: FixedNetwork, lanes: Mapping[str, Lanes]) -> None:
    """Raise ParameterError unless ``lanes`` names all stages and divides their neurons."""
    names = [stage.name for stage in network.stages]
    if set(lanes) != set(names):
        odd = sorted(set(lanes) ^ set(names))
        raise ParameterError(f"parallelism must be given for each of {', '.join(names)}; look at {', '.join(odd)}.")
    for stage in network.stages:
        given, count = lanes[stage.name], channels(stage)
        if min(given.units, given.lanes) < 1 or count % given.lanes:
            fitting = ", ".join(str(n) for n in range(1, count + 1) if count % n == 0)
            raise ParameterError(
                f"{stage.name}: lanes = {given.lanes} do not divide its {count} channels; choose one of {fitting}."
            )
        if given.lanes % given.units:
            raise ParameterError(f"{stage.name}: units = {given.units} do not divide its {given.lanes} lanes.")
        if isinstance(stage, ReadoutStage) and given.units != 1:
            raise ParameterError(f"{stage.name}: the read-out has one unit, not {given.units}; give it lanes instead.")
        if isinstance(stage, AnalogStage) and given.lanes != given.units:
            raise ParameterError(f"{stage.name}: the first stage has no weights; give it as many lanes as units.")
        if given.fifo < 32 or given.fifo & (given.fifo - 1):
            raise ParameterError(f"{stage.name}: fifo = {given.fifo} is not a power of two of at least 32.")


def _inputs(stage: SpikingStage) -> int:
    size = 1
    for n in stage.neurons.input_shape:
        size *= n
    return size
