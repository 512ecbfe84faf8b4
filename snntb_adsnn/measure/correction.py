"""Bias correction: lets a spiking network's mean potentials be those of its transfer functions.

Spikes encode f(S) exactly only where S stands still. In a network S trembles with the spikes that arrive: a neuron in
its silent zone fires now and then, the maximum of trembling potentials lies above the maximum of their means. At high
m_f, where spikes are few and large, these shifts add up from layer to layer. Their mean over inputs is a constant for
each channel, so a constant can take it away.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from snntb_adsnn.engine import simulate
from snntb_adsnn.errors import ParameterError
from snntb_adsnn.network import Neurons, Readout, SpikingNetwork
from snntb_adsnn.network.maps import Array

DURATION, SETTLE = 300.0, 100.0
"""Simulated time, and the part of it before potentials are averaged: until then layers are still filling up, ms."""

_RECORDED = 1 << 26
"""Potentials recorded at a time, at most (256 MB)."""


def correct_biases(
    network: SpikingNetwork,
    x: Any,
    *,
    trained: SpikingNetwork | None = None,
    duration: float = DURATION,
    settle: float = SETTLE,
    engine: str = "auto",
) -> SpikingNetwork:
    """The same network with each layer's biases shifted so that its mean potential is the one under ``analog``.

    Layers are corrected in order, each with those before it already corrected. Weights stay as they are; a population
    with one bias for each neuron keeps their differences within a channel.

    Args:
        network: at the precision at which it will be simulated.
        x: training inputs, shape (images, *input shape); a few hundred suffice. Not the test inputs.
        trained: the network at the precision it was trained at, whose ``analog`` is the ANN, where this is another.
        duration, settle: potentials are averaged from ``settle`` to ``duration`` ms.
        engine: as in ``simulate``.

    Raises:
        ParameterError: inputs that do not fit, or no time left to average over.
    """
    if not 0 <= settle < duration:
        raise ParameterError(
            f"bias correction averages from {settle:g} to {duration:g} ms; there must be time between."
        )
    targets = analog_means(trained or network, x)
    for name in (*network.population_names, network.readout.name):
        error = spiking_means(network, x, duration=duration, settle=settle, engine=engine)[name] - targets[name]
        network = _shifted(network, name, -error)
    return network


def analog_means(network: SpikingNetwork, x: Any) -> dict[str, Array]:
    """By population and read-out, the mean potential of each channel under the transfer functions.

    Args:
        x: shape (images, *input shape).

    Returns:
        arrays of shape (channels,): means over images and positions.
    """
    x = network.held(x, np.float64)
    values: dict[str, Array] = {network.input.name: x}
    means = {}
    for node, total in network.propagate(values):
        if isinstance(node, Neurons):
            values[node.name] = node.analog(total)
            means[node.name] = _by_channel(node.potential(total))
        elif isinstance(node, Readout):
            means[node.name] = _by_channel(total + node.bias)
    return means


def spiking_means(
    network: SpikingNetwork, x: Any, *, duration: float = DURATION, settle: float = SETTLE, engine: str = "auto"
) -> dict[str, Array]:
    """By population and read-out, the mean potential of each channel in simulation, from ``settle`` ms on.

    Args:
        x: shape (images, *input shape).

    Returns:
        arrays of shape (channels,): means over images, positions and steps.
    """
    x = network.check_images(x, np.float32)
    first = round(settle / network.dt)
    batch = max(1, int(_RECORDED / (network.neuron_count * duration / network.dt)))
    sums: dict[str, Array] = {}
    for start in range(0, len(x), batch):
        part = x[start : start + batch]
        result = simulate(network, part, duration=duration, engine=engine, record="S")
        recorded = {**result.records["S"], network.readout.name: result.outputs}
        for name, S in recorded.items():
            sums[name] = sums.get(name, 0.0) + _by_channel(S[:, first:]) * len(part)
    return {name: total / len(x) for name, total in sums.items()}


def _by_channel(potentials: Array) -> Array:
    """Mean over all axes but the last, in float64."""
    means: Array = potentials.mean(axis=tuple(range(potentials.ndim - 1)), dtype=np.float64)
    return means


def _shifted(network: SpikingNetwork, name: str, shift: Array) -> SpikingNetwork:
    """The network with ``shift`` of shape (channels,) added to the biases of one node."""
    nodes = (
        replace(node, bias=(node.bias + shift).astype(node.bias.dtype))
        if node.name == name and isinstance(node, Neurons | Readout)
        else node
        for node in network.nodes
    )
    return SpikingNetwork(tuple(nodes))
