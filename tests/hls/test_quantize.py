"""SpikingNetwork -> FixedNetwork: synapse folding, weights, widths, refusals, files, multiplier-free neurons."""

from __future__ import annotations

import dataclasses
import itertools
import math
import subprocess
import sys

import numpy as np
import pytest
from adsnn_hls.arithmetic import FixedType
from adsnn_hls.arithmetic.powers import decay_exponents, multiplier_free_parameters, signed_digits
from adsnn_hls.fixed import FixedNetwork
from adsnn_hls.quantize import PixelFormat, Widths, calibrate, effective_parameters, quantize
from adsnn_hls.quantize.synapses import chain, synapses
from adsnn_hls.stages import ConvStage, DenseStage, accumulator_range, sum_type
from hls_nets import NETWORKS, PARAMETERS, Builder, conv_net, dense_net, pixels
from hypothesis import given
from hypothesis import strategies as st

from snntb_adsnn.errors import NetworkError, OutputError, ParameterError
from snntb_adsnn.network import Neurons, SpikingNetwork
from snntb_adsnn.network.maps import Add, Conv2D, DepthwiseConv2D, Scale, Window, ZeroPad2D
from snntb_adsnn.neuron.transfer import spike_height

# ---- synapses ------------------------------------------------------------------------------------------------------


def _through_path(link, x):
    for node in link.path:
        x = node.apply(x)
    return x


def _through_synapses(link, x):
    found = synapses(link)
    if found.window is None:
        return x.reshape(len(x), -1) @ found.weights
    kernel = Conv2D("c", ("x",), (link.source_shape,), found.weights, found.window)
    return kernel.apply(x)


def _paths() -> dict[str, SpikingNetwork]:
    rng = np.random.default_rng(7)

    def weights(*shape):
        return rng.normal(size=shape).astype(np.float32)

    def end(b):
        return b.neurons().flatten().dense(3).readout()

    def start(shape=(8, 8, 4)):
        return Builder(shape, 5).scale().neurons()

    return {
        "same conv, average": end(start().conv(3, same=True).average()),
        "odd image, average drops a row": end(start((9, 7, 2)).conv(3, same=True).average()),
        "average, same conv": end(start().average().conv(3, 3, same=True)),
        "average, conv, gain, average": end(start((16, 16, 2)).average().conv(3, 3).scale().average(3)),
        "depthwise, pointwise": end(start().add(DepthwiseConv2D, weights(3, 3, 4, 2), Window((3, 3))).conv(5, 1)),
        "groups": end(start().add(Conv2D, weights(3, 3, 2, 6), Window((3, 3)), 2)),
        "dilation": end(start().add(Conv2D, weights(2, 2, 4, 3), Window((2, 2), dilation=(3, 2)))),
        "zero padding": end(start().add(ZeroPad2D, ((1, 0), (2, 1))).conv(2)),
        "strides": end(start((9, 8, 2)).conv(3, stride=2, same=True).conv(2, 2, stride=2)),
        "neurons behind neurons": end(start().neurons()),
        "average, flatten, dense": start().average().flatten().dense(3).readout(),
    }


@pytest.mark.parametrize("name", sorted(_paths()))
def test_synapses_equal_the_nodes_they_replace(name: str) -> None:
    for link in chain(_paths()[name])[1:]:
        x = np.random.default_rng(1).normal(size=(3, *link.source_shape))
        np.testing.assert_allclose(_through_synapses(link, x), _through_path(link, x), rtol=1e-6, atol=1e-9)


def test_average_pooling_widens_kernel_and_stride() -> None:
    link = chain(conv_net())[2]
    found = synapses(link)
    assert found.window is not None
    assert (found.window.size, found.window.strides) == ((4, 4), (2, 2))


def _residual() -> SpikingNetwork:
    b = Builder((4,), 0).scale().neurons()
    source = b.nodes[-1]
    b.dense(4)
    last = b.nodes[-1]
    b.nodes.append(Add("residual", (last.name, source.name), (last.shape, source.shape)))
    return b.neurons().dense(2).readout()


def _two() -> SpikingNetwork:
    return Builder((2,), 0).scale().neurons().dense(2).readout()


def _branch() -> SpikingNetwork:
    b = Builder((4,), 0).scale().neurons()
    first = b.nodes[-1]
    b.dense(4).neurons()
    b.nodes.append(Neurons("side", (first.name,), (first.shape,), np.zeros(4, np.float32), PARAMETERS))
    return b.dense(2).readout()


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (_residual(), r"residual \(Add\) joins .* chain .* without skip connections"),
        (_branch(), r"side reads 'neurons_2', .* without branches"),
        (
            _two().map_neurons(lambda n: dataclasses.replace(n, form="relu")),
            r"neurons_2 has graded spikes \(ReLU\), .* AAN",
        ),
        (_two().with_m_f({"neurons_2": np.array([0.1, 0.2])}), "neurons_2 has a precision of each neuron"),
        (
            Builder((4,), 0).dense(4).neurons().dense(2).readout(),
            r"dense_1 \(Dense\) reads the analog input.*BatchNormalization",
        ),
        (
            Builder((8, 8, 1), 0)
            .scale()
            .neurons()
            .conv(2, same=True)
            .conv(2, same=True)
            .neurons()
            .flatten()
            .dense(2)
            .readout(),
            r"conv2d_4 pads with zeros .* padding='valid'",
        ),
    ],
)
def test_networks_without_a_stage_are_refused(network: SpikingNetwork, message: str) -> None:
    with pytest.raises(NetworkError, match=message):
        calibrate(network, pixels(network), 5)


# ---- numbers -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(NETWORKS))
@pytest.mark.parametrize("bits", [4, 8])
def test_weights_are_within_half_a_step(name: str, bits: int) -> None:
    network = NETWORKS[name](1)
    fixed = quantize(network, calibrate(network, pixels(network), 20), Widths(weights=bits))
    links = {link.target.name: link for link in chain(network)}
    for before, stage in zip(fixed.spiking, fixed.stages[1:], strict=True):
        source = links[before.name].target
        target = stage.neurons if hasattr(stage, "neurons") else stage
        k_beta = target.k_beta / 2**target.coefficient.fraction
        h = spike_height(effective_parameters(source.parameters, before.neurons, k_beta))
        exact = synapses(links[stage.name]).weights * h
        assert np.abs(stage.weight_type.value(stage.weights) - exact).max() <= stage.weight_type.step / 2
        # no bit is wasted: at one more fraction bit they would not fit
        finer = dataclasses.replace(stage.weight_type, integer=stage.weight_type.integer - 1)
        assert not finer.holds(exact)
        assert stage.weight_type.width == bits


@given(st.lists(st.lists(st.integers(-128, 127), min_size=3, max_size=3), min_size=1, max_size=6), st.booleans())
def test_accumulator_holds_every_subset_and_no_bit_more(rows: list[list[int]], signed: bool) -> None:
    weights = np.array(rows)
    kind = sum_type(weights, FixedType(8, 3), signed)
    subsets = np.array(list(itertools.product((-1, 0, 1) if signed else (0, 1), repeat=len(rows))))
    sums = subsets @ weights
    assert accumulator_range(weights, signed) == (min(sums.min(), 0), max(sums.max(), 0))
    assert kind.low <= sums.min()
    assert sums.max() <= kind.high
    assert kind.width == 1 or sums.min() < kind.low // 2 or sums.max() > kind.high // 2
    assert kind.fraction == 5


def test_accumulator_that_could_overflow_is_refused() -> None:
    network = dense_net()
    fixed = quantize(network, calibrate(network, pixels(network), 20))
    stage = fixed.stages[1]
    assert isinstance(stage, DenseStage)
    small = dataclasses.replace(
        stage.accumulator, width=stage.accumulator.width - 1, integer=stage.accumulator.integer - 1
    )
    with pytest.raises(NetworkError, match=rf"cannot hold sums .* needs {stage.accumulator.width} bits"):
        dataclasses.replace(stage, accumulator=small)


def test_input_scaling_is_folded_into_the_gain() -> None:
    """Words of any pixel format give the current that the float network's input gives."""
    network = Builder((6,), 3).scale().neurons().dense(3).readout()
    gain = network.nodes[1]
    assert isinstance(gain, Scale)
    x = np.random.default_rng(0).uniform(-3, 5, (20, 6))
    for bits in (4, 8, 12):
        form = PixelFormat.of(x, bits)
        fixed = quantize(network, calibrate(network, x, 20, form), pixels=form)
        words = fixed.pixels(x)
        assert words.min() == 0
        assert words.max() == 2**bits - 1
        exact, fraction = fixed.analog.held_current(words)
        rounded = words * form.scale + form.offset
        assert np.abs(rounded - x).max() <= form.scale / 2 * (1 + 1e-9)
        np.testing.assert_allclose(
            exact / 2.0**fraction, rounded * gain.factors, atol=0.001 * np.abs(gain.factors).max()
        )
    assert PixelFormat.of(np.array([0.0, 0.7])) == PixelFormat()


def test_widths_that_cannot_hold_the_weights_are_refused() -> None:
    network = dense_net()
    ranges = calibrate(network, pixels(network), 20)
    with pytest.raises(ParameterError, match=r"neurons_4: weights from -.* do not fit fixed<8,-3.*integer bits"):
        quantize(network, ranges, Widths(weights=FixedType(8, -3)))
    fitting = quantize(network, ranges, Widths(weights=FixedType(8, 1)))
    assert fitting.readout.weight_type.integer == 1


FAINT = dense_net(parameters=dataclasses.replace(PARAMETERS, m_f=0.02))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Widths(weights=1), "weights = 1 bits"),
        (lambda: Widths(current=60), "current = 60 bits"),
        (lambda: Widths(weights=FixedType(8, 0, False)), "signed"),
        (lambda: PixelFormat(bits=0), "bits"),
        (lambda: PixelFormat(scale=0.0), "scale"),
        (
            lambda: quantize(dense_net(), calibrate(dense_net(), pixels(dense_net()), 3), {"nobody": Widths()}),
            "unknown layers",
        ),
        (
            lambda: quantize(FAINT, calibrate(FAINT, pixels(FAINT), 3), Widths(coefficient=4)),
            "coefficients more bits",
        ),
    ],
)
def test_bad_widths_are_refused(make, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        make()


def test_sums_beyond_an_intermediate_word_are_refused() -> None:
    network = dense_net()
    fixed = quantize(network, calibrate(network, pixels(network), 20))
    stage = fixed.stages[1]
    assert isinstance(stage, DenseStage)
    far = dataclasses.replace(stage.weight_type, integer=-60)
    with pytest.raises(ParameterError, match=r"neurons_4: a sum of .* bits exceeds the 62 bits"):
        dataclasses.replace(stage, weight_type=far, accumulator=sum_type(stage.weights, far))


@pytest.mark.parametrize(
    ("c", "message"),
    [(2.3, r"neurons_4: corrective = 2\.3 is not a multiple of 1/4 .* choose 2\.25"), (64.0, r"below 64.* 63\.75")],
)
def test_corrective_spikes_without_an_exact_word_are_refused(c: float, message: str) -> None:
    network = dense_net(corrective=c)
    with pytest.raises(ParameterError, match=message):
        calibrate(network, pixels(network), 3)


def test_spikes_that_may_be_negative_where_none_is_expected_are_refused() -> None:
    network = dense_net(corrective=2.0)
    fixed = quantize(network, calibrate(network, pixels(network), 20))
    assert [(s.signed_in, s.signed_out) for s in fixed.stages] == [(False, False), (False, True), (True, False)]
    with pytest.raises(NetworkError, match="readout_6: spikes of 'neurons_4' may be negative"):
        dataclasses.replace(fixed, stages=(*fixed.stages[:2], dataclasses.replace(fixed.readout, signed=False)))


def test_a_wait_that_the_hardware_cannot_count_is_refused() -> None:
    network = dense_net(onset=70_000.0)
    with pytest.raises(ParameterError, match="onset of 70000 time steps .* 65535"):
        calibrate(network, pixels(network), 3)


# ---- files ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_save_and_load(name: str, tmp_path) -> None:
    network = NETWORKS[name](2)
    fixed = quantize(network, calibrate(network, pixels(network), 10))
    again = FixedNetwork.load(fixed.save(tmp_path / "net.npz"))

    def flat(owner):
        return {
            f.name: v.tolist()
            if isinstance(v := getattr(owner, f.name), np.ndarray)
            else vars(v)
            if isinstance(v, Window)
            else v
            for f in dataclasses.fields(owner)
            if f.name != "neurons"
        }

    for a, b in zip(fixed.stages, again.stages, strict=True):
        assert type(a) is type(b)
        assert flat(a) == flat(b)
        if hasattr(a, "neurons"):
            assert flat(a.neurons) == flat(b.neurons)
    assert again.digest() == fixed.digest()
    assert (again.dt, again.pixel_scale, again.pixel_offset) == (fixed.dt, fixed.pixel_scale, fixed.pixel_offset)


def test_damaged_files_are_refused(tmp_path) -> None:
    network = dense_net()
    path = quantize(network, calibrate(network, pixels(network), 3)).save(tmp_path / "net.npz")
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(OutputError, match="damaged"):
        FixedNetwork.load(path)
    with pytest.raises(OutputError, match="no such"):
        FixedNetwork.load(tmp_path / "none.npz")
    with pytest.raises(OutputError, match="not a"):
        FixedNetwork.load(network.save(tmp_path / "float.npz"))


# ---- multiplier-free neurons ---------------------------------------------------------------------------------------


@given(st.integers(-(2**40), 2**40))
def test_signed_digits_make_up_the_word(word: int) -> None:
    digits = signed_digits(word)
    assert sum(sign << shift if sign > 0 else -(1 << shift) for sign, shift in digits) == word
    shifts = [shift for _, shift in digits]
    assert all(b - a > 1 for a, b in itertools.pairwise(shifts))  # canonical: no two neighbours


def test_the_constants_to_train_for() -> None:
    p = multiplier_free_parameters(dataclasses.replace(PARAMETERS, m_f=0.45, theta0=0.45))
    assert (p.m_f, p.theta0) == (0.5, 0.5)
    assert p.k_eta == pytest.approx(1 - 1 / 64)
    assert p.k_beta == pytest.approx(1 - 1 / 64)
    assert p.k_gamma == pytest.approx(1 - 1 / 16)
    assert p.k_phi == pytest.approx(3 / 4)
    assert decay_exponents(math.exp(-1 / 50), 2) == (6, 8)
    assert multiplier_free_parameters(p) == p


@pytest.mark.parametrize("terms", [1, 2])
def test_multiplier_free_networks_have_exact_short_factors(terms: int) -> None:
    p = multiplier_free_parameters(PARAMETERS, terms)
    network = dense_net(parameters=p)
    fixed = quantize(network, calibrate(network, pixels(network), 50), multiplier_free=True)
    for stage in fixed.spiking:
        n = stage.neurons
        one = 2.0**n.coefficient.fraction
        assert [n.k_beta / one, n.k_eta / one, n.k_gamma / one] == pytest.approx(
            [p.k_beta, p.k_eta, p.k_gamma], rel=1e-12
        )
        assert n.m_gamma / one == pytest.approx(p.m_f * p.k_gamma, rel=1e-12)
        assert effective_parameters(p, n, p.k_beta).tau_eta == pytest.approx(p.tau_eta, rel=1e-9)
        for factor in n.FACTORS:
            assert len(signed_digits(getattr(n, factor))) <= terms + 1
        assert len(signed_digits(n.theta0)) == 1
    assert len(signed_digits(fixed.readout.g_phi)) == 1


def test_multiplier_free_corrective_spikes_need_a_power_of_two() -> None:
    network = dense_net(parameters=multiplier_free_parameters(PARAMETERS), corrective=2.5)
    ranges = calibrate(network, pixels(network), 20)
    assert quantize(network, ranges).spiking[1].neurons.corrective == 10
    with pytest.raises(ParameterError, match=r"neurons_4: corrective = 2\.5 is no power of two"):
        quantize(network, ranges, multiplier_free=True)
    fixed = quantize(network.with_corrective(4.0), ranges, multiplier_free=True)
    assert fixed.spiking[1].neurons.corrective == 16


def test_multiplier_free_needs_a_network_trained_for_it() -> None:
    network = dense_net()
    with pytest.raises(ParameterError, match=r"neurons_2.*not trained for multiplier-free.*tau_eta = 63\.49"):
        quantize(network, calibrate(network, pixels(network), 5), multiplier_free=True)


def test_the_stages_of_a_convolutional_net() -> None:
    network = conv_net()
    fixed = quantize(network, calibrate(network, pixels(network), 5))
    kinds = [type(stage).__name__ for stage in fixed.stages]
    assert kinds == ["AnalogStage", "ConvStage", "ConvStage", "DenseStage", "ReadoutStage"]
    pooled = fixed.stages[1]
    assert isinstance(pooled, ConvStage)
    assert (pooled.neurons.input_shape, pooled.neurons.shape) == ((8, 8, 4), (4, 4, 4))
    assert fixed.neuron_count == network.neuron_count


def test_no_tensorflow_is_imported() -> None:
    modules = [
        "arithmetic.powers",
        "cores",
        "stages",
        "fixed.network",
        "fixed.fast",
        "quantize.search",
        "quantize.synapses",
    ]
    code = f"import sys\nfor m in {modules}: __import__('adsnn_hls.' + m)\nassert not {{'tensorflow', 'tf_keras'}} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_images_for_a_network_that_begins_with_flatten():
    network = dense_net()
    x = pixels(network)
    fixed = quantize(network, calibrate(network, x, 5))
    inputs = fixed.input_shape[0]
    np.testing.assert_array_equal(fixed.pixels(x.reshape(len(x), 1, inputs, 1)), fixed.pixels(x))
    with pytest.raises(ParameterError, match="does not fit"):
        fixed.pixels(x[:, 1:])
