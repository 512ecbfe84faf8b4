"""SpikingNetwork: what it refuses on construction, and its files."""

import dataclasses

import numpy as np
import pytest

from snntb_adsnn import SpikingNetwork, simulate
from snntb_adsnn.errors import NetworkError, OutputError, ParameterError
from snntb_adsnn.files import atomic_path, atomic_write
from snntb_adsnn.network import Input, Neurons, Readout
from snntb_adsnn.network.maps import Conv2D, Dense, MaxPool2D, Window, same_padding
from snntb_adsnn.neuron import ASNParameters

P = ASNParameters(m_f=0.2)
ZERO = np.zeros(2, np.float32)


def nodes():
    return [
        Input("input", (), (), (2,)),
        Neurons("hidden", ("input",), ((2,),), ZERO, P),
        Dense("dense", ("hidden",), ((2,),), np.eye(2, dtype=np.float32)),
        Readout("readout", ("dense",), ((2,),), ZERO),
    ]


def changed(position, **fields):
    found = nodes()
    found[position] = dataclasses.replace(found[position], **fields)
    return found


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: changed(2, name="hidden"), "two nodes are named 'hidden'"),
        (lambda: changed(2, inputs=("nobody",)), "'nobody' is not an earlier node"),
        (lambda: nodes()[1:], "input"),
        (lambda: nodes()[:-1], "starts with its one Input and ends with its one Readout"),
        (lambda: changed(1, parameters=ASNParameters(m_f=0.2, tau_beta=20.0)), "must share tau_beta"),
        (lambda: changed(2, weights=np.full((2, 2), np.nan, np.float32)), "NaN"),
        (lambda: changed(2, weights=np.ones((3, 2), np.float32)), "one axis of 3 features"),
        (lambda: changed(1, bias=np.zeros(3, np.float32)), "fits neither"),
        (lambda: changed(1, scale=np.ones(2)), "only graded spikes have thresholds of their own scale"),
        (lambda: changed(1, form="relu", scale=np.ones(3)), "scale needs one number a channel"),
        (lambda: changed(1, form="relu", scale=np.array([1.0, 0.0])), "finite numbers above 0"),
        (lambda: changed(3, activation="gelu"), "'gelu' must be one of softmax, linear, sigmoid"),
        (lambda: changed(3, tau_phi=0.0), "above 0"),
        (
            lambda: [*nodes()[:2], MaxPool2D("p", ("hidden",), ((2, 2, 1),), Window((2, 2))), *nodes()[2:]],
            "cannot stand alone",
        ),
    ],
)
def test_a_broken_graph_is_refused(build, message):
    with pytest.raises((NetworkError, ParameterError), match=message):
        SpikingNetwork(tuple(build()))


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.zeros((1, 3)), "does not fit"),
        (np.zeros((0, 2)), "at least one image"),
        (np.full((1, 2), np.nan), "NaN"),
        (np.full((1, 2), 1j), "complex"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(x, message):
    network = SpikingNetwork(tuple(nodes()))
    for use in (network.analog, lambda x: simulate(network, x, engine="reference")):
        with pytest.raises(ParameterError, match=message):
            use(x)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"engine": "warp"}, "'warp' is unknown: choose auto or one of event, reference"),
        ({"record": ("spikes", "mood")}, r"\['mood'\]"),
        ({"duration": 0.2}, "less than one step"),
        ({"duration": float("nan")}, "less than one step"),
        ({"duration": "abc"}, "'abc' ms is less than one step"),
        ({"m_f": -1.0}, "m_f = -1.0"),
        ({"m_f": "a"}, "m_f = 'a'"),
    ],
)
def test_simulate_names_a_wrong_argument(arguments, message):
    with pytest.raises(ParameterError, match=message):
        simulate(SpikingNetwork(tuple(nodes())), np.zeros((1, 2)), **arguments)


def test_one_quantity_to_record_needs_no_tuple():
    result = simulate(SpikingNetwork(tuple(nodes())), np.ones((1, 2)), duration=20, record="spikes", engine="reference")
    assert result.records["spikes"]["hidden"].any()


def test_thresholds_of_a_channels_own_scale_are_weights_of_another(tmp_path):
    """ReLU is homogeneous: a threshold twice as high is an input half as large, and an output twice as large."""
    random = np.random.default_rng(0)
    first, second = random.uniform(0.2, 1, (2, 3)).astype(np.float32), random.normal(size=(3, 2)).astype(np.float32)
    bias, scale = random.uniform(0, 1, 3).astype(np.float32), np.array([0.5, 4, 1], np.float32)

    def network(bias, first, second, scale):
        return SpikingNetwork(
            (
                nodes()[0],
                Dense("first", ("input",), ((2,),), first),
                Neurons("hidden", ("first",), ((3,),), bias, P, "relu", scale=scale),
                Dense("dense", ("hidden",), ((3,),), second),
                nodes()[3],
            )
        )

    x = random.uniform(0, 3, (5, 2))
    scaled = network(bias, first, second, scale)
    plain = network(bias / scale, first / scale, second * scale[:, None], None)
    scaled.save(tmp_path / "net.npz")
    for one in (scaled, SpikingNetwork.load(tmp_path / "net.npz")):
        for m_f in (0.2, 0.7):
            found, expected = (simulate(n.with_m_f(m_f), x, duration=100) for n in (one, plain))
            np.testing.assert_array_equal(found.spike_counts["hidden"], expected.spike_counts["hidden"])
            assert np.all(
                found.spike_counts["hidden"].sum(axis=0) > 0
            )  # every neuron spikes, or its threshold is not seen
            np.testing.assert_allclose(found.outputs, expected.outputs, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(one.analog(x), plain.analog(x), rtol=1e-6)


def test_weights_cannot_be_changed_behind_the_networks_back():
    network = SpikingNetwork(tuple(nodes()))
    with pytest.raises(ValueError, match="read-only"):
        network.by_name["dense"].weights[0, 0] = 3.0


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda b: b[: len(b) // 2], "damaged network file"),
        (lambda b: b"not a zip", "is no network file; it begins with other bytes"),
        (lambda b: b.replace(b"header", b"hxader"), "is an archive of something else"),
    ],
)
def test_a_damaged_file_is_refused(damage, words, tmp_path):
    path = SpikingNetwork(tuple(nodes())).save(tmp_path / "net.npz")
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(OutputError, match=rf"net\.npz: {words}"):
        SpikingNetwork.load(path)


def test_a_missing_or_foreign_file_is_refused(tmp_path):
    with pytest.raises(OutputError, match="no such network file"):
        SpikingNetwork.load(tmp_path / "none.npz")
    np.savez(tmp_path / "other.npz", header=np.frombuffer(b'{"format": "other"}', np.uint8))
    with pytest.raises(OutputError, match="not a network file of this version"):
        SpikingNetwork.load(tmp_path / "other.npz")


def test_a_device_is_written_and_not_replaced(tmp_path):
    link = tmp_path / "full"
    link.symlink_to("/dev/full")
    with pytest.raises(OutputError, match="the disk is full"):
        atomic_write(link, "text")
    assert link.is_symlink()
    assert link.is_char_device()


def test_a_write_that_fails_leaves_the_old_file(tmp_path):
    path = atomic_write(tmp_path / "a.txt", "old")

    def interrupted():
        with atomic_path(path) as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_same_padding_is_keras_rule():
    # 7 pixels, kernel 4, stride 2: 4 outputs need 10 pixels; of the 3 padded ones the odd one goes to the end
    assert same_padding((7, 7), (4, 4), (2, 2)) == ((1, 2), (1, 2))


def test_convolution_by_hand():
    """One output pixel of a strided, dilated, padded convolution, summed tap by tap."""
    rng = np.random.default_rng(0)
    window = Window((2, 3), (2, 1), ((1, 0), (0, 2)), (2, 1))
    weights = rng.normal(size=(2, 3, 2, 4)).astype(np.float32)
    conv = Conv2D("c", ("x",), ((5, 6, 2),), weights, window)
    x = rng.normal(size=(1, 5, 6, 2))
    row, column = 1, 4
    expected = np.zeros(4)
    for i in range(2):
        for j in range(3):
            r, c = row * 2 + 2 * i - 1, column + j
            if 0 <= r < 5 and 0 <= c < 6:
                expected += x[0, r, c] @ weights[i, j]
    np.testing.assert_allclose(conv.apply(x)[0, row, column], expected)
