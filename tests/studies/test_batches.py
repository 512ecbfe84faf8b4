"""Batches on workers: each is what this process would simulate, and none is taken for another."""

import dataclasses
import shutil

import numpy as np
import pytest
from study_jobs import small_network

from snntb_adsnn.engine import simulate
from snntb_adsnn.errors import OutputError, WorkerError
from snntb_adsnn.studies import batches
from snntb_adsnn.studies.batches import Batches, Setting, remove_batches
from snntb_adsnn.studies.workers import Failure, Local

SETTING = Setting(small_network(), 30.0, "event")
X = np.random.default_rng(3).random((7, 8), np.float32)
PARTS = [(X[:3],), (X[3:6],), (X[6:],)]


class Here:
    """A runner that simulates in this process, says what, and fails from its ``stop``-th batch on."""

    def __init__(self, stop=None):
        self.stop, self.simulated, self.calls = stop, [], 0

    def __call__(self, job, shared, items):
        self.calls += 1
        for key, item in items.items():
            if len(self.simulated) == self.stop:
                yield key, Failure("its worker was killed", again=True)
                continue
            self.simulated.append(item.number)
            yield key, job(shared, item)


@pytest.fixture
def run(tmp_path):
    """Simulates all batches: ``run(runner, setting, parts)``; returns outputs."""

    def go(runner, setting=SETTING, parts=PARTS):
        kept = Batches(setting, tmp_path / "batches", runner)
        return np.concatenate([kept.result(x).outputs for (x,) in kept.ahead(parts)])

    return go


@pytest.fixture
def two(run, tmp_path):
    """The files of the first two batches, of a run whose third failed."""
    with pytest.raises(WorkerError, match=r"1 of 3 batches have no result: batch 3: its worker was killed. The others"):
        run(Here(stop=2))
    files = sorted((tmp_path / "batches").glob("*.npz"), key=lambda file: file.stat().st_mtime_ns)
    assert len(files) == 2
    return files


@pytest.mark.parametrize("runner", [Here(), Local(2)], ids=["here", "two"])
@pytest.mark.parametrize("engine", ["event", "reference"])
def test_a_batch_is_what_this_process_would_simulate(runner, engine, tmp_path):
    setting = dataclasses.replace(SETTING, engine=engine, record=("S", "spikes"), observed=True)
    kept = Batches(setting, tmp_path / "batches", runner)
    for (x,) in kept.ahead(PARTS):
        seen, expected_seen = {}, {}
        found = kept.result(x, lambda *image, seen=seen: seen.update({image[0]: image[1:]}))
        expected = simulate(
            *(setting.network, x),
            duration=30.0,
            engine=engine,
            record=("S", "spikes"),
            on_spikes=lambda *image, seen=expected_seen: seen.update({image[0]: image[1:]}),
        )
        for field in dataclasses.fields(expected):
            ours, theirs = getattr(found, field.name), getattr(expected, field.name)
            if field.name != "readout":
                np.testing.assert_equal(ours, theirs)
            assert type(ours) is type(theirs)
        assert found.readout is expected.readout is setting.network.readout
        assert expected.spike_counts["a"].sum() > 20
        for ours, theirs in zip(found.spike_counts.values(), expected.spike_counts.values(), strict=True):
            assert ours.dtype == theirs.dtype
        np.testing.assert_equal(seen, expected_seen)
        assert [times.dtype for times, _ in seen.values()] == [np.int32] * len(x)
    remove_batches(tmp_path / "batches")
    assert not (tmp_path / "batches").exists()


def test_what_is_there_is_not_simulated_again(run, two, capsys):
    expected = simulate(SETTING.network, X, duration=30.0, engine="event").outputs
    before = [file.stat().st_mtime_ns for file in two]
    again = Here()
    np.testing.assert_array_equal(run(again), expected)
    assert again.simulated == [3]
    assert "2 of 3 batches were simulated before." in capsys.readouterr().out
    assert [file.stat().st_mtime_ns for file in two] == before


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        (lambda first, _: first.write_bytes(first.read_bytes()[:-40]), "damaged file of a simulated batch"),
        (lambda first, second: shutil.copy(second, first), "is the file of another batch"),
        (lambda first, _: SETTING.network.save(first), "not a file of a simulated batch of this version"),
    ],
    ids=["cut", "another", "network"],
)
def test_a_file_that_is_not_as_it_was_written_is_made_anew(run, two, capsys, harm, says):
    expected = simulate(SETTING.network, X, duration=30.0, engine="event").outputs
    harm(*two)
    again = Here()
    np.testing.assert_array_equal(run(again), expected)
    assert again.simulated == [1, 3]
    assert says in capsys.readouterr().out


def test_a_file_that_is_lost_meanwhile_is_named(tmp_path):
    kept = Batches(SETTING, tmp_path, Here())
    (x,) = next(kept.ahead(PARTS))
    for file in tmp_path.glob("*.npz"):
        file.unlink()
    with pytest.raises(OutputError, match=r"no such file of a simulated batch. A run with --workers or --scheduler"):
        kept.result(x)


@pytest.mark.parametrize(
    "change",
    [
        {"network": SETTING.network.with_m_f(0.3)},
        *({"duration": 31.0}, {"engine": "reference"}, {"record": ("S",)}, {"observed": True}),
    ],
    ids=lambda change: next(iter(change)),
)
def test_batches_of_other_settings_are_not_taken_over(run, two, change):
    run(runner := Here(), dataclasses.replace(SETTING, **change))
    assert runner.simulated == [1, 2, 3]


def test_other_code_and_other_inputs_are_simulated(run, two, monkeypatch):
    other = X[:3].copy()
    other[0, 0] = np.nextafter(other[0, 0], np.float32(9))
    run(runner := Here(), parts=[(other,), *PARTS[1:2], (X[3:5],)])
    assert runner.simulated == [1, 3]
    monkeypatch.setattr(batches, "code_version", lambda engine: "other")
    run(runner := Here())
    assert runner.simulated == [1, 2, 3]


def test_few_inputs_are_in_memory_at_a_time(run, monkeypatch):
    monkeypatch.setattr(batches, "WINDOW", PARTS[0][0].nbytes + PARTS[1][0].nbytes)
    taken = []

    def parts():
        for number, part in enumerate(PARTS, start=1):
            taken.append((number, list(runner.simulated)))
            yield part

    run(runner := Here(), parts=parts())
    assert taken == [(1, []), (2, []), (3, [1, 2])]
    assert runner.simulated == [1, 2, 3]
    assert runner.calls == 2


def test_equal_batches_are_simulated_once(run):
    run(runner := Here(), parts=[*PARTS, *PARTS])
    assert len(runner.simulated) == 3


def test_nothing_of_others_is_removed(run, tmp_path):
    run(Here())
    folder = tmp_path / "batches"
    (folder / "mine.npz").write_text("")
    (folder / ".tmp-half").write_text("")
    remove_batches(folder)
    assert [file.name for file in folder.iterdir()] == ["mine.npz"]
    remove_batches(tmp_path / "not there")
