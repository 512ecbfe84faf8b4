"""AAN beside ReLU in a plain fit: what docs/training.md says is what was measured, and the goal is met."""

import json
from pathlib import Path
from statistics import mean

import pytest

from benchmarks.activation import FRAMEWORKS, table
from benchmarks.activation_nets import NETS

DOCS = Path(__file__).parents[1] / "docs"
FOUND = json.loads((DOCS / "activation.json").read_text())


@pytest.mark.parametrize("framework", FOUND)
def test_aan_is_within_a_point_of_relu(framework):
    assert framework in FRAMEWORKS
    assert set(FOUND[framework]) == set(NETS)
    means = {
        kind: mean(mean(runs[kind].values()) for runs in FOUND[framework].values()) for kind in ("relu", "bounded")
    }
    assert means["bounded"] > means["relu"] - 0.01


@pytest.mark.parametrize("framework", FOUND)
def test_the_page_says_what_was_measured(framework):
    page = (DOCS / "training.md").read_text()
    for net, kinds in FOUND[framework].items():
        relu, aan = (f"{100 * mean(kinds[kind].values()):.1f}" for kind in ("relu", "bounded"))
        assert f"{relu} / {aan}" in page, net


def test_the_table_is_made_of_means_and_spreads():
    found = {"dense": {"relu": {"0": 0.9, "1": 0.8}}, "series": {"relu": {"0": 0.95}}}
    assert table(found) == ["dense: relu 85.0 ± 7.1", "series: relu 95.0 ± 0.0", "mean: relu 90.00"]
