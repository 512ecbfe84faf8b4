"""The spread over seeds: what the README says is what was measured, and a seed changes nothing else."""

import json

import pytest

from benchmarks import nets, seeds
from snntb_adsnn.config import load_config

FOUND = json.loads((nets.ROOT / "docs/seeds.json").read_text())


def test_the_readme_says_what_was_measured():
    text = " ".join((nets.ROOT / "README.md").read_text().split())
    iris, sonar = (FOUND[name]["adsnn"] for name in seeds.NAMES)
    runs = [run for name in seeds.NAMES for run in FOUND[name]["runs"]]
    as_good = sum(run["snn_accuracy"] >= run["ann_accuracy"] for run in runs)
    said = (
        f"{100 * iris['lowest']:.0f} to {100 * iris['highest']:.0f} % (median {100 * iris['median']:.1f}) on IRIS and "
        f"{100 * sonar['lowest']:.1f} to {100 * sonar['highest']:.1f} % (median {100 * sonar['median']:.1f}) on SONAR; in "
        f"{as_good} of the {len(runs)} nets"
    )
    assert said in text


@pytest.mark.parametrize("name", seeds.NAMES)
def test_the_spread_is_that_of_the_runs(name):
    for kind, key in (("ann", "ann_accuracy"), ("adsnn", "snn_accuracy")):
        values = sorted(run[key] for run in FOUND[name]["runs"])
        assert FOUND[name][kind]["lowest"] == values[0]
        assert FOUND[name][kind]["highest"] == values[-1]
        assert FOUND[name][kind]["median"] == pytest.approx((values[4] + values[5]) / 2)


@pytest.mark.parametrize("name", seeds.NAMES)
def test_a_seed_changes_nothing_else(name, tmp_path):
    shipped = load_config(nets.ROOT / "configs" / f"{name}.ini")
    config = load_config(seeds.with_seed(name, 7, tmp_path))
    assert config.training.model_dump() == {**shipped.training.model_dump(), "seed": 7}
    assert config.adsnn.model_dump() == {**shipped.adsnn.model_dump(), "pretrained": None, "plots": False}
    assert config.simulation == shipped.simulation
