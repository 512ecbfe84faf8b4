"""Arousal: the threshold from training images, each choice's figures, and the command."""

import dataclasses
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from image_files import write_archive, write_folder
from study_jobs import small_network, small_subject

from snntb_adsnn import cli
from snntb_adsnn.config import load_config
from snntb_adsnn.data import load_dataset
from snntb_adsnn.engine import Switch, simulate
from snntb_adsnn.errors import ConfigError, NoMistakesError, ParameterError
from snntb_adsnn.measure.correction import Correction
from snntb_adsnn.report.outcomes import ArousalOutcome
from snntb_adsnn.run import load
from snntb_adsnn.studies import choice
from snntb_adsnn.studies.arousal import arouse, at_random, precisions, simulate_trial, training_subject
from snntb_adsnn.studies.choice import HeldOut, Outcome, Probe, Trial, Window, choose, estimate_threshold
from snntb_adsnn.studies.study import Subject
from snntb_adsnn.studies.sweep import Shared
from snntb_adsnn.studies.workers import in_process
from snntb_adsnn.training.feed import folder_feed, split_validation


@pytest.fixture
def config(tmp_path):
    def config(text=""):
        file = tmp_path / "c.ini"
        file.write_text(f"[paths]\npath_wd = run\nfilename_ann = net\n[adsnn]\n[arousal]\n{text}")
        return load_config(file)

    return config


# ---- settings --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("m_f_low = 0.1\nm_f_high = 0.2\n", "m_f_low = 0.1 must be above m_f_high = 0.2: the larger m_f, the lower"),
        ("quantile = 0.5, 1.5\n", "quantile = 1.5 is not allowed"),
        ("accumulation_time = 0\n", "accumulation_time = 0"),
        ("waiting_time = -1\n", "waiting_time = -1"),
        ("threshold = nan\n", "threshold = nan"),
    ],
)
def test_mistakes_in_the_section_are_named(config, text, says):
    with pytest.raises(ConfigError, match=says):
        config(text)


def test_the_precisions_without_settings_are_the_networks_own_and_a_lower_one(config):
    network = small_subject().network  # m_f 0.2, two layers
    assert precisions(config(), network) == [((0.5, 0.5), (0.2, 0.2))]
    pairs = precisions(config("m_f_low = 0.7, 0.9\nm_f_high = 0.1\n"), network)
    assert pairs == [((0.7, 0.7), (0.1, 0.1)), ((0.9, 0.9), (0.1, 0.1))]
    with pytest.raises(ConfigError, match=r"m_f_low = 0.15 must be above the high precision's m_f, 0.2"):
        precisions(config("m_f_low = 0.15\n"), network)
    # coarser than trained in every layer: the trained m_f is the high one
    coarse = network.with_m_f({"a": 0.5, "b": 0.9})
    assert precisions(config(), coarse, network) == [((0.5, 0.9), (0.2, 0.2))]


def test_windows_outside_the_run_and_missing_training_data_are_refused_before_work_starts(config):
    with pytest.raises(ConfigError, match=r"\[arousal\] waiting_time = 90 and accumulation_time = 50 ms do not fit"):
        arouse(config("waiting_time = 0, 90\n"), small_subject(), in_process)
    with pytest.raises(ConfigError, match=r"no section \[training\]"):
        arouse(config("waiting_time = 10\n"), small_subject(), in_process)


# ---- the threshold ---------------------------------------------------------------------------------------------------


TRAINING = "[training]\narchitecture = vgg_cifar\nvalidation_split = 0.25\nseed = 3\n"


def subject_of(shape):
    """A subject whose test inputs have this shape."""
    return dataclasses.replace(small_subject(images=4), x=np.zeros((4, *shape), np.float32))


def test_training_images_of_a_folder_are_those_held_out_and_then_others(config, tmp_path):
    write_folder(tmp_path / "images", train=8)
    text = TRAINING + "dataset = image_folder\nfolder = images\nimage_size = 8\n"
    settings = config("calibration_images = 10\n" + text)
    found = training_subject(settings, subject_of((8, 8, 3)))
    folder = settings.training.data.open()
    feed = folder_feed(folder, settings.training, settings.file)
    held, kept = feed.validation.files, feed.training(0).files
    expected = [*held, *kept[:6]]
    assert (len(held), len(kept)) == (4, 12)
    np.testing.assert_array_equal(found.x, folder.load(expected))
    assert [folder.classes[label] for label in found.labels] == [file.parent.name for file in expected]
    assert set(found.labels[:4]) == {0, 1}
    assert (found.ann == found.labels).all()
    few = training_subject(config("calibration_images = 3\n" + text), subject_of((8, 8, 3)))
    np.testing.assert_array_equal(few.x, found.x[:3])


def test_training_images_of_an_archive_are_decoded_once(config, tmp_path, monkeypatch):
    monkeypatch.setenv("ADSNN_DATA", str(tmp_path))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    write_archive(tmp_path / "cifar10_jpeg.tar.xz", train=8, size=(32, 32), suffix="jpg")
    settings = config("calibration_images = 6\n" + TRAINING + "dataset = cifar10\n")
    found = training_subject(settings, subject_of((32, 32, 3)))
    dataset = load_dataset("cifar10", cache=settings.paths.dataset_path)
    _, held, _, labels = split_validation(dataset, settings.training, settings.file)
    np.testing.assert_array_equal(found.x[:4], held)
    np.testing.assert_array_equal(found.labels[:4], labels.argmax(axis=1))
    (tmp_path / "cifar10_jpeg.tar.xz").unlink()
    np.testing.assert_array_equal(training_subject(settings, subject_of((32, 32, 3))).x, found.x)


def test_training_images_that_cannot_be_used_are_named(config, tmp_path):
    write_folder(tmp_path / "images", train=8)
    settings = config(TRAINING + "dataset = image_folder\nfolder = images\nimage_size = 8\n")
    with pytest.raises(
        ConfigError, match=r"inputs of \[training\] dataset have shape \(8, 8, 3\), .*x_test.npz \(9, 9, 3\)"
    ):
        training_subject(settings, subject_of((9, 9, 3)))
    with pytest.raises(
        ConfigError, match=r"no section \[training\], so there are no labelled .* \[arousal\] threshold"
    ):
        training_subject(config(), subject_of((8, 8, 3)))


def test_the_threshold_switches_the_wanted_share_of_the_mistakes():
    random = np.random.default_rng(0)
    margins, wrong = random.random(500), random.random(500) < 0.1
    for quantile in (0.25, 0.5, 0.9, 1.0):
        threshold = estimate_threshold(margins, wrong, quantile)
        share = (margins[wrong] <= threshold).mean()
        assert quantile <= share < quantile + 1 / wrong.sum()
        assert threshold in margins[wrong]
    with pytest.raises(NoMistakesError, match=r"all 500 training images correctly.*raise \[arousal\] m_f_low"):
        estimate_threshold(margins, np.zeros(500, bool), 0.9)


# ---- figures ---------------------------------------------------------------------------------------------------------


LOW, HIGH = (0.6, 0.6), (0.1, 0.1)


def labelled_subject(images=80):
    """One in three labels is not what the ANN says."""
    subject = small_subject(images=images)
    labels = (subject.ann + (np.arange(images) % 3 == 0)) % 3
    return dataclasses.replace(subject, labels=labels)


def test_a_choices_figures_against_two_runs_without_a_switch():
    subject = labelled_subject()
    labels, shared = subject.labels, Shared(subject, "event", 0.99)
    low = simulate(subject.network, subject.x, duration=100, m_f=0.6, engine="reference")
    highest = np.sort(low.outputs[:, 40:60], axis=-1)
    margins = (highest[..., -1] - highest[..., -2]).mean(axis=1)
    threshold = float(np.median(margins))
    found = simulate_trial(shared, Trial(LOW, HIGH, Window(40, 20), None, threshold))
    switched = margins <= threshold
    assert found["selectivity"] == switched.mean() == 0.5
    # who stays is as in the low-precision run; who switches is more often as the ANN than before
    stays = low.decisions[~switched] == labels[~switched, None]
    whole = simulate_trial(shared, Trial(LOW, HIGH, Window(40, 20), None, np.inf))
    accuracy = np.array(found["accuracy_over_time"])
    before = (low.decisions[:, :60] == labels[:, None]).mean(axis=0)
    np.testing.assert_allclose(accuracy[:60], before, atol=1e-6)
    assert stays.sum(axis=0)[-1] / 80 <= accuracy[-1] <= (stays.sum(axis=0)[-1] + switched.sum()) / 80
    assert found["wrong_switched"] == pytest.approx(1 - accuracy[-1] - (~stays[:, -1]).sum() / 80)
    assert low.firing_rate_hz < found["firing_rate_hz"] < whole["firing_rate_hz"]
    rates = np.array(found["firing_rate_over_time_hz"])
    assert rates.mean() == pytest.approx(found["firing_rate_hz"], rel=1e-3)
    nobody = simulate_trial(shared, Trial(LOW, HIGH, Window(40, 20), None, 0.0))
    assert nobody["firing_rate_hz"] == pytest.approx(low.firing_rate_hz)
    assert nobody["selectivity"] == 0
    # at random the means of the two
    mixed = at_random({**nobody}, whole, 0.5)
    assert mixed["snn_accuracy"] == pytest.approx((nobody["snn_accuracy"] + whole["snn_accuracy"]) / 2)
    assert mixed["firing_rate_hz"] == pytest.approx((nobody["firing_rate_hz"] + whole["firing_rate_hz"]) / 2)


def test_what_a_choice_would_do_is_what_it_does():
    """Of any threshold, from one run at low precision and one in which all inputs switch."""
    subject = labelled_subject()
    shared, window = Shared(subject, "event", 0.99), Window(40, 20)
    probes = [Probe(LOW, windows=(window, Window(40, 5), Window(40, 10))), Probe(HIGH), Probe(LOW, HIGH, window)]
    low, high, switched = (choice.measure(shared, probe) for probe in probes)
    known = HeldOut(low, high, {window: switched})
    for quantile in (0.3, 0.8):
        trial = Trial(LOW, HIGH, window, quantile, known.threshold(window, quantile))
        expected, found = simulate_trial(shared, trial), known.outcome(trial)
        assert 0 < found.selectivity < 1
        assert found.selectivity == expected["selectivity"]
        assert found.accuracy == pytest.approx(expected["snn_accuracy"])
        assert found.spikes * 1000 / subject.duration == pytest.approx(expected["firing_rate_hz"], rel=1e-6)
    assert known.high_accuracy == pytest.approx(np.mean(high["correct"]))
    laws = known.laws(40, 0.8)
    assert [point["accumulation_time_ms"] for point in laws["points"]] == [5, 10, 20]
    assert laws["points"][2]["threshold"] == known.threshold(window, 0.8)
    assert (
        laws["points"][2]["selectivity"]
        == known.outcome(Trial(LOW, HIGH, window, 0.8, known.threshold(window, 0.8))).selectivity
    )


def test_a_network_with_corrected_biases_switches_to_those_of_the_high_precision():
    subject = labelled_subject(40)
    subject = dataclasses.replace(subject, correction=Correction(subject.x))
    shared = Shared(subject, "event", 0.99)
    low = choice.at_levels(shared, LOW)
    found = simulate_trial(shared, Trial(LOW, HIGH, Window(20, 10), None, np.inf))
    # by hand: the biases of both, put into one network from the switch on
    high = choice.at_levels(shared, HIGH)
    assert any((a.bias != b.bias).any() for a, b in zip(low.populations, high.populations, strict=True))
    by_hand = simulate(low, subject.x, duration=100, engine="reference", switch=Switch(high, 20, 10, np.inf))
    assert found["firing_rate_hz"] == pytest.approx(by_hand.firing_rate_hz, rel=2e-3)
    with pytest.raises(ParameterError, match="biases of this network were corrected for its precision"):
        simulate(low, subject.x, duration=100, switch=Switch(0.1, 20, 10, np.inf))


def test_the_choice_is_the_cheapest_that_is_accurate_enough_or_the_most_accurate():
    trial = Trial(LOW, HIGH, Window(40, 20), 0.9, 0.1)
    outcomes = [Outcome(trial, a, 0.1, s) for a, s in ((0.96, 2.0), (0.95, 1.5), (0.94, 1.0), (0.94, 0.5))]
    assert choose(outcomes, 0.95) is outcomes[1]
    assert choose(outcomes, 0.97) is outcomes[0]
    assert choose(outcomes, 0.5) is outcomes[3]


def test_arousal_pays_only_where_the_low_precision_alone_does_not_do():
    def run(accuracy, rate):
        return {"snn_accuracy": accuracy, "firing_rate_hz": rate}

    fields = {"fixed": None, "random": run(0.9, 10), "trials": [], "laws": None, "ann_accuracy": 0.96}
    fields |= {"calibration_images": 100, "tolerance": 0.1}
    outcome = ArousalOutcome(chosen=run(0.95, 10), low=run(0.9, 5), high=run(0.95, 30), **fields)
    assert outcome.best is outcome.chosen
    assert outcome.pays
    assert not dataclasses.replace(outcome, low=run(0.9495, 5)).pays
    assert dataclasses.replace(outcome, chosen=run(0.948, 10)).best is None


GIVEN = "threshold = 0.3\nwaiting_time = 5\naccumulation_time = 10\nm_f_low = 0.5\nm_f_high = 0.2\n"


def test_a_given_threshold_needs_no_training_images_and_nothing_runs_twice(config, capsys):
    settings, subject = config(GIVEN), small_subject(images=20)
    first = arouse(settings, subject, in_process)
    assert first.chosen["threshold"] == 0.3
    assert (first.low["m_f"], first.high["m_f"]) == ("0.5", "0.2")
    assert first.calibration_images == 0
    assert first.fixed is None
    assert arouse(settings, subject, in_process) == first
    assert "arousal: 4 of 4 points were computed before" in capsys.readouterr().out
    with pytest.raises(ConfigError, match=r"no section \[training\].*no labelled images to choose with"):
        arouse(config(GIVEN.replace("accumulation_time = 10", "accumulation_time = 10, 20")), subject, in_process)


@pytest.mark.parametrize("change", ["trained", "network", "labels", "correction", "duration"])
def test_results_of_something_else_are_not_taken_over(config, change):
    settings, subject = config(GIVEN), small_subject(images=4, duration=20.0)
    changed = {
        "trained": subject.trained.with_m_f(0.3),
        "network": small_network(41),
        "labels": (subject.labels + 1) % 3,
        "correction": Correction(subject.x),
        "duration": 21.0,
    }
    points = settings.paths.path_wd / "arousal" / "points"
    arouse(settings, subject, in_process)
    assert len(list(points.glob("*.json"))) == 4
    both = {"trained": small_network(41)} if change == "network" else {}
    arouse(settings, dataclasses.replace(subject, **{change: changed[change]}, **both), in_process)
    assert len(list(points.glob("*.json"))) == 8


# ---- the command -----------------------------------------------------------------------------------------------------

MODELS = Path(__file__).parents[2] / "configs" / "models"


def test_on_iris_arousal_is_chosen_on_training_images(tmp_path, monkeypatch, capsys):
    (tmp_path / "c.ini").write_text(
        "[paths]\npath_wd = run\ndataset_path = data\nfilename_ann = iris\n"
        "[simulation]\nsimulator = adsnn\nduration = 300\nnum_to_test = 50\nbatch_size = 50\n"
        f"[adsnn]\npretrained = {MODELS}/iris.h5\nbias_correction = 0\n"
        "[training]\ndataset = iris\narchitecture = iris\nvalidation_split = 0.2\nseed = 1\n"
        "[arousal]\nm_f_low = 0.8, 1.2\naccumulation_time = 10, 50\n"
    )
    monkeypatch.setattr(sys, "argv", ["snntb-adsnn", "arousal", str(tmp_path / "c.ini"), "--workers", "1"])
    cli.main()
    out = " ".join(capsys.readouterr().out.split())
    assert "chosen on 100 training images" in out
    assert "Law of the threshold" in out
    folder = tmp_path / "run" / "arousal"
    figures = json.loads((folder / "arousal.json").read_text())
    assert len(figures["trials"]) == 4
    chosen = figures["chosen"]
    assert {"snn_accuracy", "firing_rate_hz", "selectivity", "accuracy_interval"} <= set(chosen)
    best = min((t for t in figures["trials"] if t["snn_accuracy"] >= 0.95), key=lambda t: t["firing_rate_hz"])
    keys = ("m_f_low", "accumulation_time_ms", "threshold")
    assert [chosen[key] for key in keys] == [best[key] for key in keys]
    # the runs, and the choices on training images
    assert len((folder / "arousal.csv").read_text().splitlines()) == 1 + 5 + 4
    for picture in ("arousal.png", "thresholds.png"):
        assert (folder / picture).read_bytes()[:4] == b"\x89PNG"
    # the threshold once more, from the training images themselves
    subject, data = Subject.of(load(load_config(tmp_path / "c.ini"))), load_dataset("iris")
    result = simulate(subject.network, data.x_train, duration=300, m_f=0.8, engine="reference")
    wrong = result.decisions[:, -1] != data.y_train.argmax(axis=1)
    ordered = np.sort(result.outputs[wrong, 100:150], axis=-1)
    margins = np.sort((ordered[..., -1] - ordered[..., -2]).mean(axis=1))
    trial = next(t for t in figures["trials"] if (t["m_f_low"], t["accumulation_time_ms"]) == ("0.8", 50))
    assert trial["threshold"] == pytest.approx(margins[int(np.ceil(0.9 * len(margins))) - 1], rel=1e-5)


def test_precisions_that_only_graded_spikes_can_have(config):
    def large(node):
        parameters = dataclasses.replace(node.parameters, m_f=0.2, theta0=1.0)
        return dataclasses.replace(node, parameters=parameters)

    spiking = small_network().map_neurons(large)
    settings = config("m_f_low = 0.6\nm_f_high = 0.2\n")
    with pytest.raises(ConfigError, match=r"\[arousal\] m_f_low = 0.6 does not fit layer .*theta0 = 3"):
        precisions(settings, spiking)
    graded = spiking.map_neurons(lambda node: dataclasses.replace(node, form="relu"))
    assert precisions(settings, graded) == [((0.6, 0.6), (0.2, 0.2))]
