"""How parallel each stage of a network is, and whether the cores can do it."""

from __future__ import annotations

from collections.abc import Mapping

from adsnn_hls.cores import Lanes
from adsnn_hls.fixed import FixedNetwork
from snntb_adsnn.errors import ParameterError


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
    return {stage.name: stage.choose_lanes(cycles) for stage in network.stages}


def check_lanes(network: FixedNetwork, lanes: Mapping[str, Lanes]) -> None:
    """Raise ParameterError unless ``lanes`` names all stages and divides their neurons."""
    if set(lanes) != set(network.names):
        odd = ", ".join(sorted(set(lanes) ^ set(network.names)))
        raise ParameterError(f"parallelism must be given for each of {', '.join(network.names)}; look at {odd}.")
    for stage in network.stages:
        stage.check_lanes(lanes[stage.name])
