"""A run whose batches are simulated by workers gives what one without them gives, killed or not."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from toolbox_cases import dense_net, image_net, write_case, write_config

from snntb_adsnn import cli
from snntb_adsnn.errors import ConfigError, WorkerError
from snntb_adsnn.files import TEMPORARY
from snntb_adsnn.studies.workers import Failure
from snntb_adsnn.toolbox import command, run

LOGS = "log/gui/test"


@pytest.fixture(scope="module", params=["event", "reference"])
def case(request, tmp_path_factory):
    """Writes the same model and data with settings into a folder of the test; returns the configuration file."""
    source = tmp_path_factory.mktemp("model")
    write_case(source, image_net())

    def write(folder, **settings):
        shutil.copytree(source, folder, dirs_exist_ok=True)
        return write_config(folder / "net.ini", {"adsnn": {"engine": request.param, "plots": "False"}, **settings})

    return write


def outcome(file, folder=LOGS):
    """``results.json`` and ``accuracy.txt`` of a finished run, less where it ran."""
    logs = file.parent / folder
    results = json.loads((logs / "results.json").read_text())
    assert results.pop("model") == str(file.parent / "net")
    return results, (logs / "accuracy.txt").read_text()


def logged(file):
    """Log variables of a finished run, batch by batch."""
    found = []
    for log in sorted((file.parent / LOGS / "log_vars").glob("*.npz")):
        with np.load(log, allow_pickle=True) as variables:
            found.append({name: variables[name] for name in variables.files})
    return found


def kept(file):
    """Identity and time of the batches that are kept, less what a killed program left half written."""
    files = (file.parent / LOGS / "batches").glob("*.npz")
    there = (found for found in files if not found.name.startswith(TEMPORARY))
    return {found.name: (found.stat().st_ino, found.stat().st_mtime_ns) for found in there}


def test_workers_change_no_figure_and_no_log(case, tmp_path):
    settings = {"output": {"log_vars": "{'all'}"}}
    plain = case(tmp_path / "plain", **settings)
    run(plain)
    expected = logged(plain)
    assert len(expected) == 3
    assert {"spiketrains_n_b_l_t", "mem_n_b_l_t", "synaptic_operations_b_t", "top1err_b_t"} <= set(expected[0])
    for workers in (1, 2) if "event" in plain.read_text() else (2,):
        file = case(tmp_path / str(workers), **settings)
        run(file, workers=workers)
        assert outcome(file) == outcome(plain)
        for found, wanted in zip(logged(file), expected, strict=True):
            assert found.keys() == wanted.keys()
            for name, values in wanted.items():
                for ours, theirs in zip(
                    np.ravel(found[name]), np.ravel(values), strict=True
                ):  # of layers, if it has some
                    np.testing.assert_array_equal(ours, theirs, err_msg=name)
        assert not (file.parent / LOGS / "batches").exists()


# ---- in this process, to see what is simulated -----------------------------------------------------------------------


class Here:
    """A runner that simulates in this process, counts, and fails from its ``stop``-th batch on."""

    def __init__(self, stop=None):
        self.stop, self.simulated = stop, []

    def __call__(self, job, shared, items):
        for key, item in items.items():
            if len(self.simulated) == self.stop:
                yield key, Failure("its worker was killed", again=True)
                continue
            self.simulated.append(item.number)
            yield key, job(shared, item)


@pytest.fixture
def dense(tmp_path, monkeypatch):
    """A run of a small net in three batches on a runner: ``dense(runner, **settings)``; returns the configuration."""
    source = tmp_path / "source"
    write_case(source, dense_net())

    def go(runner, name="run", **settings):
        shutil.copytree(source, tmp_path / name, dirs_exist_ok=True)
        file = write_config(tmp_path / name / "net.ini", settings)
        monkeypatch.setattr(command, "make_runner", lambda *_: runner)
        run(file)
        return file

    return go


def test_what_is_there_is_not_simulated_again(dense, tmp_path, capsys):
    expected = outcome(dense(None, "plain"))
    file = tmp_path / "run" / "net.ini"
    with pytest.raises(WorkerError, match=r"1 of 3 batches have no result: batch 3: its worker was killed. The others"):
        dense(Here(stop=2))
    assert len(kept(file)) == 2
    assert not (file.parent / LOGS / "results.json").exists()
    capsys.readouterr()
    again = Here()
    dense(again)
    assert "2 of 3 batches were simulated before." in capsys.readouterr().out
    assert again.simulated == [3]
    assert outcome(file) == expected
    assert not (file.parent / LOGS / "batches").exists()


def test_every_value_of_a_parameter_sweep(dense, tmp_path):
    sweep = {"parameter_sweep": {"param_name": "m_f", "param_values": "[0.1, 0.4]"}}
    plain, file = dense(None, "plain", **sweep), dense(runner := Here(), **sweep)
    assert runner.simulated == [1, 2, 3, 1, 2, 3]
    for value in ("0.1", "0.4"):
        assert outcome(file, f"{LOGS}/m_f_{value}") == outcome(plain, f"{LOGS}/m_f_{value}")
    assert not list(file.parent.rglob("batches"))


# ---- the command -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("option", "value"), [("workers", 2), ("scheduler", "tcp://127.0.0.1:9")])
def test_nothing_to_simulate(tmp_path, option, value):
    file = write_config(tmp_path / "net.ini", {"tools": {"simulate": "False"}})
    with pytest.raises(ConfigError, match=rf"simulate = False leaves nothing to do for --{option}; set it to True"):
        run(file, **{option: value})


def test_a_scheduler_must_answer_first(tmp_path):
    pytest.importorskip("distributed")
    file = write_config(tmp_path / "net.ini", {})  # no model, no data
    with pytest.raises(WorkerError, match=r"no Dask scheduler answers there"):
        run(file, scheduler="tcp://127.0.0.1:9")
    with pytest.raises(ConfigError, match="leave it out with --scheduler"):
        run(file, scheduler="tcp://127.0.0.1:9", workers=2)


def start(file, *options):
    """``snntb-adsnn run FILE`` in a process of its own."""
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-m", cli.__name__, "run", file, *options]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


def kill_when(process, file, count):
    """SIGKILL to a run once it has kept ``count`` batches; returns them with their identity and time."""
    end = time.monotonic() + 120
    while len(kept(file)) < count:
        assert process.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < end
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    return kept(file)


LONG = {"simulation": {"simulator": "adsnn", "duration": "2000", "num_to_test": "23", "batch_size": "1"}}


def killed(tmp_path, options, times):
    """Outcomes of a run that was killed ``times`` times, and of one without workers that was not."""
    source = tmp_path / "source"
    write_case(source, dense_net(), LONG)
    plain, file = (shutil.copytree(source, tmp_path / name) / "net.ini" for name in ("plain", "killed"))
    run(plain)
    finished = {}
    for count in (4, 12)[:times]:
        found = kill_when(start(file, *options), file, count)
        assert finished.items() <= found.items()  # none was simulated again
        assert len(finished) < len(found) < 23
        finished = found
    last = start(file, *options)
    said, _ = last.communicate(timeout=200)
    assert last.returncode == 0
    assert f"{len(finished)} of 23 batches were simulated before." in said
    assert not (file.parent / LOGS / "batches").exists()
    assert not list(file.parent.rglob(f"{TEMPORARY}*"))
    return outcome(file), outcome(plain)


@pytest.mark.slow
def test_a_run_killed_on_two_workers_ends_as_one_that_was_not(tmp_path):
    found, expected = killed(tmp_path, ["--workers", "2"], 1)
    assert found == expected


@pytest.mark.slow
def test_a_run_killed_twice_on_a_dask_cluster_ends_as_one_that_was_not(tmp_path):
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(n_workers=3, threads_per_worker=1, dashboard_address=None, silence_logs=50) as three:
        three.wait_for_workers(3, timeout=120)
        found, expected = killed(tmp_path, ["--scheduler", three.scheduler_address], 2)
    assert found == expected
