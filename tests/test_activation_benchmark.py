"""AAN beside ReLU in a plain fit: what docs/training.md says is what was measured, and where the goal is met."""

import json
from pathlib import Path
from statistics import mean

import pytest

from benchmarks.activation import FRAMEWORKS, table
from benchmarks.activation_nets import NETS

DOCS = Path(__file__).parents[1] / "docs"
FOUND = json.loads((DOCS / "activation.json").read_text())


BEHIND = {("keras2", "series"), ("keras3", "series")}
"""Nets whose mean with AAN is more than a point behind ReLU's; docs/training.md names them."""


def mean_of(framework, kind, *nets):
    return mean(mean(FOUND[framework][net][kind].values()) for net in nets)


def test_every_net_has_five_seeds_in_every_framework():
    assert set(FOUND) == set(FRAMEWORKS)
    for nets in FOUND.values():
        assert set(nets) == set(NETS)
        for kinds in nets.values():
            assert all(set(kinds[kind]) == set("01234") for kind in ("relu", "bounded"))


@pytest.mark.parametrize("framework", FOUND)
def test_aan_is_within_a_point_of_relu(framework):
    assert mean_of(framework, "bounded", *NETS) > mean_of(framework, "relu", *NETS) - 0.01
    behind = {
        (framework, net) for net in NETS if mean_of(framework, "bounded", net) < mean_of(framework, "relu", net) - 0.01
    }
    assert behind == {case for case in BEHIND if case[0] == framework}


@pytest.mark.parametrize("framework", FOUND)
def test_the_page_says_what_was_measured(framework):
    page = (DOCS / "training.md").read_text()
    for net, kinds in FOUND[framework].items():
        relu, aan = (f"{100 * mean(kinds[kind].values()):.1f}" for kind in ("relu", "bounded"))
        row = next(line for line in page.splitlines() if line.startswith(f"| {net} |"))
        assert row.split("|")[2 + list(FOUND).index(framework)].strip() == f"{relu} / {aan}", net


def test_the_table_is_made_of_means_and_spreads():
    found = {"dense": {"relu": {"0": 0.9, "1": 0.8}}, "series": {"relu": {"0": 0.95}}}
    assert table(found) == ["dense: relu 85.0 ± 7.1", "series: relu 95.0 ± 0.0", "mean: relu 90.00"]
