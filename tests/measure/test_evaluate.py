"""Figures of a run, against sums written out by hand."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snntb_adsnn.engine import SimulationResult, simulate
from snntb_adsnn.errors import DataError, OutputError, ParameterError
from snntb_adsnn.measure.connectivity import fanouts
from snntb_adsnn.measure.evaluate import Evaluation, matching_step
from snntb_adsnn.network import Input, Neurons, Output, Readout, SpikingNetwork
from snntb_adsnn.network.maps import AveragePool2D, Conv2D, Dense, Reshape, Window
from snntb_adsnn.network.tasks import Classification
from snntb_adsnn.neuron import ASNParameters
from snntb_adsnn.report import print_table, read_results, write

P = ASNParameters(m_f=0.2)


def network(seed=0):
    """3x3 image -> neurons -> 2x2 convolution to 2 channels -> neurons -> dense read-out of 2 classes."""
    rng = np.random.default_rng(seed)
    zeros = np.zeros
    return SpikingNetwork(
        (
            Input("input", (), (), (3, 3, 1)),
            Neurons("first", ("input",), ((3, 3, 1),), zeros(1, np.float32), P),
            Conv2D(
                "conv", ("first",), ((3, 3, 1),), rng.normal(0.3, 0.3, (2, 2, 1, 2)).astype(np.float32), Window((2, 2))
            ),
            Neurons("second", ("conv",), ((2, 2, 2),), zeros(2, np.float32), P),
            Reshape("flat", ("second",), ((2, 2, 2),), (8,)),
            Dense("dense", ("flat",), ((8,),), rng.normal(0, 0.5, (8, 2)).astype(np.float32)),
            Readout("readout", ("dense",), ((2,),), zeros(2, np.float32)),
        )
    )


def result_of(decisions, counts, per_step):
    """A result whose decisions are given."""
    outputs = np.eye(2, dtype=np.float32)[np.asarray(decisions)]
    return SimulationResult(outputs, counts, per_step, dt=1.0)


def test_figures_of_two_batches_by_hand():
    counts = [
        {"first": np.full((2, 3, 3, 1), 2, np.int32), "second": np.ones((2, 2, 2, 2), np.int32)},
        {"first": np.zeros((1, 3, 3, 1), np.int32), "second": np.full((1, 2, 2, 2), 3, np.int32)},
    ]
    per_step = [
        {"first": np.array([36, 0, 0, 0]), "second": np.array([0, 8, 8, 0])},
        {"first": np.array([0, 0, 0, 0]), "second": np.array([0, 0, 0, 24])},
    ]
    evaluation = Evaluation(network(), matching_fraction=0.6)
    evaluation.add(result_of([[0, 1, 1, 1], [1, 1, 0, 1]], counts[0], per_step[0]), [1, 0], [1, 1])
    evaluation.add(result_of([[0, 0, 1, 0]], counts[1], per_step[1]), [[1, 0]], [0])
    m = evaluation.metrics()
    # correct: step 0: 0 of 2 + 1; step 1: image 0 + third; step 2: images 0 and 1; step 3: image 0 + third
    np.testing.assert_allclose(m.decisions.accuracy_over_time, [1 / 3, 2 / 3, 2 / 3, 2 / 3])
    assert (m.num_images, m.duration_ms, m.decisions.snn_accuracy) == (3, 4.0, pytest.approx(2 / 3))
    assert m.decisions.ann_accuracy == pytest.approx(2 / 3)
    assert m.decisions.agreement == pytest.approx(3 / 3)
    assert m.decisions.matching_time_ms == 2.0
    assert m.decisions.accuracy_sd == pytest.approx(0)
    assert m.firing.rate_hz == pytest.approx((36 + 16 + 24) / (17 * 3) / 0.004)
    assert m.firing.rate_hz_per_layer["first"] == pytest.approx(36 / (9 * 3) / 0.004)
    assert m.firing.spikes_per_neuron_at_mt == pytest.approx((36 + 8) / (17 * 3))
    # first layer: corner pixels reach 1 window, edges 2, the centre 4; times 2 channels. Second: 2 classes
    fan_out = 2 * np.array([[1, 2, 1], [2, 4, 2], [1, 2, 1]])
    expected = (2 * 2 * fan_out.sum() + (2 * 8 + 24) * 2) / 3
    assert m.work.synaptic_operations_per_image == pytest.approx(expected)
    assert m.work.neuron_updates_per_image == 17 * 4


def test_graded_spikes_cost_multiply_adds():
    neurons = [Neurons("a", ("x",), ((3,),), np.zeros(3, np.float32), ASNParameters(), form="relu")]
    neurons.append(Dense("d", ("a",), ((3,),), np.ones((3, 5), np.float32)))
    neurons.append(Neurons("b", ("d",), ((5,),), np.zeros(5, np.float32), ASNParameters()))
    neurons.append(Dense("e", ("b",), ((5,),), np.ones((5, 2), np.float32)))
    readout = Readout("out", ("e",), ((2,),), np.zeros(2, np.float32))
    network = SpikingNetwork((Input("x", (), (), (3,)), *neurons, readout))
    result = simulate(network, np.ones((2, 3)), duration=50)
    evaluation = Evaluation(network)
    evaluation.add(result, [0, 1])
    m = evaluation.metrics()
    assert m.work.multiply_adds_per_image == 5 * result.spike_counts["a"].sum() / 2 > 0
    additions = 2 * result.spike_counts["b"].sum() / 2
    assert additions > 0
    assert m.work.synaptic_operations_per_image == additions + m.work.multiply_adds_per_image
    assert m.work.costs.whole.synaptic_operations == m.work.synaptic_operations_per_image


def test_fanouts_equal_a_probe_of_each_neuron():
    """Deliver one spike at a time through weights of one and count what arrives."""
    ones = np.ones((3, 2, 1, 2), np.float32)
    window = Window((3, 2), (2, 1), ((1, 0), (0, 1)), (1, 2))
    net = SpikingNetwork(
        (
            Input("input", (), (), (6, 6, 1)),
            Neurons("a", ("input",), ((6, 6, 1),), np.zeros(1, np.float32), P),
            AveragePool2D("pool", ("a",), ((6, 6, 1),), Window((2, 2), (1, 1))),
            Conv2D("conv", ("pool",), ((5, 5, 1),), ones, window),
            Neurons("b", ("conv",), ((2, 4, 2),), np.zeros(2, np.float32), P),
            Reshape("flat", ("b",), ((2, 4, 2),), (16,)),
            Dense("dense", ("flat",), ((16,),), np.ones((16, 3), np.float32)),
            Readout("readout", ("dense",), ((3,),), np.zeros(3, np.float32)),
        )
    )
    spikes = np.eye(36).reshape(36, 6, 6, 1)
    pooled = net.by_name["pool"].apply(spikes) * 4  # additions into windows, not their mean
    arriving = net.by_name["conv"].apply(pooled).sum(axis=(1, 2, 3)).reshape(6, 6, 1)
    found = fanouts(net)
    np.testing.assert_array_equal(found["a"].additions, arriving)
    np.testing.assert_array_equal(found["b"].additions, np.full((2, 4, 2), 3))
    assert not any(fanout.multiply_adds.any() for fanout in found.values())


@given(accuracy=st.lists(st.floats(0, 1), min_size=1, max_size=50), fraction=st.floats(0.01, 1))
def test_matching_step_is_the_first_that_reaches_the_fraction(accuracy, fraction):
    a = np.array(accuracy)
    at = matching_step(a, fraction)
    goal = fraction * a.max()
    assert a[at] >= goal * (1 - 1e-9)
    assert np.all(a[:at] < goal)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, 1, 2], "run from 0 to 2.*2 outputs"),
        ([0, 1], r"\(2,\) do not fit 3 images"),
        ([[1, 0, 0]] * 3, "do not fit 3 images and 2 classes"),
        ([0, 0.5, 1], "one integer an image"),
        ([-1, 0, 1], "run from -1"),
    ],
)
def test_labels_that_do_not_fit_are_refused(labels, message):
    with pytest.raises(DataError, match=message):
        Classification(Output("out", (2,), "softmax")).targets(labels, images=3)


def test_an_empty_run_and_unequal_batches_are_refused():
    evaluation = Evaluation(network())
    with pytest.raises(DataError, match="no image was simulated"):
        evaluation.metrics()
    empty = {"first": np.zeros((1, 3, 3, 1), np.int32), "second": np.zeros((1, 2, 2, 2), np.int32)}
    evaluation.add(result_of([[0, 1]], empty, {n: np.zeros(2, int) for n in empty}), [0])
    with pytest.raises(DataError, match="same duration"):
        evaluation.add(result_of([[0, 1, 1]], empty, {n: np.zeros(3, int) for n in empty}), [0])
    with pytest.raises(ParameterError, match="matching_fraction = 0"):
        Evaluation(network(), matching_fraction=0)


@pytest.fixture
def evaluated():
    from snntb_adsnn import simulate

    net = network()
    evaluation = Evaluation(net)
    x = np.random.default_rng(0).uniform(0, 1, (4, 3, 3, 1))
    evaluation.add(simulate(net, x, duration=100, engine="reference"), [0, 1, 0, 1], [0, 1, 1, 1])
    return evaluation, x


def test_a_run_leaves_json_and_pictures(evaluated, tmp_path):
    evaluation, x = evaluated
    results = write(evaluation, tmp_path / "out", sample=x[0], json_copy=tmp_path / "copy.json", seed=7)
    assert (
        read_results(tmp_path / "out" / "results.json") == json.loads((tmp_path / "copy.json").read_text()) == results
    )
    assert results["seed"] == 7
    assert results["m_f"] == 0.2
    assert results["versions"]["numpy"] == np.__version__
    pictures = {p.name for p in (tmp_path / "out").glob("*.png")}
    assert pictures == {"accuracy_over_time.png", "firing_rate_per_layer.png", "raster.png", "transfer_function.png"}
    assert all(p.stat().st_size > 5000 for p in (tmp_path / "out").glob("*.png"))


def test_pictures_do_not_follow_the_toolboxs_large_fonts(evaluated, tmp_path):
    import matplotlib

    evaluation, x = evaluated
    with matplotlib.rc_context({"font.size": 30, "axes.titlesize": "xx-large"}):  # as [output] plotproperties does
        write(evaluation, tmp_path / "large", sample=x[0])
    write(evaluation, tmp_path / "plain", sample=x[0])
    for picture in (tmp_path / "plain").glob("*.png"):
        assert picture.read_bytes() == (tmp_path / "large" / picture.name).read_bytes()


def test_the_table_shows_what_the_json_holds(evaluated, tmp_path):
    from rich.console import Console

    evaluation, _ = evaluated
    results = write(evaluation, tmp_path, plots=False)
    console = Console(record=True, width=100, quiet=False)
    print_table(results, console)
    text = console.export_text()
    assert f"{100 * results['snn_accuracy']:.2f} %" in text
    assert f"{results['firing_rate_hz']:.2f} Hz" in text
    assert f"{results['matching_time_ms']:g} ms" in text


@pytest.mark.parametrize("content", ["", "{}", "[1, 2]", '{"snn_accuracy": 0.9'])
def test_a_damaged_result_file_is_refused(content, tmp_path):
    (tmp_path / "results.json").write_text(content)
    with pytest.raises(OutputError, match="damaged result file"):
        read_results(tmp_path / "results.json")


def test_a_folder_that_cannot_be_written_is_refused_and_nothing_is_left(evaluated, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="cannot be written"):
        write(evaluated[0], tmp_path / "file")
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
