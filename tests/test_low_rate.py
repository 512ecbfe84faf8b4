"""The low-rate benchmark keeps what it computed, chooses the precision that it says, and writes its page."""

import dataclasses
import json

import numpy as np
import pytest

from benchmarks import low_rate, low_rate_report, nets
from snntb_adsnn.data import Dataset
from snntb_adsnn.errors import ParameterError
from snntb_adsnn.network import Input, Neurons, Readout, SpikingNetwork
from snntb_adsnn.network.maps import Dense
from snntb_adsnn.neuron import ASNParameters


@pytest.fixture
def low_rate_folder(tmp_path, monkeypatch):
    """A folder in which every training of ``low_rate`` is there already: the same small random net."""
    random = np.random.default_rng(0)
    y = np.eye(10, dtype=np.float32)[np.arange(400) % 10]
    x = random.uniform(0, 1.5, (400, 12)).astype(np.float32)
    monkeypatch.setattr(low_rate, "FRONT", {"corrected": (0.2, 0.5, 0.9), "plain": (0.5,)})
    monkeypatch.setattr(low_rate, "SEARCHED", 15.0)
    monkeypatch.setattr(low_rate, "RECIPES", low_rate.RECIPES[:1])
    monkeypatch.setattr(low_rate, "load_dataset", lambda name: Dataset(x, y, x[:9], y[:9], name, tuple("0123456789")))
    parameters = ASNParameters(m_f=0.25)
    network = SpikingNetwork(
        (
            Input("x", (), (), (12,)),
            Neurons("first", ("x",), ((12,),), np.zeros(12, np.float32), parameters),
            Dense("weights", ("first",), ((12,),), random.normal(0.1, 0.4, (12, 8)).astype(np.float32)),
            Neurons("second", ("weights",), ((8,),), np.zeros(8, np.float32), parameters),
            Dense("last", ("second",), ((8,),), random.normal(0, 0.4, (8, 10)).astype(np.float32)),
            Readout("out", ("last",), ((10,),), np.zeros(10, np.float32)),
        )
    )
    for name in (low_rate.SHIPPED, *(recipe.name for recipe in low_rate.RECIPES)):
        network.save(tmp_path / name / "network.npz")
    return tmp_path


def test_low_rate_keeps_points_and_writes_the_page(low_rate_folder, monkeypatch):
    size = dataclasses.replace(
        low_rate.Size.quick(), validation_images=20, correction_images=20, search_images=10, duration=320
    )
    results = low_rate.LowRate(low_rate_folder, size).run()
    points = results["points"]
    assert len(points) == 4 + min(4, len(results["search"])) + (1 + len(low_rate.RECIPES)) * (
        2 * len(low_rate.BUDGETS) + 1
    )
    assert points["shipped, m_f by search 0, corrected"]["m_f"] == results["search"][0]
    rates = [points[f"shipped, m_f {m_f}, corrected"]["firing_rate_hz"] for m_f in (0.2, 0.5, 0.9)]
    assert rates == sorted(rates, reverse=True)
    # this net spikes at 10 Hz and more even at the highest m_f
    assert points["m25, 5.0 Hz, plain"] == {"m_f": None}
    monkeypatch.setattr(low_rate, "simulate", None)
    monkeypatch.setattr(low_rate, "search_m_f", None)  # nothing is computed again
    assert low_rate.LowRate(low_rate_folder, size).run() == results
    with pytest.raises(ParameterError, match="other sizes"):
        low_rate.LowRate(low_rate_folder, low_rate.Size.quick())
    page = low_rate_folder / "low-rate.md"
    page.write_text("# Kept\n" + low_rate_report._MARK + "old")
    low_rate_report.write_docs(results, low_rate_folder)
    assert page.read_text().startswith("# Kept\n")
    assert "old" not in page.read_text()
    assert "| 0.2 | corrected |" in page.read_text()
    assert (low_rate_folder / "low-rate.png").stat().st_size > 10_000
    kept = json.loads((low_rate_folder / "low-rate.json").read_text())
    assert low_rate_report.markdown(kept) == low_rate_report.markdown(results)
    name = "shipped, m_f 0.2, corrected"
    assert kept["points"][name] == points[name]  # the picture shows it over time
    assert "accuracy_over_time" not in kept["points"]["shipped, m_f 0.5, plain"]


def test_the_page_shows_what_was_measured():
    docs = nets.ROOT / "docs"
    results = json.loads((docs / "low-rate.json").read_text())
    assert results["size"] == dataclasses.asdict(low_rate.Size())
    assert results["recipes"] == [dataclasses.asdict(recipe) for recipe in low_rate.RECIPES]
    _, tables = (docs / "low-rate.md").read_text().split(low_rate_report._MARK)
    assert tables == low_rate_report.markdown(results)
    # what the page promises: the goal is reached on all images, and the front spans 2 to 30 Hz
    front = [point for name, point in results["points"].items() if name.startswith("shipped, m_f")]
    assert any(
        p["accuracy"] >= 0.99 and p["firing_rate_hz"] <= 5 and p["spikes_per_neuron_at_mt"] <= 0.5 for p in front
    )
    rates = [point["firing_rate_hz"] for point in front]
    assert min(rates) < 2.1
    assert max(rates) > 30


def test_low_rate_chooses_the_m_f_that_meets_the_rate(low_rate_folder):
    bench = low_rate.LowRate(low_rate_folder, dataclasses.replace(low_rate.Size(), validation_images=40, duration=400))
    m_f = bench.chosen("m25", 30.0)
    rate = bench.metrics(bench.at("m25", m_f, "plain"), *bench.validation)["firing_rate_hz"]
    assert 0.93 * 30 < rate <= 30
