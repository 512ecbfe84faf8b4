"""The shipped configurations with their trained weights do what the README says, on real data through SNN Toolbox."""

import json
import os
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path

import pytest

from snntb_adsnn.data import load_dataset

CONFIGS = Path(__file__).parents[1] / "configs"


def run(name, folder, **simulation):
    """Run configs/<name>.ini with its outputs moved to ``folder``; returns its results."""
    config = ConfigParser(interpolation=None)
    config.read(CONFIGS / f"{name}.ini")
    config["paths"]["path_wd"] = str(folder / "run")
    config["paths"]["dataset_path"] = str(folder / "data")
    config["adsnn"]["pretrained"] = str(CONFIGS / config["adsnn"]["pretrained"])
    config["simulation"].update({key: str(value) for key, value in simulation.items()})
    with (folder / "config.ini").open("w") as file:
        config.write(file)
    command = [sys.executable, "-m", "snntb_adsnn.cli", "run", str(folder / "config.ini")]
    done = subprocess.run(
        [*command, "--json", str(folder / "results.json")], capture_output=True, text=True, env=dict(os.environ)
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads((folder / "results.json").read_text())


@pytest.mark.parametrize("name", ["iris", "sonar"])
def test_the_adsnn_is_as_accurate_as_its_ann_on_the_whole_test_set(name, tmp_path):
    results = run(name, tmp_path)
    assert results["num_images"] == len(load_dataset(name).x_test)
    assert results["snn_accuracy"] >= results["ann_accuracy"] > 0.8
    assert results["firing_rate_hz"] < 68 / 2  # the paper's nets need up to 68 Hz
    assert results["matching_time_ms"] < 300


def test_digits(tmp_path):
    results = run("digits", tmp_path)
    assert results["ann_accuracy"] > 0.95
    assert results["snn_accuracy"] >= results["ann_accuracy"] - 0.01


@pytest.mark.skipif(not os.environ.get("ADSNN_DATA"), reason="MNIST: ADSNN_DATA names no folder")
def test_some_of_mnist(tmp_path):
    results = run("mnist", tmp_path, num_to_test=500, duration=150, batch_size=250)
    assert results["agreement_with_ann"] > 0.98
    assert results["firing_rate_hz"] < 20  # the first spikes come together: the rate falls with time


@pytest.mark.skipif(not os.environ.get("ADSNN_DATA"), reason="MNIST: ADSNN_DATA names no folder")
def test_some_of_mnist_at_a_low_rate(tmp_path):
    results = run("mnist_low_rate", tmp_path, num_to_test=300, duration=150, batch_size=300)
    assert results["agreement_with_ann"] > 0.98  # 96 % without the correction
    assert results["spikes_per_neuron_at_mt"] <= 0.5


@pytest.mark.slow
@pytest.mark.skipif(not os.environ.get("ADSNN_DATA"), reason="MNIST: ADSNN_DATA names no folder")
def test_all_of_mnist_at_a_low_rate(tmp_path):
    results = run("mnist_low_rate", tmp_path)
    assert results["num_images"] == 10_000
    assert results["snn_accuracy"] >= 0.99
    assert results["firing_rate_hz"] <= 5
    assert results["spikes_per_neuron_at_mt"] <= 0.5


@pytest.mark.slow
@pytest.mark.skipif(not os.environ.get("ADSNN_DATA"), reason="MNIST: ADSNN_DATA names no folder")
def test_all_of_mnist(tmp_path):
    results = run("mnist", tmp_path)
    assert results["num_images"] == 10_000
    assert results["ann_accuracy"] >= 0.992
    assert abs(results["snn_accuracy"] - results["ann_accuracy"]) <= 0.0005
    assert results["firing_rate_hz"] <= 15
    assert results["matching_time_ms"] <= 150


@pytest.mark.slow
@pytest.mark.skipif(not os.environ.get("ADSNN_DATA"), reason="CIFAR-10: ADSNN_DATA names no folder")
@pytest.mark.parametrize("name", ["cifar10", "cifar10_residual"])
def test_all_of_cifar10(name, tmp_path):
    results = run(name, tmp_path)
    assert results["num_images"] == 10_000
    assert results["ann_accuracy"] >= 0.88
    assert abs(results["snn_accuracy"] - results["ann_accuracy"]) <= 0.003
    assert results["firing_rate_hz"] <= 30
