"""Sweeps: each point's figures, the operating points, and that no point is lost or computed twice, killed or not."""

import dataclasses
import errno
import json
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import study_jobs
from study_jobs import points_folder, small_network, small_subject, sweep_config

from snntb_adsnn import cli
from snntb_adsnn.engine import simulate
from snntb_adsnn.errors import ConfigError, OutputError, WorkerError
from snntb_adsnn.files import TEMPORARY
from snntb_adsnn.measure.correction import Correction, correct_biases
from snntb_adsnn.neuron.transfer import transfer
from snntb_adsnn.report.outcomes import SweepOutcome
from snntb_adsnn.report.sweeps import print_sweep, write_sweep
from snntb_adsnn.run import load
from snntb_adsnn.studies import study
from snntb_adsnn.studies.study import Subject, compute, fingerprint
from snntb_adsnn.studies.sweep import Point, Shared, grid, need_usable, simulate_point, sweep, transfer_change
from snntb_adsnn.studies.workers import Failure, Local, in_process


@pytest.fixture
def config(tmp_path):
    """What writes and reads the configuration of a sweep."""
    return partial(sweep_config, tmp_path)


# ---- the grid --------------------------------------------------------------------------------------------------------


def test_the_grid_is_the_product_of_all_lists(config):
    section = config("m_f = 0.1, 0.2, 0.1\ntau_eta = 40, 50\nform = exact, taylor\nduration = 100, 500\n").sweep
    points = grid(section, 250.0)
    assert len(points) == len(set(map(str, points))) == 2 * 2 * 2 * 2
    assert points[0] == Point(0.1, {"tau_eta": 40}, "exact", 100)
    assert {p.duration for p in grid(config("m_f = 0.1\n").sweep, 250.0)} == {250.0}
    assert str(points[0]) == "m_f = 0.1, tau_eta = 40, form = exact, duration = 100"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("m_f = 0.1, 0\n", "m_f = 0 is not allowed"),
        ("m_f = 0.1,, 0.2\n", "m_f = 0.1,, 0.2 is not allowed: write commas between values"),
        ("form = exact, wrong\n", "form = wrong is not allowed"),
        ("duration = -5\n", "duration = -5"),
        ("tolerance = -0.1\n", "tolerance = -0.1"),
        ("mf = 0.1\n", "unknown key 'mf'.*did you mean 'm_f'"),
    ],
)
def test_mistakes_in_the_section_are_named(config, text, says):
    with pytest.raises(ConfigError, match=says):
        config(text)


def test_a_point_changes_what_it_names_and_nothing_else():
    network = small_network()
    changed = Point(0.4, {"tau_eta": 30.0, "tau_beta": 70.0}, "taylor", 100).of(network)
    for old, new in zip(network.populations, changed.populations, strict=True):
        expected = dataclasses.replace(old.parameters.with_m_f(0.4), tau_eta=30.0, tau_beta=70.0)
        assert new.parameters == expected
        assert new.form == "taylor"
    assert changed.readout.tau_beta == 70
    assert fingerprint(Point(None, {}, None, 100).of(network)) == fingerprint(network)


def test_the_change_of_the_transfer_function():
    network = small_network()
    p = network.populations[0].parameters
    assert transfer_change(network, network) == 0
    # in the exact form tau_beta only scales h
    assert transfer_change(network, Point(None, {"tau_beta": 80.0}, None, 1).of(network)) < 1e-9
    S = np.linspace(0, 1.5, 301)
    other = dataclasses.replace(p, tau_eta=30.0)
    expected = np.abs(transfer(S, p) - transfer(S, other)).mean()
    assert transfer_change(network, Point(None, {"tau_eta": 30.0}, None, 1).of(network)) == pytest.approx(expected)
    assert expected > 0.01


def test_a_points_figures_are_those_of_the_readable_simulator():
    subject = small_subject()
    found = simulate_point(Shared(subject, "event", 0.9), Point(0.4, {"tau_eta": 40.0}, None, 80.0))
    network = Point(0.4, {"tau_eta": 40.0}, None, 80.0).of(subject.network)
    result = simulate(network, subject.x, duration=80, engine="reference")
    accuracy = (result.decisions == subject.labels[:, None]).mean(axis=0)
    assert found["accuracy_over_time"] == pytest.approx(accuracy, abs=0.02)
    assert found["firing_rate_hz"] == pytest.approx(result.firing_rate_hz, rel=0.01)
    assert found["matching_time_ms"] == pytest.approx(1 + np.argmax(accuracy >= 0.9 * accuracy.max()), abs=2)
    assert found["ann_accuracy"] == subject.ann_accuracy == 0.9
    assert (found["m_f"], found["tau_eta"], found["tau_beta"], found["form"]) == (0.4, 40, 50, "exact")
    assert found["num_images"] == 60


@pytest.mark.parametrize("slopes", [False, True])
def test_every_point_is_corrected(slopes):
    subject = small_subject()
    training = np.random.default_rng(5).random((30, 8), np.float32)
    subject = dataclasses.replace(subject, correction=Correction(training, slopes))
    found = simulate_point(Shared(subject, "event", 0.99), Point(0.8, {}, None, 100.0))
    network = correct_biases(subject.network.with_m_f(0.8), training, trained=subject.network, slopes=slopes)
    result = simulate(network, subject.x, duration=100)
    assert found["firing_rate_hz"] == pytest.approx(result.firing_rate_hz)
    assert found["firing_rate_hz"] != pytest.approx(
        simulate(subject.network, subject.x, duration=100, m_f=0.8).firing_rate_hz
    )
    assert found["accuracy_over_time"] == pytest.approx(
        (result.decisions == subject.labels[:, None]).mean(axis=0), abs=1e-6
    )


def test_corrected_networks_are_shared_and_few_are_kept(monkeypatch):
    calls = []
    monkeypatch.setattr(study, "_corrected", {})
    monkeypatch.setattr(Correction, "of", lambda self, network, *_, **__: calls.append(network) or network)
    subject = dataclasses.replace(small_subject(images=4), correction=Correction(np.zeros((3, 8), np.float32)))
    networks = [subject.network.with_m_f(m_f) for m_f in np.linspace(0.1, 0.9, 9)]
    for network in networks:
        assert subject.corrected(network, "event") is network
        assert subject.corrected(networks[0], "event") is networks[0]  # in use all the time
    assert len(calls) == 9
    assert len(study._corrected) == 4
    subject.corrected(networks[1], "event")
    assert len(calls) == 10


def outcome(*pairs, ann=0.95, tolerance=0.1, loss=1.0, images=10_000):
    points = [{"snn_accuracy": accuracy, "firing_rate_hz": rate, "num_images": images} for accuracy, rate in pairs]
    return SweepOutcome(points, ann, tolerance, loss)


def test_the_operating_points():
    found = outcome((0.95, 40), (0.949, 20), (0.9489, 10), (0.94, 5), (0.9399, 2))
    assert found.matching["firing_rate_hz"] == 20  # 0.1 points below still matches
    assert found.low_rate["firing_rate_hz"] == 5
    assert outcome((0.96, 7), (0.95, 9)).matching["firing_rate_hz"] == 7
    assert outcome((0.5, 7)).matching is None
    assert outcome((0.5, 7)).low_rate is None


def test_a_low_rate_may_always_lose_one_image():
    pairs = [(60 / 70, 15), (59 / 70, 10), (58 / 70, 5)]
    found = outcome(*pairs, ann=60 / 70, loss=0.5, images=70)  # an image is 1.43 points
    assert found.matching["firing_rate_hz"] == 15  # not so the match
    assert found.low_rate["firing_rate_hz"] == 10
    assert found.low_rate_allowed == pytest.approx(1.43, abs=0.002)
    assert outcome(*pairs, ann=60 / 70, loss=3.0, images=70).low_rate["firing_rate_hz"] == 5
    # of many images one is less than the loss
    assert outcome((0.95, 15), (0.946, 10), (0.944, 5), loss=0.5).low_rate["firing_rate_hz"] == 10


# ---- whatever happens in between -------------------------------------------------------------------------------------


def run_program(config_file):
    here = Path(study_jobs.__file__).parent
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(here), *filter(None, sys.path)])}
    command = [sys.executable, here / "study_jobs.py", config_file]
    return subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL, start_new_session=True)


def results(folder):
    """Identity and time of the results in ``folder``, less what a killed program left half written."""
    files = (file for file in folder.glob("*.json") if not file.name.startswith(TEMPORARY))
    return {file.name: (file.stat().st_ino, file.stat().st_mtime_ns) for file in files}


def kill_when(process, folder, count):
    """SIGKILL to ``process`` once ``folder`` has ``count`` results; returns them with their identity and time."""
    end = time.monotonic() + 120
    while len(results(folder)) < count:
        assert process.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < end
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    return results(folder)


def test_a_sweep_killed_twice_ends_with_the_table_of_one_that_was_not(tmp_path):
    grid_text = "m_f = 0.05, 0.1, 0.2, 0.4\ntau_eta = 40, 50\nform = exact, taylor\n"
    tables = {}
    for name in ("killed", "whole"):
        folder = tmp_path / name
        folder.mkdir()
        sweep_config(folder, grid_text)
        points, finished = folder / "run" / "sweep" / "points", {}
        for count in (3, 8) if name == "killed" else ():
            found = kill_when(run_program(folder / "c.ini"), points, count)
            assert finished.items() <= found.items()  # none was computed again
            assert len(finished) < len(found) < 16
            finished = found
        assert run_program(folder / "c.ini").wait() == 0
        files = results(points)
        assert finished.items() <= files.items()
        assert len(files) == 16
        assert not list(points.glob(".tmp*"))
        tables[name] = (folder / "run" / "sweep" / "sweep.csv").read_bytes()
    assert tables["killed"] == tables["whole"]
    assert len(tables["whole"].splitlines()) == 17
    figures = [json.loads((tmp_path / name / "run/sweep/sweep.json").read_text()) for name in tables]
    assert figures[0] == figures[1]


def test_a_full_disk_is_named_and_finished_points_are_kept(config, monkeypatch, capsys):
    settings = config("m_f = 0.05, 0.1, 0.2, 0.4\n")
    subject = small_subject(images=4, duration=20.0)
    written, really = [], Path.write_bytes

    def full(path, data):
        if len(written) == 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written.append(path)
        return really(path, data)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutputError, match="the disk is full.*free space"):
        sweep(settings, subject, in_process)
    assert len(list(points_folder(settings).iterdir())) == 3  # two results and the lock
    monkeypatch.undo()
    assert len(sweep(settings, subject, in_process).points) == 4
    assert "2 of 4 points were computed before" in capsys.readouterr().out


def test_workers_have_ended_before_the_folder_of_a_failed_sweep_is_free(config, monkeypatch):
    settings, subject = config(), small_subject(images=4, duration=20.0)
    kept, seen = [], []

    def answers(job, shared, items):
        try:
            yield from in_process(job, shared, items)
        finally:
            with pytest.raises(OutputError, match="another run is computing"):
                sweep(settings, subject, in_process)
            seen.append("closed while locked")

    def runner(*work):
        kept.append(answers(*work))  # as a traceback that somebody keeps does
        return kept[0]

    def full(path, data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutputError, match="the disk is full"):
        sweep(settings, subject, runner)
    assert seen == ["closed while locked"]


def test_a_damaged_result_is_computed_again(config):
    settings, subject = config(), small_subject(images=4, duration=20.0)
    first = sweep(settings, subject, in_process)
    for damage, file in zip(("", '{"snn_accuracy": 1}'), sorted(points_folder(settings).glob("*.json")), strict=True):
        file.write_text(damage)
    assert sweep(settings, subject, in_process) == first


def test_a_result_edited_by_hand_is_computed_again(config, capsys):
    settings, subject = config(), small_subject(images=4, duration=20.0)
    first = sweep(settings, subject, in_process)
    file = min(points_folder(settings).glob("*.json"))
    content = file.read_text()
    edited = {**json.loads(content), "snn_accuracy": 0.123}
    file.write_text(json.dumps(edited))
    capsys.readouterr()
    assert sweep(settings, subject, in_process) == first
    assert (
        f"{file} is not as it was written (changed or damaged); this point is computed anew." in capsys.readouterr().out
    )
    assert file.read_text() == content
    assert sweep(settings, subject, in_process) == first
    assert "computed anew" not in capsys.readouterr().out


def test_two_sweeps_at_once_are_refused(config):
    settings = config()
    subject = small_subject(images=4, duration=20.0)

    def second(job, shared, items):
        with pytest.raises(OutputError, match="another run is computing"):
            sweep(settings, subject, in_process)
        yield from in_process(job, shared, items)

    assert len(sweep(settings, subject, second).points) == 2


def test_points_without_a_result_are_named_and_the_others_kept(config):
    settings = config("m_f = 0.1, 0.2, 0.4\n")
    subject = small_subject(images=4, duration=20.0)

    def lossy(job, shared, items):
        for key, answer in in_process(job, shared, items):
            yield key, Failure("its worker was killed") if items[key].m_f == 0.2 else answer

    with pytest.raises(WorkerError, match=r"1 of 3 points have no result: m_f = 0.2, .*its worker was killed.*kept"):
        sweep(settings, subject, lossy)
    assert len(list(points_folder(settings).glob("*.json"))) == 2


def test_a_point_that_can_never_spike_is_refused_before_work_starts(config):
    subject = small_subject(images=4)
    with pytest.raises(ConfigError, match="the point m_f = 3, .* does not fit layer .*never spikes"):
        sweep(config("m_f = 0.1, 3\n"), subject, in_process)
    graded = subject.network.map_neurons(lambda n: dataclasses.replace(n, form="relu"))
    need_usable(config(), graded.with_m_f(3.0), "graded spikes")  # which have no such bound
    # the network's own constants
    settings = config("m_f = 0.1, 1.5\n")
    doubled = subject.network.map_neurons(
        lambda n: dataclasses.replace(n, parameters=dataclasses.replace(n.parameters, theta0=2 * n.parameters.m_f))
    )
    with pytest.raises(ConfigError, match="never spikes"):
        sweep(settings, dataclasses.replace(subject, network=doubled, trained=doubled), in_process)
    assert not points_folder(settings).exists()


def test_a_folder_that_cannot_be_written(config, tmp_path):
    folder = points_folder(config())
    (tmp_path / "run").write_text("a file")
    with pytest.raises(OutputError, match="cannot be written"):
        compute(study_jobs.square, 1, {"a": 1}, folder, in_process, title="x")


# ---- the command -----------------------------------------------------------------------------------------------------

SHIPPED = Path(__file__).parents[2] / "configs" / "models" / "iris.h5"
IRIS = f"""[paths]
path_wd = run
dataset_path = data
filename_ann = iris
[simulation]
simulator = adsnn
duration = 300
num_to_test = 40
batch_size = 30
[adsnn]
pretrained = {SHIPPED}
[training]
dataset = iris
architecture = iris
[sweep]
m_f = 0.2, 0.4
tau_eta = 50, 35
"""


def test_the_command_prints_and_writes_what_was_measured(tmp_path, monkeypatch, capsys):
    (tmp_path / "c.ini").write_text(IRIS)
    monkeypatch.setattr(sys, "argv", ["snntb-adsnn", "sweep", str(tmp_path / "c.ini"), "--workers", "1"])
    cli.main()
    out = " ".join(capsys.readouterr().out.split())
    assert "Sweep: 40 images, ANN" in out
    assert "Smallest firing rate that matches the ANN (at most 0.1 points below it): m_f = 0." in out
    assert "the neurons' transfer function f is another" in out
    folder = tmp_path / "run" / "sweep"
    figures = json.loads((folder / "sweep.json").read_text())
    assert len(figures["points"]) == 4
    plain = next(p for p in figures["points"] if (p["m_f"], p["tau_eta"]) == (0.2, 50))
    assert plain["transfer_change"] == 0
    assert plain["snn_accuracy"] >= figures["ann_accuracy"] - 0.03
    assert (folder / "sweep.png").read_bytes()[:4] == b"\x89PNG"
    # the subject's ANN is the Keras model, the network's analog evaluation its equal
    subject = Subject.of(load(tmp_path / "c.ini"))
    assert (subject.network.analog(subject.x).argmax(axis=1) == subject.ann).all()
    assert len(subject.x) == 40


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--scheduler", "tcp://127.0.0.1:9"], "no Dask scheduler answers there"),
        (["--scheduler", "tcp://127.0.0.1:9", "--workers", "2"], "leave it out with --scheduler"),
        (["--workers", "0"], "0 is not in the range"),
    ],
)
def test_mistakes_of_the_command(tmp_path, monkeypatch, capsys, options, says):
    (tmp_path / "c.ini").write_text(IRIS)
    monkeypatch.setattr(sys, "argv", ["snntb-adsnn", "sweep", str(tmp_path / "c.ini"), *options])
    with pytest.raises(SystemExit, match="2"):
        cli.main()
    assert says in capsys.readouterr().err


def test_the_table_says_where_no_point_matches(capsys, config):
    settings, subject = config("m_f = 1.5\ntolerance = 0\nlow_rate_loss = 0\n"), small_subject(images=30, duration=5.0)
    print_sweep(sweep(settings, subject, Local(1)))
    assert (
        " ".join(capsys.readouterr().out.split()).count("none in this grid; add smaller m_f, or longer durations.") == 2
    )
    write_sweep(sweep(settings, subject), settings.paths.path_wd)


def test_layers_with_different_forms_are_drawn(config):
    settings, subject = config("m_f = 0.2, 0.4\n"), small_subject(images=5, duration=20.0)
    found = sweep(settings, subject, in_process)
    mixed = [{**point, "form": {"first": "exact", "second": "relu"}} for point in found.points]
    write_sweep(dataclasses.replace(found, points=mixed), settings.paths.path_wd)
    assert (settings.paths.path_wd / "sweep.png").stat().st_size > 5000
