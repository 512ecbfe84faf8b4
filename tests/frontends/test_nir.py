"""NIR: networks written and read back bit for bit, graphs of others, and what is refused."""

import dataclasses
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from random_networks import RANDOM_NETWORKS, assert_same, conv_net, networks

from snntb_adsnn import ASNParameters, SpikingNetwork, convert, transfer
from snntb_adsnn.engine import reference
from snntb_adsnn.errors import ConversionError
from snntb_adsnn.frontends.nir.approximation import approximate_transfer, height, reset
from snntb_adsnn.frontends.nir.write import write
from snntb_adsnn.network import Input, Neurons, Readout
from snntb_adsnn.network.maps import AveragePool2D, Concatenate, Conv2D, Dense, Reshape, Window, ZeroPad2D
from snntb_adsnn.network.outputs import Output

nir = pytest.importorskip("nir")


@pytest.fixture(autouse=True)
def _quiet():
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "NIR has no max pooling")
        yield


def assert_equal_nodes(found, expected):
    assert [type(node) for node in found.nodes] == [type(node) for node in expected.nodes]
    for a, b in zip(found.nodes, expected.nodes, strict=True):
        for field in dataclasses.fields(b):
            x, y = getattr(a, field.name), getattr(b, field.name)
            if isinstance(y, np.ndarray):
                assert (x.dtype, x.shape) == (y.dtype, y.shape)
                np.testing.assert_array_equal(x, y, err_msg=f"{b.name}.{field.name}")
            else:
                assert str(x) == str(y), f"{b.name}.{field.name}"  # windows have no ==


def images(network, count=3):
    return np.random.default_rng(1).uniform(0, 1, (count, *network.input.shape)).astype(np.float32)


def written(network):
    """Its graph, or ``None`` where NIR has no primitives."""
    try:
        return network.to_nir()
    except ConversionError:
        return None


@settings(RANDOM_NETWORKS, max_examples=30)
@given(case=networks(dyadic=False))
def test_a_graph_gives_its_network_back(case):
    """Any network that can be written: every field of every node; the graph's own values are compared on the way."""
    network, x = case
    if (graph := written(network)) is not None:
        assert_equal_nodes(convert(graph, x), network)


def test_enough_of_the_random_networks_can_be_written():
    found = []

    @settings(RANDOM_NETWORKS, max_examples=20, derandomize=True)
    @given(case=networks(dyadic=False))
    def count(case):
        found.append(written(case[0]) is not None)

    count()
    assert np.mean(found) > 0.5


def test_a_file_gives_its_network_and_its_spikes_back(tmp_path):
    network = conv_net(8)
    x = images(network)
    again = convert(write(tmp_path / "net.nir", network), x)
    assert_equal_nodes(again, network)
    everything = frozenset(("spikes", "theta", "S"))
    assert_same(reference.run(again, x, 40, everything), reference.run(network, x, 40, everything))


def chain(*nodes, shape):
    """A network of (kind, fields) in a row, behind an input."""
    found = [Input("in", (), (), shape)]
    for i, (kind, fields) in enumerate(nodes):
        found.append(kind(f"{kind.__name__}/{i}", (found[-1].name,), (found[-1].shape,), **fields))
    return SpikingNetwork(tuple(found))


def normal(*shape):
    return np.random.default_rng(len(shape)).normal(size=shape).astype(np.float32)


P = ASNParameters(m_f=0.2)


def padded_net():
    """Windows that NIR does not have: one side padded more, a kernel that is not square, dilation, a padded mean."""
    return chain(
        (Conv2D, {"weights": normal(3, 2, 2, 3), "window": Window((3, 2), (2, 1), ((0, 1), (2, 0)))}),
        (Neurons, {"bias": normal(3), "parameters": P, "pool": Window((2, 2), (1, 1), ((0, 1), (1, 0)))}),
        (Conv2D, {"weights": normal(2, 2, 3, 2), "window": Window((2, 2), padding=((1, 0), (0, 2)), dilation=(1, 2))}),
        (AveragePool2D, {"window": Window((2, 3), padding=((1, 0), (1, 1)))}),
        (ZeroPad2D, {"padding": ((1, 0), (0, 2))}),
        (Neurons, {"bias": normal(2), "parameters": P}),
        (Reshape, {"target": (110,)}),
        (Dense, {"weights": normal(110, 4)}),
        (Readout, {"bias": normal(4)}),
        shape=(9, 8, 2),
    )


def test_several_outputs_and_their_activations():
    parts = (Output("class", (2,), "softmax"), Output("sizes", (3,), "sigmoid"))
    network = chain(
        (Dense, {"weights": normal(4, 6)}),
        (Neurons, {"bias": normal(6), "parameters": P}),
        (Dense, {"weights": normal(6, 5)}),
        (Readout, {"bias": normal(5), "activation": "linear", "parts": parts}),
        shape=(4,),
    )
    assert_equal_nodes(convert(network.to_nir(), images(network)), network)


def test_windows_that_nir_does_not_have(tmp_path):
    network = padded_net()
    assert_equal_nodes(convert(write(tmp_path / "net.nir", network), images(network)), network)


def test_primitives_are_what_nir_says_they_are():
    """The weights of a convolution are (outputs, inputs, rows, columns), those behind a flattening in NIR's order."""
    network = conv_net(8)
    graph = network.to_nir()
    kinds = {name: type(node).__name__ for name, node in graph.nodes.items()}
    assert [kinds[n] for n in ("input", "n1_pool", "n1", "c2", "flat", "d1")] == [
        "LIF",
        "AvgPool2d",
        "CubaLIF",
        "Conv2d",
        "Flatten",
        "Linear",
    ]
    c2, d1 = network.by_name["c2"].weights, network.by_name["d1"].weights
    assert graph.nodes["c2"].weight[5, 3, 0, 2] == c2[0, 2, 3, 5]
    y, x, c = 1, 2, 3
    assert graph.nodes["d1"].weight[7, c * 9 + y * 3 + x] == d1[(y * 3 + x) * 8 + c, 7]
    n1 = graph.nodes["n1"]
    assert n1.metadata["model"] == "ASN"
    assert (n1.metadata["m_f"], n1.metadata["tau_eta"]) == (0.2, 50.0)
    assert "theta_a" in n1.metadata["equation"]
    assert n1.tau_syn.max() == 0.05  # seconds
    graph.infer_types()
    assert graph.check_types()


@pytest.mark.parametrize("damage", ["weight", "bias", "edge", "height"])
def test_a_graph_that_was_changed_is_refused(damage):
    """Metadata and primitives that disagree: the values on the check inputs tell."""
    network = chain(
        (Dense, {"weights": normal(3, 3)}),
        (Neurons, {"bias": np.full(3, 0.1, np.float32), "parameters": P}),
        (Dense, {"weights": normal(3, 2)}),
        (Readout, {"bias": normal(2)}),
        shape=(3,),
    )
    graph = network.to_nir()
    x = images(network)
    assert_equal_nodes(convert(graph, x), network)
    if damage == "weight":  # read, and so in the network: no contradiction, but another network
        graph.nodes["Dense.0"].weight[0, 0] += 1
        assert convert(graph, x).nodes[1].weights[0, 0] == network.nodes[1].weights[0, 0] + 1
        return
    if damage == "bias":
        graph.nodes["Neurons.1"].v_leak[0] += 5
    elif damage == "height":
        graph.nodes["Neurons.1_1"].scale *= 1.01
    else:
        graph.edges.remove(("Dense.2", "Readout.3"))
        graph.edges.append(("Neurons.1_1", "Dense.2"))
    with pytest.raises(ConversionError):
        convert(graph, x)


@pytest.mark.parametrize("wrong", ["transposed", "no bias"])
def test_a_wrong_front_end_is_found_by_the_check(wrong, monkeypatch):
    from snntb_adsnn.frontends.nir import foreign

    def broken(graph, name, node, at):
        square = len(node.bias) == node.weight.shape[1]
        weight = node.weight if wrong == "transposed" and square else node.weight.T
        bias = None if wrong == "no bias" else node.bias
        graph.shapes[name] = node.bias.shape
        return graph.add(Dense, name, at, weights=np.asarray(weight), constant=bias)

    monkeypatch.setitem(foreign.CONVERTERS._entries, "Affine", broken)
    with pytest.raises(ConversionError, match="deviates from NIR"):
        convert(others_graph(), others_images())


# ---- graphs of others ---------------------------------------------------------------------------------------------


def population(shape, kind="CubaLIF", **metadata):
    ones = np.ones(shape)
    constants = {"r": ones, "v_leak": np.linspace(-0.1, 0.2, ones.size).reshape(shape), "v_threshold": ones}
    node = (
        nir.LIF(tau=ones, **constants)
        if kind == "LIF"
        else nir.CubaLIF(tau_mem=ones, tau_syn=ones, w_in=50.0, **constants)
    )
    node.metadata = {"model": "ASN", **metadata}
    return node


def others_graph():
    """Primitives that another tool would write, with populations marked as ASNs."""
    return nir.NIRGraph(
        {
            "in": nir.Input(np.array((2, 8, 6))),
            "conv": nir.Conv2d((8, 6), normal(4, 2, 3, 3) / 2, 1, "same", 1, 1, normal(4) / 10),
            "first": population((4, 8, 6), "LIF", m_f=0.2),
            "pool": nir.SumPool2d(np.array((2, 2)), np.array((2, 2)), np.array((0, 0))),
            "scale": nir.Scale(np.full((4, 4, 3), 0.06)),
            "flat": nir.Flatten({"input": np.array((4, 4, 3))}, 0, -1),
            "square": nir.Affine(normal(48, 48) / 7, np.zeros(48)),
            "hidden": nir.Affine(normal(5, 48) / 7, normal(5)),
            "second": population((5,), m_f=0.1),
            "out_weights": nir.Linear(normal(3, 5)),
            "smooth": nir.LI(np.full(3, 0.02), np.full(3, 2.0), np.full(3, 0.2)),
            "out": nir.Output(np.array((3,))),
        },
        [
            ("in", "conv"), ("conv", "first"), ("first", "pool"), ("pool", "scale"), ("scale", "flat"),
            ("flat", "square"), ("square", "hidden"), ("hidden", "second"), ("second", "out_weights"),
            ("out_weights", "smooth"), ("smooth", "out"),
        ],
    )  # fmt: skip


def others_images():
    return np.random.default_rng(1).uniform(0, 1, (4, 2, 8, 6)).astype(np.float32)


def test_a_graph_of_others_in_both_layouts():
    x = others_images()
    network = convert(others_graph(), x)
    assert (network.input.shape, network.readout.tau_phi) == ((2, 8, 6), 20.0)
    assert [p.parameters.m_f for p in network.populations] == [0.2, 0.1]
    turned = convert(others_graph(), np.moveaxis(x, 1, -1))
    assert turned.input.shape == (8, 6, 2)
    np.testing.assert_allclose(turned.analog(np.moveaxis(x, 1, -1)), network.analog(x), atol=1e-5)
    assert network.analog(x).std() > 0.1


def test_a_series():
    """Convolution written out as a sum over its taps."""
    weight, dense, x = (
        normal(4, 3, 5),
        normal(2, 28),
        np.random.default_rng(0).normal(size=(3, 3, 13)).astype(np.float32),
    )
    graph = nir.NIRGraph.from_list(
        nir.Input(np.array((3, 13))),
        nir.Conv1d(13, weight, 2, 2, 1, 1, np.zeros(4, np.float32)),
        population((4, 7), "LIF", m_f=0.1),
        nir.Flatten({"input": np.array((4, 7))}, 0, -1),
        nir.Linear(dense),
        nir.Output(np.array((2,))),
    )
    padded = np.pad(x.astype(np.float64), ((0, 0), (0, 0), (2, 2)))
    S = sum(np.einsum("nct,oc->not", padded[:, :, k : k + 13 : 2], weight[:, :, k]) for k in range(5))
    p = ASNParameters(m_f=0.1)
    rate = transfer(S + np.linspace(-0.1, 0.2, 28).reshape(4, 7), p) * (1 - p.k_beta) / height(p, "exact")
    np.testing.assert_allclose(convert(graph, x).analog(x), rate.reshape(3, -1) @ dense.T, atol=1e-5)


def say(graph, **metadata):
    graph.nodes["second"].metadata.update(metadata)


REFUSED = {
    "known are .*Affine.*model: ASN": lambda g: g.nodes["second"].metadata.clear(),
    "Threshold.*known are": lambda g: g.nodes.__setitem__("scale", nir.Threshold(np.ones((4, 4, 3)))),
    "start_dim=0": lambda g: setattr(g.nodes["flat"], "start_dim", 1),
    "scales the pixels": lambda g: g.nodes["scale"].scale.__setitem__((0, 0, 0), 1.0),
    "time constants": lambda g: g.nodes["smooth"].tau.__setitem__(0, 0.5),
    "different constants": lambda g: g.nodes["second"].w_in.__setitem__(0, 2.0),
    "loop through": lambda g: g.edges.append(("second", "hidden")),
    "does not have: nowhere": lambda g: g.edges.append(("nowhere", "hidden")),
    "input does not reach": lambda g: g.edges.remove(("flat", "square")),
    "do not fit": lambda g: setattr(g.nodes["in"], "input_type", {"input": np.array((2, 9, 6))}),
    "'second'.* m_f = 'abc', which is no number; write a number": lambda g: say(g, m_f="abc"),
    "'second'.* array_scale = 'a', which is no number": lambda g: say(g, array_scale="a"),
    "'second'.* image = .* no number": lambda g: say(g, array_scale=[1.0, 2.0], image=["a", "b"]),
    "'second'.* hold 2 numbers; write one": lambda g: say(g, tau_eta=[1.0, 2.0]),
    "'second'.*m_f = -1": lambda g: say(g, m_f=-1),
    "'second'.*form 'zzz'": lambda g: say(g, form="zzz"),
    "no Output": lambda g: (g.nodes.pop("out"), g.edges.pop()),
}


@pytest.mark.parametrize("why", REFUSED)
def test_what_cannot_be_converted_is_named(why):
    graph = others_graph()
    REFUSED[why](graph)
    with pytest.raises(ConversionError, match=why):
        convert(graph, others_images())


def test_files_that_are_none(tmp_path):
    (tmp_path / "net.nir").write_bytes(b"nonsense")
    with pytest.raises(ConversionError, match="cannot be read as a NIR graph"):
        convert(tmp_path / "net.nir", others_images())
    with pytest.raises(ConversionError, match="no such file"):
        convert(tmp_path / "other.nir", others_images())


def test_what_nir_cannot_express_is_refused():
    network = chain(
        (Dense, {"weights": normal(4, 8)}),
        (Reshape, {"target": (2, 2, 2)}),
        (Neurons, {"bias": normal(2), "parameters": P}),
        (Reshape, {"target": (8,)}),
        (Readout, {"bias": normal(8)}),
        shape=(4,),
    )
    with pytest.raises(ConversionError, match=r"'Reshape/1' makes a vector an image again"):
        network.to_nir()


# ---- the approximation that other tools see ------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["exact", "relu"])
@pytest.mark.parametrize("S", [0.2, 0.5, 1.0, 1.7])
def test_the_lif_encodes_its_closed_form(S, form):
    """Against NIR's equation, tau dv/dt = v_leak - v + r I with a reset, in steps of 1 us."""
    p, dt = ASNParameters(m_f=0.2), 1e-6
    v, spikes, steps = 0.0, 0, 1_000_000
    decay = np.exp(-dt / (p.tau_eta / 1000))
    for _ in range(steps):
        v = S + (v - S) * decay
        if v > p.theta0 / 2:
            v, spikes = reset(p, form), spikes + 1
    mean = height(p, form) / (1 - p.k_beta) * spikes / (steps * dt * 1000)
    assert approximate_transfer(S, p, form) == pytest.approx(mean, abs=height(p, form) / (1 - p.k_beta) / 1000 + 1e-3)


def test_the_loss_is_what_the_documents_say():
    """Largest error of the LIF's transfer function for S from 0 to 1, and its error at S = 2."""
    S = np.linspace(0, 1, 2001)
    found = {}
    for m_f in (0.05, 0.1, 0.2, 0.4):
        p = ASNParameters(m_f=m_f)
        error = approximate_transfer(S, p) - transfer(S, p)
        assert approximate_transfer(1.0, p) == pytest.approx(1)
        found[m_f] = (
            round(float(np.abs(error).max()), 2),
            round(float(approximate_transfer(2.0, p) / transfer(2.0, p) - 1), 2),
        )
    assert found == {0.05: (0.06, 0.23), 0.1: (0.06, 0.22), 0.2: (0.05, 0.21), 0.4: (0.04, 0.20)}


def test_the_proposed_primitive_is_an_asn():
    """docs/nir.md's worked example: the proposal's equations at r I = 1, in steps of 1 us."""
    tau_mem, tau_a, m, threshold, dt = 50.0, 15.0, 0.1, 0.05, 1e-3
    v = a = 0.0
    spikes, before = [], 0.0
    for step in range(400_000):
        v += (1 - v) * dt / tau_mem
        a -= a * dt / tau_a
        if v > threshold + a / 2:
            spikes.append(step * dt)
            before = 2 * threshold + a
            v, a = v - before, a + m * before
    assert np.diff(spikes)[-1] == pytest.approx(6.217, abs=0.01)
    assert before == pytest.approx(0.1242, abs=2e-4)


def test_concatenation_is_an_embedding():
    a = Input("in", (), (), (4, 4, 2))
    n = Neurons("n", ("in",), ((4, 4, 2),), normal(2), P)
    m = Neurons("m", ("in",), ((4, 4, 2),), normal(2), P)
    both = Concatenate("both", ("n", "m"), ((4, 4, 2),) * 2)
    flat = Reshape("flat", ("both",), (both.shape,), (64,))
    dense = Dense("dense", ("flat",), ((64,),), normal(64, 3))
    network = SpikingNetwork((a, n, m, both, flat, dense, Readout("out", ("dense",), ((3,),), normal(3))))
    graph = network.to_nir()
    assert graph.nodes["m_to_both"].weight[:, :, 0, 0].tolist() == [[0, 0], [0, 0], [1, 0], [0, 1]]
    assert_equal_nodes(convert(graph, images(network)), network)
