"""Correction of biases and slopes: lets a spiking network's potentials be those of its transfer functions.

Spikes encode f(S) exactly only where S stands still. In a network S trembles with the spikes that arrive: a neuron in
its silent zone fires now and then, the maximum of trembling potentials lies above the maximum of their means. At high
m_f, where spikes are few and large, these shifts add up from layer to layer. Their mean over inputs is a constant for
each channel, so a constant can take it away.

What trembling does also depends on the potential itself, and so does the step to another precision: f moves with m_f.
So where ``slopes`` are corrected, a channel's potential S becomes a S + b, the least squares fit of the potentials that
are wanted. The factor also gives each channel back the variance that low rates take away, which is most of what graded
spikes lose (``transfer.graded_transfer``).

The potentials that are wanted are those under the transfer functions that the network was trained with. Where a layer
is simulated at a finer precision than its own, each is the potential at which the finer neuron encodes the same value.

To correct the biases of a converted net layer by layer is the light form of the calibration of Li et al., "A Free Lunch
From ANN: Towards Efficient, Accurate Spiking Neural Networks Calibration" (arXiv 2106.06984).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from snntb_adsnn.engine import simulate
from snntb_adsnn.errors import ParameterError
from snntb_adsnn.measure.potentials import MEASURED, analog_potentials, spiking_potentials
from snntb_adsnn.network import Neurons, Readout, SpikingNetwork, rewrite
from snntb_adsnn.network.maps import Array, Node, Scale
from snntb_adsnn.neuron.transfer import same_output

SLOPES = 0.25, 4.0
"""Smallest and largest factor that a channel's potential is given."""

JUDGED = 500.0
"""Simulated time after which two networks are compared on held-out inputs, ms."""


@dataclass(frozen=True, eq=False)
class Correction:
    """What a network is corrected with.

    Attributes:
        inputs: training inputs, shape (images, *input shape).
        slopes: whether slopes are corrected, not biases alone.
        held_out: other training inputs, on which the corrected network must come nearer to the ANN than without the
            correction, or it stays as it is; ``None``: it is not asked.
        always: whether a network is corrected at the precision that it was trained at, too. Graded spikes always are:
            a ReLU net was not trained for what they encode.
    """

    inputs: Array
    slopes: bool = True
    held_out: Array | None = None
    always: bool = True

    def of(
        self, network: SpikingNetwork, trained: SpikingNetwork, *, engine: str = "auto", **how: Any
    ) -> SpikingNetwork:
        """``network`` corrected; arguments as those of ``correct_biases``."""
        if not self.applies(network, trained):
            return network
        corrected = correct_biases(network, self.inputs, trained=trained, slopes=self.slopes, engine=engine, **how)
        if self.held_out is None:
            return corrected
        before, after = (distance(n, trained, self.held_out, engine=engine) for n in (network, corrected))
        if after < before:
            return corrected
        print(
            f"The correction is left out: on {len(self.held_out)} held-out training inputs the outputs are no nearer "
            f"to the ANN's with it ({after:.4g} against {before:.4g})."
        )
        return network

    def applies(self, network: SpikingNetwork, trained: SpikingNetwork) -> bool:
        """Whether ``network`` is corrected at all."""
        return self.always or _differs(network, trained)

    def __str__(self) -> str:
        return (
            f"Correcting {'biases and slopes' if self.slopes else 'biases'} from {len(self.inputs)} training inputs ..."
        )


def _differs(network: SpikingNetwork, trained: SpikingNetwork) -> bool:
    """Whether spikes encode something else than the network was trained for."""
    return any(
        a.graded or a.parameters != b.parameters or a.form != b.form or not np.array_equal(a.m_f, b.m_f)  # type: ignore[arg-type]
        for a, b in zip(network.populations, trained.populations, strict=True)
    )


def distance(network: SpikingNetwork, trained: SpikingNetwork, x: Any, *, engine: str = "auto") -> float:
    """How far the simulated outputs are from the ANN's: root mean square of the difference, over inputs and values.

    Outputs are those behind the last activation, averaged over the last ``MEASURED`` of ``JUDGED`` ms.

    Args:
        network: what is simulated.
        trained: whose ``analog`` is the ANN.
        x: shape (images, *input shape).
    """
    outputs = simulate(network, x, duration=JUDGED, engine=engine).outputs[:, -round(MEASURED / network.dt) :]
    found = network.readout.activated(outputs).mean(axis=1, dtype=np.float64)
    wanted = trained.analog(x).reshape(found.shape)
    return float(np.sqrt(((found - wanted) ** 2).mean()))


def correct_biases(
    network: SpikingNetwork,
    x: Any,
    *,
    trained: SpikingNetwork | None = None,
    duration: float | None = None,
    settle: float | None = None,
    engine: str = "auto",
    slopes: bool = False,
) -> SpikingNetwork:
    """The same network with each layer's biases shifted so that its mean potential is the one that is wanted.

    Layers are corrected in order, each with those before it already corrected. A population with one bias for each
    neuron keeps their differences within a channel. Where neurons of a channel have several m_f, each m_f gets a shift
    of its own.

    Args:
        network: at the precision at which it will be simulated.
        x: training inputs, shape (images, *input shape); a few hundred suffice. Not the test inputs.
        trained: the network at the precision it was trained at, whose ``analog`` is the ANN, where this is another.
        duration, settle: potentials are averaged from ``settle`` to ``duration`` ms; without them from where each layer
            has settled (``spiking_potentials``).
        engine: as in ``simulate``.
        slopes: also give each channel's potential the factor that fits best, within ``SLOPES``. Weights take it in
            where they can. ``False``: weights stay as they are.

    Raises:
        ParameterError: inputs that do not fit, no time left to average over, or biases that were corrected before.
    """
    if any(p.corrected for p in network.populations):
        raise ParameterError("the biases of this network were corrected before; correct the one that was converted.")
    trained = trained or network
    for name, analog in analog_potentials(trained, x):
        node, known = network.by_name[name], trained.by_name[name]
        wanted = analog
        if isinstance(node, Neurons) and isinstance(known, Neurons):
            wanted = _wanted(node, known, analog)
        batches = spiking_potentials(network, x, name, duration=duration, settle=settle, engine=engine)
        slope, shift = _fit(batches, wanted, _levels(node), slopes)
        network = _corrected(network, name, slope if slopes and slope.ndim == 1 else None, shift)
    return network


def _wanted(node: Neurons, trained: Neurons, S: Array) -> Array:
    """Potentials at which ``node`` encodes what the trained one does at ``S``, where it is the finer one; else ``S``:
    a coarser neuron that followed every faint value would tremble more than it tells."""
    if node.graded or trained.m_f is not None:
        return S
    wanted = S.copy()
    own = np.broadcast_to(node.parameters.m_f if node.m_f is None else node.m_f, node.shape)
    for m_f in np.unique(own):
        if m_f < trained.parameters.m_f:
            chosen = own == m_f
            finer = node.parameters.with_m_f(float(m_f))
            wanted[:, chosen] = same_output(S[:, chosen], trained.parameters, finer, node.form)
    return wanted


def _levels(node: Node) -> Array | None:
    """Which neurons share an m_f, as numbers from 0 of the node's shape; ``None``: all of a channel do."""
    if not isinstance(node, Neurons) or node.m_f is None:
        return None
    _, level = np.unique(node.m_f, return_inverse=True)
    levels = np.broadcast_to(level.reshape(node.m_f.shape), node.shape)
    flat = levels.reshape(-1, node.shape[-1])
    return None if (flat == flat[0]).all() else levels


def _fit(batches: Iterator[Array], wanted: Array, levels: Array | None, slopes: bool) -> tuple[Array, Array]:
    """Slope a and shift b of each channel, so that a S + b comes nearest to what is wanted; without ``slopes``, a = 1.

    Args:
        batches: S, shapes (images, ..., channels).
        wanted: for all images.
        levels: from ``_levels``; each has a fit of its own, and the results the shape of a potential.
    """
    channels, start = wanted.shape[-1], 0
    masks = [np.ones((1, channels))] if levels is None else [levels == k for k in range(int(levels.max()) + 1)]
    masks = [mask.reshape(-1, channels).astype(np.float64) for mask in masks]
    sums = np.zeros((len(masks), 5, channels))
    for batch in batches:
        S = batch.reshape(len(batch), -1, channels)
        goal = wanted[start : start + len(batch)].reshape(S.shape).astype(np.float64)
        start += len(batch)
        terms = (np.ones_like(S), S, goal, S * goal, S * S)
        for total, mask in zip(sums, masks, strict=True):
            total += np.stack([(term * mask).sum(axis=(0, 1)) for term in terms])
    slope, shift = np.ones((len(masks), channels)), np.zeros((len(masks), channels))
    for k, (count, *totals) in enumerate(sums):
        there = count > 0
        mean, goal_mean, product, square = (total[there] / count[there] for total in totals)
        if slopes:
            variance = square - mean**2
            varies = variance > 1e-9 * square  # else all inputs give this channel the same
            slope[k, there] = np.where(
                varies, np.clip((product - mean * goal_mean) / np.where(varies, variance, 1), *SLOPES), 1
            )
        shift[k, there] = goal_mean - slope[k, there] * mean
    if levels is None:
        return slope[0], shift[0]
    return np.ones(levels.shape), _by_level(sums, levels)


def _by_level(sums: Array, levels: Array) -> Array:
    """The shift of every neuron, its level's; slopes stay, for a weight serves all neurons of a channel."""
    count = np.maximum(sums[:, 0], 1)
    shift = (sums[:, 2] - sums[:, 1]) / count
    return np.take_along_axis(shift[:, None], levels.reshape(1, -1, levels.shape[-1]), axis=0)[0].reshape(levels.shape)


def _corrected(network: SpikingNetwork, name: str, slope: Array | None, shift: Array) -> SpikingNetwork:
    """The network in which the potential of one node is ``slope`` times as large, and ``shift`` more."""
    nodes: rewrite.Graph = {}
    node: Node
    for node in network.nodes:
        if node.name == name:
            assert isinstance(node, Neurons | Readout)
            node = replace(node, bias=node.bias + shift if slope is None else node.bias * slope + shift)
            if isinstance(node, Neurons):
                node = replace(node, corrected=True)
            if slope is not None:
                own = rewrite.fresh_name(f"{name}/slope", network.by_name)
                nodes[own] = scaled = Scale(own, node.inputs, node.input_shapes, slope)
                node = rewrite.reconnect(node, node.inputs[0], scaled)
        nodes[node.name] = node
    nodes = nodes if slope is None else rewrite.fold_gains(nodes)
    return SpikingNetwork(tuple(rewrite.round_constants(nodes, network.readout.bias.dtype.type).values()))
