"""The benchmarks run, count and compare correctly; what they measure is not tested here."""

import json
import os
import subprocess
import sys

import click
import numpy as np
import pytest

from benchmarks import limit, nets, report
from benchmarks.simulation import SECTIONS, updated
from snntb_adsnn.engine import simulate

X = nets.smooth_images(3, size=12, channels=1)
NET = nets.mnist(X, channels=(16, 32))


@pytest.mark.skipif(not os.environ.get("ADSNN_DATA"), reason="MNIST: ADSNN_DATA names no folder")
def test_smoke(tmp_path):
    file = tmp_path / "speed.json"
    skipped = [word for name in SECTIONS if name not in ("steps", "agreement") for word in ("--skip", name)]
    command = [sys.executable, "-m", "benchmarks.simulation", "--quick", "--json", str(file), *skipped]
    done = subprocess.run(command, capture_output=True, text=True, cwd=nets.ROOT)
    assert done.returncode == 0, done.stderr[-2000:]
    results = json.loads(file.read_text())
    assert {"machine", "versions", "size", "load_average", "steps", "agreement", "targets"} == results.keys()
    assert [row["steps"] for row in results["steps"]] == [10, 20, 40]
    for row in results["steps"]:
        assert row["images_per_second"] > 0
        assert 0 < row["cpu_ms_per_image"]
        assert 50 < row["peak_mb"] < 600  # the process's own, not its parent's
    assert results["agreement"]["different_decisions"] == 0
    assert "Agreement with the reference" in done.stdout


def row(label, images_per_second, cpu, **more):
    return {"label": label, "simulator": label, "installed": True, "peak_mb": 100.0,
            "images_per_second": images_per_second, "cpu_ms_per_image": cpu, **more}  # fmt: skip


def simulators():
    missing = {"label": "snnTorch Leaky", "simulator": "snnTorch Leaky", "installed": False}
    rows = [row("ours", 1000, 2.0), row("SNN Toolbox INI", 4, 480.0), row("SpikingJelly IF", 40, 50.0),
            row("sinabs IAF", 25, 80.0), missing]  # fmt: skip
    return report.with_ratios(rows)


def test_ratios_are_to_the_first_row():
    assert [r.get("time_ratio") for r in simulators()] == [1, 250, 25, 40, None]
    assert [r.get("cpu_ratio") for r in simulators()] == [1, 240, 25, 40, None]


def test_a_missing_peer_stands_in_the_table():
    _, _, cells = report.tables({"simulators": simulators()})[0]
    assert cells[-1][:2] == ["snnTorch Leaky", "not installed"]


def test_targets_compare_with_the_fastest_peer_and_leave_out_what_was_not_measured():
    found = {t["target"]: (t["measured"], t["met"]) for t in report.targets({"simulators": simulators()})}
    assert list(found.values()) == [(250, True), (25, True)]
    slow = report.with_ratios([row("ours", 1000, 2.0), row("SNN Toolbox INI", 20, 5.0)])
    assert [(t["measured"], t["met"]) for t in report.targets({"simulators": slow})] == [(50, False)]


def test_targets_of_growth():
    steps = [row("250 steps", 2000, 1), row("500 steps", 1000, 1), row("1000 steps", 400, 1)]
    rate = [row(f"{hz} Hz", speed, 1, firing_rate_hz=hz) for hz, speed in ((60, 500), (21, 900), (20, 1000), (7, 1400))]
    found = {t["target"]: (t["measured"], t["met"]) for t in report.targets({"steps": steps, "rate": rate})}
    assert found["time of 1000 steps to that of 250"] == (5, False)
    assert found["peak memory of 1000 steps to that of 250"] == (1, True)
    at_a_third, met = found["time per image at a third of the firing rate"]
    assert met
    assert at_a_third in (500 / 900, 500 / 1000)


def test_limit_counts_the_synaptic_additions_of_the_network():
    # every row fills at most two vectors here
    result = simulate(NET, X, duration=60, engine="event")
    rows = limit.additions(NET, result)
    last = NET.populations[-1]
    into_readout = result.spike_counts[last.name].sum() / len(X)
    assert rows[1] >= into_readout > 0  # rows of 10 classes take one vector
    assert sum(rows.values()) == pytest.approx(_rows_by_hand(result))


def _rows_by_hand(result):
    """Rows that the spikes of each population add to: pixels of the next layer that see it and that a window reads."""
    first, second, third = (result.spike_counts[p.name].sum(axis=(0, 3)) / len(X) for p in NET.populations)
    total = third.sum()
    for spikes in (first, second):
        out = (len(spikes) - 2) // 2 * 2  # a 3 x 3 convolution, then whole 2 x 2 windows
        seen = np.zeros(len(spikes))
        for k in range(3):
            seen[k : k + out] += 1
        total += (spikes * np.outer(seen, seen)).sum()
    return total


def test_limit_counts_updates():
    counted = limit.updates(NET, steps=7)
    sizes = [p.size for p in NET.populations]
    assert counted == {(1, False): sizes[0] * 7, (4, True): sum(sizes[1:]) * 7, (1, True): 10 * 7}


def test_minimal_kernel_is_the_neuron():
    """The limit would mean nothing if its kernel computed something else."""
    from snntb_adsnn.engine.event.arrays import aligned

    k_beta, k_phi, g_phi, k_eta, k_gamma, m_f, theta0 = map(np.float32, limit.CONSTANTS)
    lanes, positions = 16, 4
    random = np.random.default_rng(0)
    state = aligned((2 * positions + 3) * lanes)
    state[-lanes:] = random.uniform(0, 1, lanes)
    drive = aligned(limit.STEPS * positions * lanes)
    drive[:] = random.uniform(-0.1, 0.3, drive.size) * (random.random(drive.size) < 0.2)
    masks = aligned(limit.STEPS, np.uint64)
    I, V, (S_hat, theta_a, bias) = np.split(state.copy().reshape(-1, lanes), [positions, 2 * positions])
    limit.update_kernel(positions, True, lanes)(1, state, drive, masks)
    written = masks.view(np.uint16)[: limit.STEPS]
    for t in range(limit.STEPS):
        I = k_beta * I + drive.reshape(limit.STEPS, positions, lanes)[t]
        V = k_phi * V + g_phi * I
        S_hat, theta = k_eta * S_hat, theta0 + theta_a
        spikes = 2 * (V.max(axis=0) + bias - S_hat) > theta
        S_hat = S_hat + spikes * theta
        theta_a = k_gamma * (theta_a + spikes * (m_f * theta))
        assert written[t] == np.packbits(spikes, bitorder="little").view(np.uint16)[0]
    assert masks.view(np.uint16)[: limit.STEPS].any()
    np.testing.assert_array_equal(state.reshape(-1, lanes)[-3], S_hat)


def test_random_nets_fire():
    rates = simulate(NET, X, duration=100, engine="event").firing_rates_hz
    assert all(5 < rate < 60 for rate in rates.values()), rates


def test_sections_of_other_sizes_do_not_mix():
    old = {"machine": "m", "size": {"images": 4}, "load_average": {"steps": 1.0}, "steps": [1], "rate": [1]}
    new = {"machine": "m", "size": {"images": 4}, "load_average": {"steps": 2.0}, "steps": [2]}
    assert updated(old, new) == {**new, "rate": [1]}
    with pytest.raises(click.ClickException, match="other sizes"):
        updated(old, new | {"size": {"images": 5}})


def test_documents(tmp_path):
    results = {
        "machine": {"processor": "x", "cores": 2, "system": "y"},
        "size": {"images": 4, "steps": 20, "rounds": 1},
        "load_average": {"simulators": 0.5},
        "versions": {"numpy": "2"},
        "simulators": simulators(),
        "steps": [row("250 steps", 2000, 1, steps=250)],
        "rate": [row("m_f 0.2", 500, 1, firing_rate_hz=60.0)],
    }
    report.write_docs(results, tmp_path)
    text = (tmp_path / "speed.md").read_text()
    assert "| sinabs IAF | 25 | 80.00 | 100 | 40.0 | 40.0 |" in text
    assert (tmp_path / "speed.png").read_bytes().startswith(b"\x89PNG")
