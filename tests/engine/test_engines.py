"""The event-driven engine against the reference, state by state, over random networks."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from random_networks import (
    ALL,
    DYADIC,
    RANDOM_NETWORKS,
    assert_same,
    assert_same_counts,
    conv_net,
    exact,
    networks,
    switch_at,
)
from shrinking import NOT_SHRUNK

from snntb_adsnn.engine import ENGINES, Engine, Switch, reference, simulate
from snntb_adsnn.engine.event import engine as event
from snntb_adsnn.engine.event import simulator
from snntb_adsnn.errors import NetworkError, ParameterError
from snntb_adsnn.network import Input, Neurons, Readout, SpikingNetwork
from snntb_adsnn.network.maps import (
    Array,
    Conv2D,
    DepthwiseConv2D,
    Linear,
    Node,
    Reshape,
    Scale,
    Shape,
    Window,
)
from snntb_adsnn.neuron import ASNParameters

"""By neuron, two precisions that the grid allows it."""


@RANDOM_NETWORKS
@given(networks(dyadic=True))
def test_every_state_is_the_references_bit_by_bit_on_a_dyadic_grid(case):
    network, x = case
    assume(exact(network))
    expected = reference.run(network, x, 40, ALL)
    found = event.run(network, x, 40, ALL)
    assert_same(found, expected)


@settings(RANDOM_NETWORKS, phases=NOT_SHRUNK.phases)  # the test above finds small networks
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
    monkeypatch.setattr(simulator, "CHUNK", (20, 20))
    expected, found = reference.run(network, x, 130, frozenset()), event.run(network, x, 130, frozenset())
    np.testing.assert_array_equal(found.outputs, expected.outputs)
    assert_same_counts(found, expected)


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


def graded_lines(pool, *, own_thresholds):
    """Neurons with graded spikes, each of which hears one other. Without thresholds of their own for the channels, the
    weights and biases in front are divided by what theta0 is multiplied with, and the weights behind multiplied."""
    random = np.random.default_rng(0)
    nodes: list[Node] = [Input("x", (), (), (4, 4, 70))]

    def add(kind: type[Node], **fields: object) -> None:
        nodes.append(kind(f"{kind.__name__}{len(nodes)}", (nodes[-1].name,), (nodes[-1].shape,), **fields))

    behind = np.ones(70, np.float32)
    for m_f in (0.1, 0.4, 0.2):
        factors = behind * (random.random(70) + 0.5).astype(np.float32)
        bias = random.normal(size=70).astype(np.float32) * np.float32(0.3)
        scale = (2.0 ** random.integers(-2, 3, 70)).astype(np.float32)  # float32 multiplies by these exactly
        scale = np.ones_like(scale) if m_f == 0.4 else scale
        there = pool if m_f == 0.4 else None
        form = {"form": "relu", "pool": there, "parameters": ASNParameters(m_f=m_f)}
        if own_thresholds:
            add(Scale, factors=factors)
            add(Neurons, bias=bias, scale=None if m_f == 0.4 else scale, **form)
        else:
            add(Scale, factors=factors / scale)
            add(Neurons, bias=bias / scale, **form)
            behind = scale
    if not own_thresholds:
        add(Scale, factors=behind)
    add(Reshape, target=(int(np.prod(nodes[-1].shape)),))
    add(Readout, bias=np.zeros(nodes[-1].shape, np.float32))
    return SpikingNetwork(tuple(nodes))


@pytest.mark.parametrize("pool", [None, Window((2, 2), (2, 2))])
def test_graded_spikes_are_the_references_bit_by_bit_where_no_drive_is_a_sum(pool):
    """Each neuron hears one other, so that the height of every single spike shows. A threshold of its own for a channel
    is that of weights divided by it in front and multiplied by it behind."""
    network, weighted = (graded_lines(pool, own_thresholds=own) for own in (True, False))
    x = np.random.default_rng(1).random((2, 4, 4, 70)).astype(np.float32) * 3
    switch = Switch(0.05, 60, 20, np.inf)
    for record, chosen in ((frozenset(), None), (ALL, None), (ALL, switch)):
        schedules = [None if chosen is None else chosen.schedule(n, 120) for n in (network, weighted)]
        expected = reference.run(network, x, 120, record, schedules[0])
        found = event.run(network, x, 120, record, schedules[0])
        assert_same(found, expected)
        same = event.run(weighted, x, 120, record, schedules[1])
        np.testing.assert_array_equal(same.outputs, found.outputs)
        assert all((a == b).all() for a, b in zip(same.spike_counts.values(), found.spike_counts.values(), strict=True))
    odd = network.map_neurons(
        lambda n: dataclasses.replace(n, scale=n.scale * np.float32(1.3) if n.scale is not None else None)
    )
    assert_same(event.run(odd, x, 120, ALL, schedules[0]), reference.run(odd, x, 120, ALL, schedules[0]))
    alike = network.map_neurons(lambda n: dataclasses.replace(n, form="exact", scale=None))
    assert (event.run(alike, x, 120, frozenset()).outputs != found.outputs).any()


@RANDOM_NETWORKS
@given(networks(dyadic=False), st.integers(1, 130), st.sampled_from([(), ("spikes",), ("theta", "spikes")]))
def test_neither_threads_nor_batch_nor_chunk_nor_recording_change_a_result(case, steps, record):
    network, x = case
    x = np.concatenate([x, x * 0.5])
    plain = event.run(network, x, steps, frozenset(), threads=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(simulator, "CHUNK", (25, 40))
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
        assert all((np.count_nonzero(spikes[n], axis=1) == counts).all() for n, counts in plain.spike_counts.items())


def test_decisions_and_counts_on_a_convolutional_net():
    network = conv_net()
    x = np.random.default_rng(1).random((6, 16, 16, 1)).astype(np.float32)
    expected = simulate(network, x, duration=200, engine="reference")
    found = simulate(network, x, duration=200)
    np.testing.assert_array_equal(found.decisions[:, 50:], expected.decisions[:, 50:])
    for name, counts in expected.spike_counts.items():
        assert counts.sum() > 1000
        assert abs(int(found.spike_counts[name].sum()) - int(counts.sum())) <= 1e-3 * counts.sum()


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
    with pytest.raises(NetworkError, match=r"backwards.*Reverse.*give the class a method edges"):
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


@pytest.mark.parametrize("observes", [False, True])
def test_an_engine_of_ones_own_is_chosen_by_name(observes, monkeypatch):
    monkeypatch.setattr(ENGINES, "_entries", {**ENGINES})
    calls = []

    def run(network, x, steps, record, schedule, **others):
        calls.append((set(record), set(others)))
        return reference.run(network, x, steps, record, schedule)

    ENGINES.add("mine", Engine(run, observes))
    network = conv_net(4)
    x = np.random.default_rng(0).uniform(0, 1, (2, *network.input.shape))
    found = simulate(network, x, duration=10, engine="mine", record="S")
    assert_same(found, simulate(network, x, duration=10, engine="reference", record="S"))
    simulate(network, x, duration=10, engine="mine", on_spikes=lambda image, times, counts: None)
    assert calls == [({"S"}, set()), (set(), {"on_spikes"}) if observes else ({"spikes"}, set())]
    with pytest.raises(ParameterError, match="choose auto or one of event, mine, reference, tensorflow"):
        simulate(network, x, engine="his")


def test_an_observer_gets_nothing_of_earlier_images(monkeypatch):
    """Simulators are kept between calls, with and without a record, and a neuron that sleeps writes none."""
    monkeypatch.setattr(simulator, "CHUNK", (9, 20))
    monkeypatch.setattr(simulator, "SEGMENT", 50)
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
