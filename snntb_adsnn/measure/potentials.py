"""Potentials of a network's layers: under the transfer functions, and in simulation once they have settled."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from snntb_adsnn.engine import simulate
from snntb_adsnn.errors import ParameterError
from snntb_adsnn.network import Neurons, Readout, SpikingNetwork, rewrite
from snntb_adsnn.network.maps import Array

SHORTEST, LONGEST = 300.0, 1200.0
"""Simulated time at first, and at most where a layer has not settled by then, ms."""

MEASURED = 150.0
"""Time after settling over which potentials are averaged, at least, ms."""

BLOCK = 25.0
"""Time over which potentials are averaged to see whether they still drift, ms."""

DRIFT = 0.02
"""Drift of the channels' mean potentials, as a share of the potentials' own spread, at which they count as settled."""

WATCHED = 20
"""Inputs, at most, on which the layers are watched until they settle."""

_RECORDED = 1 << 26
"""Potentials recorded at a time, at most (256 MB)."""


@dataclass(frozen=True)
class Window:
    """Steps from ``first`` to ``end``, over which potentials are averaged."""

    first: int
    end: int


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
    duration: float | None = None,
    settle: float | None = None,
    engine: str = "auto",
) -> Iterator[Array]:
    """Potentials of one layer in simulation, averaged over time.

    Args:
        x: shape (images, *input shape).
        name: of a population, or of the read-out.
        duration, settle: they are averaged from ``settle`` to ``duration`` ms. Without them the layer's own potentials
            tell: from where the channels' means stop drifting (``DRIFT``), for ``MEASURED`` ms at least. A layer that
            has not settled after ``LONGEST`` ms is averaged over its last ``MEASURED`` ms.

    Yields:
        arrays of shape (images of a batch, *shape of the node), float64.

    Raises:
        ParameterError: no time left to average over.
    """
    x, layer = network.check_images(x, np.float32), _Layer(network, name)
    if layer.held:
        yield layer.at_rest(x)
        return
    if duration is None and settle is None:
        window, start = layer.settled(x, engine), 0
    else:
        first, end = (settle or 0.0), (SHORTEST if duration is None else duration)
        if not 0 <= first < end:
            raise ParameterError(f"potentials are averaged from {first:g} to {end:g} ms; there must be time between.")
        window, start = Window(round(first / network.dt), round(end / network.dt)), 0
    batch = layer.batch(window.end)
    for start in range(0, len(x), batch):
        yield layer.mean(layer.run(x[start : start + batch], window.end, engine)[:, window.first :])


class _Layer:
    """A population or the read-out, and the part of the network that it depends on."""

    def __init__(self, network: SpikingNetwork, name: str) -> None:
        self.node = network.by_name[name]
        self.network = _currents_of(network, self.node) if isinstance(self.node, Neurons) else network
        self.held = isinstance(self.node, Neurons) and not self.network.populations
        """Whether no spikes reach it: its potential only rises to that of the held input."""

    def at_rest(self, x: Array) -> Array:
        """The potential that the held input alone leads to, for images ``x``."""
        assert isinstance(self.node, Neurons)
        values: dict[str, Array] = {self.network.input.name: self.network.held(x, np.float64)}
        ((_, total),) = self.network.propagate(values)
        return self.node.potential(total)

    def batch(self, steps: int) -> int:
        """Images simulated at a time."""
        return max(1, _RECORDED // (steps * math.prod(self.network.readout.shape)))

    def run(self, x: Array, steps: int, engine: str) -> Array:
        """V before pooling, or the read-out's outputs: shape (images, steps, ...)."""
        return simulate(self.network, x, duration=steps * self.network.dt, engine=engine).outputs

    def mean(self, V: Array) -> Array:
        """Mean over steps of S = pool(V) + bias, for V of shape (images, steps, ...)."""
        node = self.node
        if not isinstance(node, Neurons):
            return V.mean(axis=1, dtype=np.float64)
        return np.stack([node.potential(image).mean(axis=0, dtype=np.float64) for image in V])

    def settled(self, x: Array, engine: str) -> Window:
        """From where the potentials have settled, on the first images."""
        dt = self.network.dt
        longest = SHORTEST
        while True:
            steps = round(longest / dt)
            some = x[: min(self.batch(steps), WATCHED)]
            first = self._settling(self.run(some, steps, engine))
            if first <= steps - round(MEASURED / dt):
                return Window(first, steps)
            if longest >= LONGEST:
                return Window(steps - round(MEASURED / dt), steps)
            longest = min(2 * longest, LONGEST)

    def _settling(self, V: Array) -> int:
        """First step from which no block's channel means are further from the last one's than ``DRIFT``."""
        length = max(1, round(BLOCK / self.network.dt))
        blocks = [self.mean(V[:, start : start + length]) for start in range(0, V.shape[1] - length + 1, length)]
        S = np.stack([block.reshape(-1, block.shape[-1]) for block in blocks])  # blocks, values, channels
        means, last = S.mean(axis=1), S[-4:].mean(axis=(0, 1))
        drift = np.sqrt(((means - last) ** 2).mean(axis=1))
        spread = np.sqrt(S[-4:].mean(axis=0).var(axis=0).mean())
        late = np.flatnonzero(drift > DRIFT * spread)
        return 0 if not len(late) else (int(late[-1]) + 1) * length


def _currents_of(network: SpikingNetwork, node: Neurons) -> SpikingNetwork:
    """The part of the network that a population depends on, with a read-out that filters its currents as it does: the
    engines keep every step of a read-out."""
    end, shape, p = rewrite.fresh_name(f"{node.name}/end", network.by_name), node.input_shapes[0], node.parameters
    zero = np.zeros(shape, np.float32)
    readout = Readout(end, node.inputs, node.input_shapes, zero, p.tau_phi, p.tau_beta, p.dt, "linear")
    nodes = {n.name: n for n in (*network.nodes, readout) if n is not network.readout}
    return SpikingNetwork(tuple(rewrite.prune(nodes).values()))
