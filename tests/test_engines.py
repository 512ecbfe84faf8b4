"""The event-driven engine against the reference, state by state, over random networks."""

from __future__ import annotations

import dataclasses
import gc
import math
import subprocess
import sys
import time
import weakref
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from snntb_adsnn.engine import RECORDABLE, SimulationResult, Switch, event, reference, simulate
from snntb_adsnn.engine._kernels import ABSENT, LEFT, LINGERING, PRESENCE, PRESENT, recall
from snntb_adsnn.engine._plan import Layer, _waits
from snntb_adsnn.engine._team import Team
from snntb_adsnn.errors import NetworkError
from snntb_adsnn.linear import (
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
from snntb_adsnn.network import Input, Neurons, Readout, SpikingNetwork
from snntb_adsnn.neuron import ASNParameters
from snntb_adsnn.transfer import spike_height

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
"""By neuron, two precisions that the grid allows it."""
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
        return self.add(
            Neurons,
            source,
            bias=(self.random.normal(size=bias_shape) * 0.2).astype(np.float32),
            parameters=chosen,
            form="exact" if self.dyadic or self.pick(0, 2) else "relu",
            pool=pool,
            m_f=m_f,
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


@RANDOM_NETWORKS
@given(networks(dyadic=True))
def test_every_state_is_the_references_bit_by_bit_on_a_dyadic_grid(case):
    network, x = case
    assume(exact(network))
    expected = reference.run(network, x, 40, ALL)
    found = event.run(network, x, 40, ALL)
    assert_same(found, expected)


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
    return Switch(higher(network), start, window, threshold)


def assert_same(found: SimulationResult, expected: SimulationResult) -> None:
    for quantity, by_layer in expected.records.items():
        for name, states in by_layer.items():
            np.testing.assert_array_equal(found.records[quantity][name], states, err_msg=f"{quantity} of {name}")
    np.testing.assert_array_equal(found.outputs, expected.outputs)
    np.testing.assert_array_equal(found.margins, expected.margins)
    np.testing.assert_array_equal(found.switched, expected.switched)
    assert_same_counts(found, expected)


@RANDOM_NETWORKS
@given(networks(dyadic=True), st.integers(0, 20), st.integers(1, 20), st.integers(0, 2), st.sampled_from([ALL, ()]))
def test_a_switched_network_is_the_references_bit_by_bit_on_a_dyadic_grid(case, start, window, chosen, record):
    network, x = case
    assume(exact(network))
    schedule = switch_at(network, x, start, window, chosen).schedule(network, 40)
    expected = reference.run(network, x, 40, frozenset(record), schedule)
    assert_same(event.run(network, x, 40, frozenset(record), schedule), expected)
    alone = event.run(network, x[:1], 40, frozenset(record), schedule, threads=3)
    np.testing.assert_array_equal(alone.outputs, expected.outputs[:1])


@pytest.mark.parametrize("channels", [3, 10, 24, 40, 65, 100])
@pytest.mark.parametrize("pool", [None, Window((2, 2), (2, 2)), Window((3, 3), (2, 2), ((1, 1), (1, 1)))])
def test_blocks_may_cut_through_the_channels_of_a_pixel(channels, pool, monkeypatch):
    random = np.random.default_rng(channels)

    def weights(*shape: int) -> Array:
        return (random.integers(-4, 7, shape) / 8).astype(np.float32)

    nodes: list[Node] = [Input("x", (), (), (8, 8, 2))]

    def add(kind: type[Node], **fields: object) -> None:
        nodes.append(kind(f"{kind.__name__}{len(nodes)}", (nodes[-1].name,), (nodes[-1].shape,), **fields))

    add(Neurons, bias=np.zeros(2, np.float32), parameters=DYADIC[2])
    add(Conv2D, weights=weights(3, 3, 2, channels), window=Window((3, 3)))
    add(Neurons, bias=weights(channels), parameters=DYADIC[1], pool=pool)
    add(DepthwiseConv2D, weights=weights(2, 2, channels, 3), window=Window((2, 2)))
    add(Neurons, bias=weights(3 * channels), parameters=DYADIC[0], pool=pool)
    add(Conv2D, weights=weights(1, 1, channels, 6), window=Window((1, 1)), groups=3)
    add(Reshape, target=(int(np.prod(nodes[-1].shape)),))
    add(Readout, bias=np.zeros(nodes[-1].shape, np.float32))
    network = SpikingNetwork(tuple(nodes))
    x = (random.integers(0, 24, (2, 8, 8, 2)) / 16).astype(np.float32)
    expected = reference.run(network, x, 40, frozenset({"S", "spikes"}))
    found = event.run(network, x, 40, frozenset({"S", "spikes"}))
    for name in network.population_names:
        np.testing.assert_array_equal(found.records["S"][name], expected.records["S"][name])
        assert expected.records["spikes"][name].any()
    np.testing.assert_array_equal(found.outputs, expected.outputs)
    # where an image is dark, no current ever comes, or late; biases may let neurons spike all the same
    x[0, :, 2:], x[1] = 0, 0
    monkeypatch.setattr(event, "CHUNK", (20, 20))
    expected, found = reference.run(network, x, 130, frozenset()), event.run(network, x, 130, frozenset())
    np.testing.assert_array_equal(found.outputs, expected.outputs)
    assert_same_counts(found, expected)


def assert_same_counts(found, expected):
    for name, counts in expected.spike_counts.items():
        np.testing.assert_array_equal(found.spike_counts[name], counts)
        np.testing.assert_array_equal(found.spikes_per_step[name], expected.spikes_per_step[name])
        assert found.spike_counts[name].dtype == np.int32
        assert found.spikes_per_step[name].dtype == np.int64


@RANDOM_NETWORKS
@given(networks(dyadic=False))
def test_with_arbitrary_weights_spikes_part_only_at_near_ties(case):
    network, x = case
    expected = reference.run(network, x, 60, ALL)
    found = event.run(network, x, 60, ALL)
    for image in range(len(x)):
        first = 60
        for p in network.populations:
            differ = expected.records["spikes"][p.name][image] != found.records["spikes"][p.name][image]
            steps = np.flatnonzero(differ.reshape(60, -1).any(1))
            if len(steps) and steps[0] < first:
                # all layers before this one agree so far, so their rounding errors are all that S inherits
                first = int(steps[0])
                S, S_hat, theta = (expected.records[q][p.name][image] for q in ("S", "S_hat", "theta"))
                k_eta = np.float32(p.parameters.k_eta)
                before = k_eta * S_hat[first - 1] if first else np.zeros_like(S_hat[0])
                threshold = theta[first - 1] if first else np.float32(p.precision.theta0)
                margin = np.abs(2 * (S[first] - before) - threshold)[differ[first]]
                size = np.abs(expected.records["V"][p.name][image][: first + 1]).max() + 1
                assert margin.max() < 1e-4 * size
        scale = np.abs(expected.outputs[image, :first]).max(initial=1)
        np.testing.assert_allclose(found.outputs[image, :first], expected.outputs[image, :first], atol=1e-5 * scale)


@pytest.mark.parametrize("pool", [None, Window((2, 2), (2, 2))])
def test_graded_spikes_are_the_references_bit_by_bit_where_no_drive_is_a_sum(pool):
    """Each neuron hears one other, so that the height of every single spike shows."""
    random = np.random.default_rng(0)
    nodes: list[Node] = [Input("x", (), (), (4, 4, 70))]

    def add(kind: type[Node], **fields: object) -> None:
        nodes.append(kind(f"{kind.__name__}{len(nodes)}", (nodes[-1].name,), (nodes[-1].shape,), **fields))

    for m_f in (0.1, 0.4, 0.2):
        add(Scale, factors=(random.random(70) + 0.5).astype(np.float32))
        bias = random.normal(size=70).astype(np.float32) * np.float32(0.3)
        add(Neurons, bias=bias, parameters=ASNParameters(m_f=m_f), form="relu", pool=pool if m_f == 0.4 else None)
    add(Reshape, target=(int(np.prod(nodes[-1].shape)),))
    add(Readout, bias=np.zeros(nodes[-1].shape, np.float32))
    network = SpikingNetwork(tuple(nodes))
    x = random.random((2, 4, 4, 70)).astype(np.float32) * 3
    schedule = Switch(0.05, 60, 20, np.inf).schedule(network, 120)
    for arguments in ((frozenset(),), (ALL,), (ALL, schedule)):
        expected, found = reference.run(network, x, 120, *arguments), event.run(network, x, 120, *arguments)
        assert_same(found, expected)
    alike = network.map_neurons(lambda n: dataclasses.replace(n, form="exact"))
    assert (event.run(alike, x, 120, frozenset()).outputs != found.outputs).any()


@RANDOM_NETWORKS
@given(networks(dyadic=False), st.integers(1, 130), st.sampled_from([(), ("spikes",), ("theta", "spikes")]))
def test_neither_threads_nor_batch_nor_chunk_nor_recording_change_a_result(case, steps, record):
    network, x = case
    x = np.concatenate([x, x * 0.5])
    plain = event.run(network, x, steps, frozenset(), threads=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(event, "CHUNK", (25, 40))
        other = event.run(network, x, steps, frozenset(record), threads=3)
    np.testing.assert_array_equal(other.outputs, plain.outputs)
    assert_same_counts(other, plain)
    alone = event.run(network, x[2:3], steps, frozenset(record), threads=3)  # three threads share its neurons
    np.testing.assert_array_equal(alone.outputs[0], plain.outputs[2])
    for name, counts in plain.spike_counts.items():
        np.testing.assert_array_equal(alone.spike_counts[name][0], counts[2])
        np.testing.assert_array_equal(alone.spikes_per_step[name].sum(), counts[2].sum())
    if record:
        spikes = other.records["spikes"]
        assert all((spikes[name].sum(1) == counts).all() for name, counts in plain.spike_counts.items())


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


def test_decisions_and_counts_on_a_convolutional_net():
    network = conv_net()
    x = np.random.default_rng(1).random((6, 16, 16, 1)).astype(np.float32)
    expected = simulate(network, x, duration=200, engine="reference")
    found = simulate(network, x, duration=200)
    np.testing.assert_array_equal(found.decisions[:, 50:], expected.decisions[:, 50:])
    for name, counts in expected.spike_counts.items():
        assert counts.sum() > 1000
        assert abs(int(found.spike_counts[name].sum()) - int(counts.sum())) <= 1e-3 * counts.sum()


def test_working_memory_does_not_grow_with_steps():
    network = conv_net()
    plan = event._plan_of(network, complete=False)
    sizes = []
    for steps in (500, 5000):
        simulator = event._ImageSimulator(network, plan, steps, frozenset(), 2)
        owners = [simulator, *simulator.members]
        arrays = [
            v
            for owner in owners
            for k, v in vars(owner).items()  # results of one image grow
            if isinstance(v, np.ndarray) and k not in ("per_step", "outputs")
        ]
        sizes.append(sum(a.nbytes for a in arrays))
    assert sizes[0] == sizes[1]


def test_no_cell_lies_in_two_tasks_and_every_block_in_one():
    network = conv_net(channels=48)
    plan = event._plan_of(network, complete=False)
    for layer, node in zip(plan.layers, network.populations, strict=False):
        first = int(layer[Layer.TASK])
        bounds = plan.tasks[first : first + layer[Layer.TASKS] + 1]
        assert bounds[0] == 0
        assert bounds[-1] == layer[Layer.BLOCKS]
        assert (np.diff(bounds) > 0).all()
        assert len(bounds) > 2
        for bound in bounds[1:-1]:
            border = layer[Layer.NEURON] + bound * 64
            assert bound * 64 < node.size
            assert plan.places[border, 0] != plan.places[border - 1, 0]


@pytest.mark.parametrize(
    ("reads", "waits"),
    [
        ({"a": [], "b": ["a"], "c": ["b"], "out": ["c"]}, "b c out"),
        ({"a": [], "out": ["a"]}, "a out"),  # the read-out still reads what a writes in the next chunk
        ({"a": [], "b": ["a"], "c": ["a"], "d": ["b", "c"], "out": ["d"]}, "b d out"),  # b and c at the same time
        ({"a": [], "b": [], "out": ["b", "a"]}, "a out"),
    ],
)
def test_a_layer_waits_for_the_others_only_where_it_must(reads, waits):
    found = _waits({name: set(sources) for name, sources in reads.items()})
    assert [name for name, waiting in found.items() if waiting] == waits.split()


def test_nobody_waits_for_a_thread_that_does_not_come(monkeypatch):
    network, x = conv_net(), np.random.default_rng(1).random((1, 16, 16, 1)).astype(np.float32)
    expected = event.run(network, x, 300, frozenset(), threads=1)
    late = event._ImageSimulator._take_part
    monkeypatch.setattr(
        event._ImageSimulator,
        "_take_part",
        lambda self, member, *rest: late(self, member, *rest) if not member else None,
    )
    found = event.run(network, x, 300, frozenset(), threads=3)
    np.testing.assert_array_equal(found.outputs, expected.outputs)
    assert_same_counts(found, expected)


def test_a_helpers_error_reaches_the_caller():
    team = Team(3)
    found: list[int] = []
    team.start(found.append)
    team.gather()
    assert sorted(found) == [0, 1, 2]
    team.start(lambda member: 1 // (member - 2))
    with pytest.raises(ZeroDivisionError):
        team.gather()
    team.start(found.append)  # it goes on
    team.gather()
    assert sorted(found) == [0, 0, 1, 1, 2, 2]


def test_helpers_do_their_part_whether_they_linger_or_have_left():
    network, x = conv_net(), np.random.default_rng(5).random((6, 16, 16, 1)).astype(np.float32)
    switch = Switch(0.02, 20, 20, math.inf)  # always: another plan in mid-run
    for options in ({}, {"schedule": switch.schedule(network, 60)}):
        alone = event.run(network, x, 60, frozenset(), threads=1, **options)
        for image in range(len(x)):
            time.sleep(0.005 * (image % 3))  # longer than a helper lingers, or not
            one = event.run(network, x[image : image + 1], 60, frozenset(), threads=3, **options)
            np.testing.assert_array_equal(one.outputs[0], alone.outputs[image])
            for name, counts in one.spike_counts.items():
                np.testing.assert_array_equal(counts[0], alone.spike_counts[name][image])


@pytest.mark.parametrize(
    ("before", "again", "called", "after"),
    [
        ([LINGERING, LINGERING], True, True, [PRESENT, PRESENT]),
        ([LINGERING, LINGERING], False, False, [LEFT, LEFT]),
        ([LINGERING, LEFT], True, False, [LEFT, LEFT]),  # not with half of the team
        ([LEFT, ABSENT], True, False, [LEFT, ABSENT]),
        ([], True, True, []),
        ([], False, False, []),
    ],
)
def test_only_a_whole_team_is_recalled(before, again, called, after):
    presence = np.zeros((1 + len(before), PRESENCE), np.int64)
    presence[1:, 0] = before
    assert recall(presence.reshape(-1), again) is called
    assert presence[1:, 0].tolist() == after


def test_simulators_are_used_again_and_freed_with_their_network():
    network, x = conv_net(8), np.random.default_rng(1).random((4, 16, 16, 1)).astype(np.float32)
    first = event.run(network, x, 60, frozenset(), threads=2)
    kept = list(event._idle[network])
    assert len(kept) == 2
    again = event.run(network, x, 60, frozenset(), threads=2)
    assert set(event._idle[network]) == set(kept)
    np.testing.assert_array_equal(again.outputs, first.outputs)
    assert_same_counts(again, first)
    event.run(network, x, 61, frozenset(), threads=2)
    assert not set(event._idle[network]) & set(kept)
    event.run(conv_net(16), x, 60, frozenset(), threads=2)
    assert network not in event._idle  # only the latest network's
    event.run(network, x, 60, frozenset(), threads=2)
    gone = weakref.ref(network)
    del network
    gc.collect()
    assert gone() is None


def test_kernels_work_where_no_cache_can_be_written():
    code = (
        "import numba.core.caching as c\n"
        "c.CacheImpl._locator_classes = []\n"
        "import numpy as np\n"
        "from snntb_adsnn.engine import _kernels\n"
        "assert type(_kernels._wait._cache).__name__ == 'NullCache'\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_an_interrupt_stops_the_workers(monkeypatch):
    started = []

    def interrupted(self, x, image, *rest):
        started.append(image)
        raise KeyboardInterrupt

    monkeypatch.setattr(event._ImageSimulator, "run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        event.run(conv_net(), np.zeros((50, 16, 16, 1), np.float32), 5, frozenset(), threads=2)
    assert len(started) <= 2


def test_an_unknown_node_is_refused_by_name():
    @dataclasses.dataclass(frozen=True, eq=False)
    class Reverse(Linear):
        def output_shape(self) -> Shape:
            return self.input_shapes[0]

        def apply(self, *xs: Array) -> Array:
            return xs[0][:, ::-1]

    p = ASNParameters()
    nodes = (
        Input("x", (), (), (3,)),
        Neurons("n", ("x",), ((3,),), np.zeros(3, np.float32), p),
        Reverse("backwards", ("n",), ((3,),)),
        Readout("out", ("backwards",), ((3,),), np.zeros(3, np.float32)),
    )
    with pytest.raises(NetworkError, match=r"backwards.*Reverse.*engine = reference"):
        event.run(SpikingNetwork(nodes), np.ones((1, 3), np.float32), 5, frozenset())


@pytest.mark.parametrize("engine", ["event", "reference"])
def test_an_observer_gets_the_spikes_of_each_image(engine):
    network = conv_net(4)
    x = np.random.default_rng(0).uniform(0, 1, (5, *network.input.shape))
    seen = {}

    def observe(image, times, counts):
        seen[image] = times, counts

    found = simulate(network, x, duration=40, engine=engine, on_spikes=observe)
    expected = simulate(network, x, duration=40, engine=engine, record="spikes")
    assert not found.records
    assert sorted(seen) == list(range(5))
    for image, (times, counts) in seen.items():
        wanted = [recorded[image].reshape(40, -1) for recorded in expected.records["spikes"].values()]
        spikes = np.concatenate(wanted, axis=1)
        assert times.dtype == np.int32
        np.testing.assert_array_equal(times, np.nonzero(spikes.T)[1])
        np.testing.assert_array_equal(counts, spikes.sum(axis=0))
    assert sum(counts.sum() for _, counts in seen.values()) > 100


def test_an_observer_gets_nothing_of_earlier_images(monkeypatch):
    """Simulators are kept between calls, with and without a record, and a neuron that sleeps writes none."""
    monkeypatch.setattr(event, "CHUNK", (9, 20))
    monkeypatch.setattr(event, "SEGMENT", 50)
    network = conv_net(4)
    bright = np.random.default_rng(0).uniform(0, 1, (3, *network.input.shape)).astype(np.float32)
    half = bright.copy()
    half[:, :8] = 0
    watched = frozenset({"spikes"})
    for x in (bright, np.zeros_like(bright), half):
        seen = {}
        event.run(network, x, 110, frozenset())
        event.run(network, x, 110, frozenset(), on_spikes=lambda image, *found, seen=seen: seen.update({image: found}))
        recorded = event.run(network, x, 110, watched).records["spikes"].values()
        expected = reference.run(network, x, 110, watched).records["spikes"].values()
        for found, wanted in zip(recorded, expected, strict=True):
            np.testing.assert_array_equal(found, wanted)
        for image, (times, counts) in seen.items():
            spikes = np.concatenate([found[image].reshape(110, -1) for found in recorded], axis=1)
            np.testing.assert_array_equal(times, np.nonzero(spikes.T)[1])
            np.testing.assert_array_equal(counts, spikes.sum(axis=0))
