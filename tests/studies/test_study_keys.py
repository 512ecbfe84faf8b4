"""Keys of results: nothing computed for something else is taken over."""

import dataclasses
import os
import subprocess
import sys
from functools import partial
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
from study_jobs import points_folder, small_network, small_subject, sweep_config

from snntb_adsnn.measure.correction import Correction
from snntb_adsnn.studies import study
from snntb_adsnn.studies.study import code_version, fingerprint, result_code
from snntb_adsnn.studies.sweep import Shared, common_key, sweep
from snntb_adsnn.studies.workers import in_process


@pytest.fixture
def config(tmp_path):
    """What writes and reads the configuration of a sweep."""
    return partial(sweep_config, tmp_path)


def test_a_key_depends_on_everything_that_determines_a_result():
    network = small_network()
    first = network.nodes[1]
    weights = first.weights.copy()
    weights[3, 5] = np.nextafter(weights[3, 5], np.float32(9))
    changed = dataclasses.replace(network, nodes=(network.nodes[0], dataclasses.replace(first, weights=weights), *network.nodes[2:]))  # fmt: skip
    x = np.zeros((2, 3), np.float32)
    parts = [
        *(network, changed, network.with_m_f(0.1), dataclasses.replace(network, nodes=network.nodes[::1])),
        *(x, x.reshape(3, 2), x.astype(np.float64), 0, 0.0, "0", None, {"a": 1}, {"a": 2}, ("a", "b"), ("ab",)),
    ]
    keys = [fingerprint(part) for part in parts]
    assert keys[0] == keys[3] == fingerprint(small_network())
    assert len(set(keys)) == len(keys) - 1


@pytest.mark.parametrize(
    "change", ["x", "labels", "ann", "engine", "matching_fraction", "duration", "network", "trained", "correction"]
)
def test_results_of_something_else_are_not_taken_over(config, change, tmp_path):
    subject = small_subject(images=4, duration=20.0)
    sweep(config("m_f = 0.1\n"), subject, in_process)
    assert len(list(points_folder(config("m_f = 0.1\n")).glob("*.json"))) == 1
    text = "m_f = 0.1\n"
    if change == "x":
        subject = dataclasses.replace(subject, x=subject.x + np.float32(0.1))
    elif change in ("labels", "ann"):
        subject = dataclasses.replace(subject, **{change: (getattr(subject, change) + 1) % 3})
    elif change == "duration":
        subject = dataclasses.replace(subject, duration=21.0)
    elif change == "network":
        subject = dataclasses.replace(subject, network=small_network(41))
        subject = dataclasses.replace(subject, trained=subject.network)
    elif change == "trained":
        subject = dataclasses.replace(subject, trained=subject.trained.with_m_f(0.3))
    elif change == "correction":
        subject = dataclasses.replace(subject, correction=Correction(subject.x))
    else:
        text += f"[adsnn]\n{change} = {'reference' if change == 'engine' else 0.5}\n"
    sweep(config(text), subject, in_process)
    assert len(list(points_folder(config()).glob("*.json"))) == 2


NO_RESULT_ROOMS = {"config", "frontends"}  # what they give, settings and network, is in the key by its content
NO_RESULT_CODE = {
    *("errors", "registry", "studies", "report", "report.table", ""),
    "report.outcomes",  # chosen anew from the points each time
    *("studies.workers", "studies.workers.base", "studies.workers.dask", "studies.workers.local"),
}
"""Modules that a study loads, but whose code changes no figure."""


def loaded_with(*modules):
    """Modules of the package that are loaded with some of them."""
    program = "import sys, " + ", ".join(f"snntb_adsnn.{module}" for module in modules)
    program += "\nprint(*(m for m in sys.modules if m.split('.')[0] == 'snntb_adsnn'))"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    loaded = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    return {name.partition(".")[2] for name in loaded.stdout.split()}


def test_reports_of_studies_need_no_study():
    """The import rule of docs/architecture.md: ``report`` is below the studies."""
    loaded = loaded_with("report.sweeps", "report.arousals", "report.study_plots")
    assert "report.study_plots" in loaded
    assert loaded.isdisjoint({"studies", "studies.study", "measure.correction"})


def test_all_code_that_results_depend_on_is_in_the_key():
    loaded = loaded_with("studies.arousal", "report.results", "engine.event", "engine.reference")
    modules = {name for name in loaded if name.partition(".")[0] not in NO_RESULT_ROOMS}
    package = Path(study.__file__).parents[1]
    files = {file.relative_to(package).with_suffix("") for file in result_code()}
    hashed = {".".join(file.parts).removesuffix(".__init__") for file in files}
    assert modules >= NO_RESULT_CODE | {"studies.sweep", "engine", "engine.event.kernels"}
    assert modules - NO_RESULT_CODE - hashed == set()
    # some only make a network, some are not loaded before they are needed
    only_make = {"network.depth", "network.draft", "network.pooling", "network.rewrite", "network.stem"}
    only_make |= {"measure.safety", "measure.settling"}
    only_make |= {"neuron.constants", "neuron.gradient", "neuron.numbers"}
    assert hashed - modules <= {"engine.tensorflow", "studies.precision", "studies.batches", *only_make}


@pytest.fixture
def installed(monkeypatch):
    """Pretended versions of packages, over the true ones."""
    pretended, true = {}, metadata.version
    monkeypatch.setattr(metadata, "version", lambda name: pretended.get(name) or true(name))
    code_version.cache_clear()
    yield pretended
    code_version.cache_clear()


@pytest.mark.parametrize(
    ("package", "engine", "matters"),
    [
        *(("numpy", "event", True), ("numba", "event", True), ("numpy", "tensorflow", True)),
        *(("tensorflow", "tensorflow", True), ("tensorflow", "event", False)),
    ],
)
def test_the_versions_of_packages_that_compute_are_in_the_key(installed, package, engine, matters):
    shared = Shared(small_subject(images=4), engine, 0.99)
    before = common_key(shared)
    installed[package] = "0.0.1"
    code_version.cache_clear()
    assert (common_key(shared) != before) == matters
