"""Random networks for tests of the engines, and what it means that two simulations are the same."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
from hypothesis import HealthCheck, assume, settings
from hypothesis import strategies as st

from snntb_adsnn.engine import RECORDABLE, SimulationResult, Switch, reference
from snntb_adsnn.network import Input, Neurons, Readout, SpikingNetwork
from snntb_adsnn.network.maps import (
    Add,
    Array,
    AveragePool2D,
    Concatenate,
    Conv2D,
    Dense,
    DepthwiseConv2D,
    Linear,
    Node,
    Reshape,
    Scale,
    Shape,
    Window,
    ZeroPad2D,
)
from snntb_adsnn.neuron import ASNParameters
from snntb_adsnn.neuron.transfer import spike_height

ALL = frozenset(RECORDABLE)


RANDOM_NETWORKS = settings(deadline=None, suppress_health_check=list(HealthCheck))


def parameters_with_height(height: float, **constants: float) -> ASNParameters:
    """The neuron whose spike height is ``height`` to float64 precision, by bisection on m_f."""
    low, high = 1e-3, 1.0
    for _ in range(200):
        middle = (low + high) / 2
        if spike_height(ASNParameters(m_f=middle, **constants)) < height:
            low = middle
        else:
            high = middle
    parameters = ASNParameters(m_f=high, **constants)
    assert np.float32(spike_height(parameters)) == np.float32(height)
    return parameters


# on this grid all products and sums of a drive are exact in float32
DYADIC = [
    parameters_with_height(1 / 8),
    parameters_with_height(3 / 16),
    parameters_with_height(1 / 4, tau_phi=5.0, tau_gamma=10.0),
    parameters_with_height(1 / 2, tau_phi=1.0),
]


OWN = dict.fromkeys(DYADIC[:2], DYADIC[:2])


GENERAL = [ASNParameters(m_f=0.1), ASNParameters(m_f=0.3), ASNParameters(m_f=0.2, tau_phi=7.0)]


class Builder:
    """Draws a random network node by node; ``dyadic``: every weight is a small multiple of 1/8."""

    def __init__(self, draw: Callable[..., int], dyadic: bool) -> None:
        self.draw, self.dyadic = draw, dyadic
        self.random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
        self.nodes: list[Node] = []
        self.parameters = DYADIC if dyadic else GENERAL

    def pick(self, low: int, high: int) -> int:
        return self.draw(st.integers(low, high))

    def weights(self, *shape: int, fan_in: int) -> Array:
        scale = 2.0 / np.sqrt(fan_in)
        values = self.random.normal(scale=scale, size=shape) + 0.3 * scale
        values[self.random.random(shape) < 0.1] = 0
        return (np.round(values * 8) / 8 if self.dyadic else values).astype(np.float32)

    def add(self, kind: type[Node], *sources: Node, **fields: object) -> Node:
        names = tuple(s.name for s in sources)
        node = kind(f"{kind.__name__}{len(self.nodes)}", names, tuple(s.shape for s in sources), **fields)
        self.nodes.append(node)
        return node

    def window(self, shape: Shape, *, dilated: bool = True) -> Window:
        size = (self.pick(1, min(3, shape[0])), self.pick(1, min(3, shape[1])))
        dilation = (1, 1)
        if dilated and self.pick(0, 3) == 0 and max(size[0], size[1]) * 2 - 1 <= min(shape[:2]):
            dilation = (2, 2)
        # a window lies at most partly in the padding
        padding = tuple((self.pick(0, k - 1), self.pick(0, k - 1)) for k in size)
        return Window(size, (self.pick(1, 3), self.pick(1, 2)), padding, dilation)

    def power_of_two_pool(self, shape: Shape) -> Window:
        size = (min(2, shape[0]), min(2, shape[1]))
        return Window(size, (self.pick(1, 2), self.pick(1, 2)))

    def linear(self, source: Node) -> Node:
        shape, kind = source.shape, self.pick(0, 8)
        if len(shape) == 1:
            if kind == 0:
                return self.add(Scale, source, factors=self.weights(shape[0], fan_in=4))
            if kind == 1 and shape[0] % 4 == 0:
                return self.add(Reshape, source, target=(2, 2, shape[0] // 4))
            width = self.pick(1, 90)
            return self.add(Dense, source, weights=self.weights(shape[0], width, fan_in=shape[0]))
        channels = shape[2]
        if kind == 0:
            return self.add(Scale, source, factors=self.weights(channels, fan_in=4))
        if kind == 1:
            return self.add(ZeroPad2D, source, padding=((self.pick(0, 2), 1), (0, self.pick(0, 2))))
        if kind == 2:
            pool = self.power_of_two_pool(shape) if self.dyadic else self.window(shape, dilated=False)
            return self.add(AveragePool2D, source, window=pool)
        if kind == 3:
            return self.add(Reshape, source, target=(int(np.prod(shape)),))
        window = self.window(shape)
        if kind == 4:
            multiplier = self.pick(1, 3)
            weights = self.weights(*window.size, channels, multiplier, fan_in=window.size[0] * window.size[1])
            return self.add(DepthwiseConv2D, source, weights=weights, window=window)
        groups = next(g for g in (self.pick(1, 3), 1) if channels % g == 0)
        outputs = groups * self.pick(1, 40 // groups)
        fan_in = window.size[0] * window.size[1] * channels // groups
        weights = self.weights(*window.size, channels // groups, outputs, fan_in=fan_in)
        return self.add(Conv2D, source, weights=weights, window=window, groups=groups)

    def join(self, a: Node, b: Node) -> Node:
        """Residual sum or concatenation, after a projection where shapes differ."""
        if len(a.shape) != len(b.shape) or a.shape[:-1] != b.shape[:-1]:
            a, b = (n if len(n.shape) == 1 else self.add(Reshape, n, target=(int(np.prod(n.shape)),)) for n in (a, b))
        if self.pick(0, 1):
            return self.add(Concatenate, a, b)
        if a.shape != b.shape:
            if len(a.shape) == 3:
                weights = self.weights(1, 1, b.shape[2], a.shape[2], fan_in=b.shape[2])
                b = self.add(Conv2D, b, weights=weights, window=Window((1, 1)))
            else:
                b = self.add(Dense, b, weights=self.weights(b.shape[0], a.shape[0], fan_in=b.shape[0]))
        return self.add(Add, a, b)

    def neurons(self, source: Node) -> Node:
        pool, shape = None, source.shape
        if len(shape) == 3 and self.pick(0, 1):
            pool = self.window(shape, dilated=False)
            shape = (*pool.output_size(*shape[:2]), shape[2])
        bias_shape = shape if self.pick(0, 1) else shape[-1:]
        chosen, m_f = self.parameters[self.pick(0, len(self.parameters) - 1)], None
        if chosen in OWN and self.pick(0, 2) == 0:  # each neuron or pixel its own precision
            where = self.random.random((*shape[:-1], 1) if len(shape) == 3 and self.pick(0, 1) else shape) < 0.5
            m_f = np.where(where, *(p.m_f for p in OWN[chosen]))
        form = "exact" if self.dyadic or self.pick(0, 2) else "relu"
        own_scale = form == "relu" and self.pick(0, 1)
        corrective = (None, None, 2.0, 2.75)[self.pick(0, 3)]
        return self.add(
            Neurons,
            source,
            bias=(self.random.normal(size=bias_shape) * 0.2).astype(np.float32),
            parameters=chosen,
            form=form,
            pool=pool,
            m_f=m_f,
            scale=self.random.uniform(0.3, 3, shape[-1]).astype(np.float32) if own_scale else None,
            onset=float(self.pick(1, 25)) if self.pick(0, 3) == 0 else 0.0,
            corrective=corrective,
        )

    def network(self) -> SpikingNetwork:
        shape = (self.pick(2, 7), self.pick(2, 7), self.pick(1, 5)) if self.pick(0, 3) else (self.pick(1, 80),)
        self.add(Input, size=shape)
        if self.pick(0, 2):  # the paper's first layer, so that what follows is driven by spikes
            self.neurons(self.nodes[0])
        for _ in range(self.pick(1, 7)):
            # mostly the newest node; sometimes an older one: several readers of one population or node
            source = self.nodes[-1] if self.pick(0, 3) else self.nodes[self.pick(0, len(self.nodes) - 1)]
            action = self.pick(0, 4)
            if np.prod(source.shape) > 1500:
                action = 4
            if action == 0 and len(self.nodes) > 1:
                self.join(source, self.nodes[self.pick(0, len(self.nodes) - 1)])
            elif action <= 2:
                self.linear(source)
            else:
                self.neurons(source if isinstance(source, Linear) else self.linear(source))
        last = self.nodes[-1]
        if len(last.shape) == 3:
            last = self.add(Reshape, last, target=(int(np.prod(last.shape)),))
        self.add(Dense, last, weights=self.weights(last.shape[0], self.pick(1, 20), fan_in=last.shape[0]))
        self.add(Readout, self.nodes[-1], bias=self.weights(self.nodes[-1].shape[0], fan_in=4))
        return SpikingNetwork(tuple(self.nodes))


def exact(network: SpikingNetwork) -> bool:
    """Whether no sum of products on the dyadic grid needs more than float32's 24 bits, whatever spikes."""
    bounds: dict[str, Array] = {}
    units: dict[str, float] = {}
    for node in network.nodes:
        if isinstance(node, Input | Neurons):
            bounds[node.name], units[node.name] = np.full((1, *node.shape), 2.0), 1 / 16
        elif isinstance(node, Linear):
            fields = {f.name: getattr(node, f.name) for f in dataclasses.fields(node) if f.init}
            fields.update({k: np.abs(v) for k, v in fields.items() if isinstance(v, np.ndarray)})
            bounds[node.name] = type(node)(**fields).apply(*(bounds[name] for name in node.inputs))
            unit = 1 / 8 if isinstance(node, Dense | Conv2D | DepthwiseConv2D | Scale) else 1.0
            units[node.name] = min(units[name] for name in node.inputs) * unit
            if isinstance(node, AveragePool2D):
                units[node.name] /= 4
            if bounds[node.name].max() / units[node.name] > 2**24:
                return False
    return True


@st.composite
def networks(draw: Callable[..., int], *, dyadic: bool) -> tuple[SpikingNetwork, Array]:
    """A network and two images, on the dyadic grid or arbitrary."""
    builder = Builder(draw, dyadic)
    network = builder.network()
    x = builder.random.random((2, *network.input.shape)) * 1.5
    return network, (np.round(x * 16) / 16 if dyadic else x).astype(np.float32)


def higher(network: SpikingNetwork) -> dict[str, float]:
    """By layer of a network on the dyadic grid, a higher precision that keeps it there."""
    constants = {p.name: (p.parameters.tau_phi, p.parameters.tau_gamma) for p in network.populations}
    m_f = {(phi, gamma): parameters_with_height(1 / 16, tau_phi=phi, tau_gamma=gamma).m_f
           for phi, gamma in set(constants.values())}  # fmt: skip
    return {name: m_f[taus] for name, taus in constants.items()}


def switch_at(network: SpikingNetwork, x: Array, start: int, window: int, chosen: int) -> Switch:
    """A switch of none, one or all of two images."""
    if network.readout.shape[0] < 2:
        assume(False)
    plain = reference.run(network, x, start + window, frozenset())
    margins = Switch(0.1, start, window, 0.0).schedule(network, start + window).decide(plain.outputs)[0]
    threshold = (-np.inf, float(margins.astype(np.float64).mean()), np.inf)[chosen]
    high = network.with_m_f(higher(network))
    return Switch(with_other_weights(high.map_neurons(with_other_bias)), start, window, threshold)


def with_other_bias(node: Neurons) -> Neurons:
    """The population as if its biases had been corrected for its precision."""
    shift = (np.arange(node.bias.size).reshape(node.bias.shape) % 3 - 1) / 8
    return dataclasses.replace(node, bias=(node.bias + shift).astype(np.float32), corrected=True)


def with_other_weights(network: SpikingNetwork) -> SpikingNetwork:
    """The network with the first half of its weighted layers negated, which keeps every bound."""
    weighted = [node.name for node in network.nodes if isinstance(node, Dense | Conv2D)]
    turned = set(weighted[: -(-len(weighted) // 2)])
    return SpikingNetwork(
        tuple(
            dataclasses.replace(n, weights=-n.weights) if n.name in turned else n  # type: ignore[call-arg, attr-defined]
            for n in network.nodes
        )
    )


def assert_same(found: SimulationResult, expected: SimulationResult) -> None:
    for quantity, by_layer in expected.records.items():
        for name, states in by_layer.items():
            np.testing.assert_array_equal(found.records[quantity][name], states, err_msg=f"{quantity} of {name}")
    np.testing.assert_array_equal(found.outputs, expected.outputs)
    np.testing.assert_array_equal(found.margins, expected.margins)
    np.testing.assert_array_equal(found.switched, expected.switched)
    assert_same_counts(found, expected)
    assert found.corrective_counts.keys() == expected.corrective_counts.keys()
    for name, counts in expected.corrective_counts.items():
        np.testing.assert_array_equal(found.corrective_counts[name], counts)


def assert_same_counts(found, expected):
    for name, counts in expected.spike_counts.items():
        np.testing.assert_array_equal(found.spike_counts[name], counts)
        np.testing.assert_array_equal(found.spikes_per_step[name], expected.spikes_per_step[name])
        assert found.spike_counts[name].dtype == np.int32
        assert found.spikes_per_step[name].dtype == np.int64


def conv_net(channels: int = 48) -> SpikingNetwork:
    """16 x 16 pixels, input neurons, two pooled convolutions, a dense layer, ten classes."""
    random = np.random.default_rng(0)
    p = ASNParameters(m_f=0.2)
    halves = Window((2, 2), (2, 2))
    nodes: list[Node] = [Input("x", (), (), (16, 16, 1))]

    def add(kind: type[Node], name: str, **fields: object) -> None:
        nodes.append(kind(name, (nodes[-1].name,), (nodes[-1].shape,), **fields))

    def weights(*shape: int) -> Array:
        return (random.normal(size=shape) / np.sqrt(np.prod(shape[:-1]))).astype(np.float32)

    add(Neurons, "input", bias=np.zeros(1, np.float32), parameters=p)
    add(Conv2D, "c1", weights=weights(3, 3, 1, 16), window=Window((3, 3)))
    add(Neurons, "n1", bias=np.full(16, 0.1, np.float32), parameters=p, pool=halves)
    add(Conv2D, "c2", weights=weights(3, 3, 16, channels), window=Window((3, 3), padding=((1, 1), (1, 1))))
    add(Neurons, "n2", bias=np.full(channels, 0.1, np.float32), parameters=p, pool=halves)
    add(Reshape, "flat", target=(9 * channels,))
    add(Dense, "d1", weights=weights(9 * channels, 100))
    add(Neurons, "n3", bias=np.full(100, 0.1, np.float32), parameters=p)
    add(Dense, "d2", weights=weights(100, 10))
    add(Readout, "out", bias=np.zeros(10, np.float32))
    return SpikingNetwork(tuple(nodes))
