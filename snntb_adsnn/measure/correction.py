"""Correction of biases and slopes: lets a spiking network's potentials be those of its transfer functions.

Spikes encode f(S) exactly only where S stands still. In a network S trembles with the spikes that arrive: a neuron in
its silent zone fires now and then, the maximum of trembling potentials lies above the maximum of their means. At high
m_f, where spikes are few and large, these shifts add up from layer to layer. Their mean over inputs is a constant for
each channel, so a constant can take it away.

Graded spikes besides encode S tanh(x)/x where the net computes max(0, S) (``transfer.graded_transfer``): the less, the
lower the rate. A factor for each channel gives most of it back. So where ``slopes`` are corrected, a channel's
potential S becomes a S + b, the least squares fit of the potentials that the transfer functions give.

To correct the biases of a converted net layer by layer is the light form of the calibration of Li et al., "A Free Lunch
From ANN: Towards Efficient, Accurate Spiking Neural Networks Calibration" (arXiv 2106.06984).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from snntb_adsnn.engine import simulate
from snntb_adsnn.errors import ParameterError
from snntb_adsnn.network import Neurons, Readout, SpikingNetwork, rewrite
from snntb_adsnn.network.maps import Array, Node, Scale

DURATION, SETTLE = 300.0, 100.0
"""Simulated time, and the part of it before potentials are averaged: until then layers are still filling up, ms."""

SLOPES = 0.25, 4.0
"""Smallest and largest factor that a channel's potential is given."""

_RECORDED = 1 << 26
"""Potentials recorded at a time, at most (256 MB)."""


@dataclass(frozen=True, eq=False)
class Correction:
    """What a network is corrected with.

    Attributes:
        inputs: training inputs, shape (images, *input shape).
        slopes: whether slopes are corrected, not biases alone.
    """

    inputs: Array
    slopes: bool = False

    def of(self, network: SpikingNetwork, trained: SpikingNetwork, **how: Any) -> SpikingNetwork:
        """``network`` corrected; arguments as those of ``correct_biases``."""
        return correct_biases(network, self.inputs, trained=trained, slopes=self.slopes, **how)

    def __str__(self) -> str:
        return (
            f"Correcting {'biases and slopes' if self.slopes else 'biases'} from {len(self.inputs)} training inputs ..."
        )


def correct_biases(
    network: SpikingNetwork,
    x: Any,
    *,
    trained: SpikingNetwork | None = None,
    duration: float = DURATION,
    settle: float = SETTLE,
    engine: str = "auto",
    slopes: bool = False,
) -> SpikingNetwork:
    """The same network with each layer's biases shifted so that its mean potential is the one under ``analog``.

    Layers are corrected in order, each with those before it already corrected. A population with one bias for each
    neuron keeps their differences within a channel.

    Args:
        network: at the precision at which it will be simulated.
        x: training inputs, shape (images, *input shape); a few hundred suffice. Not the test inputs.
        trained: the network at the precision it was trained at, whose ``analog`` is the ANN, where this is another.
        duration, settle: potentials are averaged from ``settle`` to ``duration`` ms.
        engine: as in ``simulate``.
        slopes: also give each channel's potential the factor that fits best, within ``SLOPES``. Weights take it in
            where they can. ``False``: weights stay as they are.

    Raises:
        ParameterError: inputs that do not fit, or no time left to average over.
    """
    if not 0 <= settle < duration:
        raise ParameterError(
            f"bias correction averages from {settle:g} to {duration:g} ms; there must be time between."
        )
    for name, wanted in analog_potentials(trained or network, x):
        batches = spiking_potentials(network, x, name, duration=duration, settle=settle, engine=engine)
        slope, shift = _fit(batches, wanted, slopes)
        network = _corrected(network, name, slope if slopes else None, shift)
    return network


def analog_potentials(network: SpikingNetwork, x: Any) -> Iterator[tuple[str, Array]]:
    """By population and read-out, in order, the potentials under the transfer functions.

    Args:
        x: shape (images, *input shape).

    Yields:
        name, and an array of shape (images, *shape of the node).
    """
    values: dict[str, Array] = {network.input.name: network.held(x, np.float64)}
    for node, total in network.propagate(values):
        if isinstance(node, Neurons):
            values[node.name] = node.analog(total)
            yield node.name, node.potential(total)
        elif isinstance(node, Readout):
            yield node.name, total + node.bias


def spiking_potentials(
    network: SpikingNetwork,
    x: Any,
    name: str,
    *,
    duration: float = DURATION,
    settle: float = SETTLE,
    engine: str = "auto",
) -> Iterator[Array]:
    """Potentials of one layer in simulation, averaged over time from ``settle`` ms on.

    Args:
        x: shape (images, *input shape).
        name: of a population, or of the read-out.

    Yields:
        arrays of shape (images of a batch, *shape of the node), float64.
    """
    x = network.check_images(x, np.float32)
    first, steps, node = round(settle / network.dt), round(duration / network.dt), network.by_name[name]
    part = _currents_of(network, node) if isinstance(node, Neurons) else network
    if isinstance(node, Neurons) and not part.populations:  # the input is held: V rises to it as 1 - k_phi^step
        risen = float(np.mean(1 - node.parameters.k_phi ** np.arange(first + 1, steps + 1)))
        yield node.potential(_held(part, x) * risen)
        return
    batch = max(1, _RECORDED // (steps * math.prod(part.readout.shape)))
    for start in range(0, len(x), batch):
        V = simulate(part, x[start : start + batch], duration=duration, engine=engine).outputs[:, first:]
        yield _mean_potential(node, V) if isinstance(node, Neurons) else V.mean(axis=1, dtype=np.float64)


def _currents_of(network: SpikingNetwork, node: Neurons) -> SpikingNetwork:
    """The part of the network that a population depends on, with a read-out that filters its currents as it does: the
    engines keep every step of a read-out."""
    end, shape, p = rewrite.fresh_name(f"{node.name}/end", network.by_name), node.input_shapes[0], node.parameters
    zero = np.zeros(shape, np.float32)
    readout = Readout(end, node.inputs, node.input_shapes, zero, p.tau_phi, p.tau_beta, p.dt, "linear")
    nodes = {n.name: n for n in (*network.nodes, readout) if n is not network.readout}
    return SpikingNetwork(tuple(rewrite.prune(nodes).values()))


def _mean_potential(node: Neurons, V: Array) -> Array:
    """Mean over steps of S = pool(V) + bias, for V of shape (images, steps, *input shape)."""
    return np.stack([node.potential(image).mean(axis=0, dtype=np.float64) for image in V])


def _held(part: SpikingNetwork, x: Array) -> Array:
    """The current of a read-out that no spikes reach, for images ``x``."""
    values: dict[str, Array] = {part.input.name: part.held(x, np.float64)}
    ((_, total),) = part.propagate(values)
    return total


def _fit(batches: Iterator[Array], wanted: Array, slopes: bool) -> tuple[Array, Array]:
    """Slope a and shift b of each channel, so that a S + b comes nearest to what is wanted; without ``slopes``, a = 1.

    Args:
        batches: S, shapes (images, ..., channels).
        wanted: for all images.
    """
    channels, start = wanted.shape[-1], 0
    sums = np.zeros((5, channels))
    for batch in batches:
        S = batch.reshape(-1, channels)
        goal = wanted[start : start + len(batch)].reshape(-1, channels).astype(np.float64)
        start += len(batch)
        sums += np.stack([np.full(channels, len(S)), S.sum(0), goal.sum(0), (S * goal).sum(0), (S * S).sum(0)])
    mean, goal_mean, product, square = sums[1:] / sums[0]
    slope = np.ones(channels)
    if slopes:
        variance = square - mean**2
        varies = variance > 1e-9 * square  # else all inputs give this channel the same
        slope[varies] = np.clip((product - mean * goal_mean)[varies] / variance[varies], *SLOPES)
    return slope, goal_mean - slope * mean


def _corrected(network: SpikingNetwork, name: str, slope: Array | None, shift: Array) -> SpikingNetwork:
    """The network in which the potential of one node is ``slope`` times as large, and ``shift`` more."""
    nodes: rewrite.Graph = {}
    node: Node
    for node in network.nodes:
        if node.name == name:
            assert isinstance(node, Neurons | Readout)
            node = replace(node, bias=node.bias + shift if slope is None else node.bias * slope + shift)
            if slope is not None:
                own = rewrite.fresh_name(f"{name}/slope", network.by_name)
                nodes[own] = scaled = Scale(own, node.inputs, node.input_shapes, slope)
                node = rewrite.reconnect(node, node.inputs[0], scaled)
        nodes[node.name] = node
    nodes = nodes if slope is None else rewrite.fold_gains(nodes)
    return SpikingNetwork(tuple(rewrite.round_constants(nodes, network.readout.bias.dtype.type).values()))
