"""Workers on this machine and on a Dask cluster: each answer once, deaths survived, failures named."""

import dataclasses
import os
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import study_jobs

from snntb_adsnn.errors import WorkerError
from snntb_adsnn.measure.correction import Correction
from snntb_adsnn.studies.study import code_version
from snntb_adsnn.studies.sweep import Point, Shared, simulate_point
from snntb_adsnn.studies.workers import ATTEMPTS, Cluster, Failure, Local, cores, in_process
from snntb_adsnn.studies.workers import dask as workers

version = partial(code_version, "event")
VERSION = version()
ITEMS = {f"k{i}": i for i in range(7)}


@pytest.mark.parametrize("runner", [in_process, Local(), Local(1), Local(3)])
def test_every_item_is_answered_once(runner):
    answers = list(runner(study_jobs.square, 2, ITEMS))
    assert sorted(answers, key=lambda pair: pair[0]) == [(f"k{i}", {"value": 2 * i * i}) for i in range(7)]


def test_an_item_whose_worker_is_killed_is_tried_again_and_then_named(tmp_path):
    items = {"once": 1, "always": 13, "mistake": 17, "good": 10, "other": 11}
    answers = dict(Local(2)(study_jobs.die, tmp_path, items))
    assert answers["once"] == {"value": 1}
    assert answers["good"] == {"value": 10}
    assert answers["other"] == {"value": 11}
    assert answers["mistake"] == Failure("17 is not allowed.")
    assert f"killed {ATTEMPTS} times (SIGKILL" in answers["always"].reason


def test_an_item_whose_worker_is_killed_in_mid_answer_is_tried_again_and_then_named(tmp_path):
    answers = dict(Local(1)(study_jobs.break_off, tmp_path, {"once": 1, "header": 2, "always": 13, "good": 10}))
    assert [answers[key] for key in ("once", "header", "good")] == [{"value": 1}, {"value": 2}, {"value": 10}]
    assert f"killed {ATTEMPTS} times (SIGKILL" in answers["always"].reason


def test_a_bug_is_raised_with_its_own_type(tmp_path):
    with pytest.raises(ZeroDivisionError):
        list(Local(2)(study_jobs.die, tmp_path, {"bug": 19}))


def test_workers_share_the_cores():
    answers = [answer for _, answer in Local(1)(study_jobs.threads, None, {"a": 1})]
    assert answers[0]["numba"] == cores()
    several = [answer for _, answer in Local(cores())(study_jobs.threads, None, dict.fromkeys("abcd"[: cores()], 1))]
    assert {(a["numba"], a["blas"]) for a in several} == {(1, 1)}
    assert len({a["pid"] for a in several}) == len(several)


def test_no_worker_outlives_a_killed_program(tmp_path):
    program = (
        "import study_jobs\nfrom snntb_adsnn.studies.workers import Local\nif __name__ == '__main__':\n"
        f"    list(Local(2)(study_jobs.marked, {str(tmp_path)!r}, {{str(i): i for i in range(500)}}))"
    )
    (tmp_path / "main.py").write_text(program)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    process = subprocess.Popen([sys.executable, tmp_path / "main.py"], env=environment)

    def started():
        return {int(file.name.split("-")[1]) for file in tmp_path.glob("*-*-*")}

    _wait(lambda: len(started()) == 2)
    found = started()
    process.kill()
    process.wait()
    _wait(lambda: not any(_runs(pid) for pid in found))


def _runs(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:  # noqa: PTH123
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def _wait(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


# ---- Dask ------------------------------------------------------------------------------------------------------------

distributed = pytest.importorskip("distributed")


@pytest.fixture
def dask():
    """A cluster of this test alone (another may have killed its workers, and a busy machine starts them slowly)."""
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50) as found:
        found.wait_for_workers(2, timeout=60)
        yield found


def test_a_cluster_answers_as_this_machine_does(dask, tmp_path):
    cluster = Cluster(dask.scheduler_address, VERSION, version)
    assert dict(cluster(study_jobs.square, 3, ITEMS)) == dict(in_process(study_jobs.square, 3, ITEMS))
    items = {"once": 1, "always": 13, "mistake": 17, "good": 10}
    answers = dict(cluster(study_jobs.die, str(tmp_path), items))
    assert answers["good"] == {"value": 10}
    assert answers["once"] == {"value": 1}
    assert answers["mistake"] == Failure("17 is not allowed.")
    assert "killed again and again" in answers["always"].reason


def test_threads_on_a_cluster(dask):
    cluster = Cluster(dask.scheduler_address, VERSION, version)
    ((_, answer),) = cluster(study_jobs.threads, None, {"a": 1})
    assert answer["numba"] == cores()  # one task at a time in each worker process


def test_threads_of_a_worker_share_what_they_keep():
    """Networks at other precisions, and with corrected biases, are kept in the process."""
    correction = Correction(np.ones((3, 8), "f4"))
    subject = dataclasses.replace(study_jobs.small_subject(images=4, duration=20.0), correction=correction)
    points = [Point(0.1 + 0.01 * (i % 7), {}, None, 20.0) for i in range(60)]
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(lambda point: simulate_point(Shared(subject, "reference", 0.99), point), points))
    finally:
        sys.setswitchinterval(before)
    assert all(found[i] == found[i % 7] for i in range(60))


def test_workers_with_other_code_are_refused(dask):
    with pytest.raises(WorkerError, match="another version"):
        Cluster(dask.scheduler_address, "other", version).check()


def test_a_scheduler_that_does_not_answer_or_has_no_workers():
    start = time.monotonic()
    with pytest.raises(WorkerError, match=r"no Dask scheduler answers there within 5 s.*check the address"):
        Cluster("tcp://127.0.0.1:9", "", version).check()
    assert time.monotonic() - start < 15
    with (
        distributed.LocalCluster(n_workers=0, dashboard_address=None, silence_logs=50) as empty,
        pytest.raises(WorkerError, match="has no workers; start some"),
    ):
        Cluster(empty.scheduler_address, "", version).check()


@pytest.mark.parametrize("address", ["nonsense", "http://foo:80", "tcp://", "tcp://localhost", "tcp://a:b", ""])
def test_what_is_no_address_is_refused_at_once(address):
    with pytest.raises(WorkerError, match=f"--scheduler {address} is no address of a Dask scheduler; write it as tcp"):
        Cluster(address, "", version).check()


def test_a_mute_scheduler_is_named_and_holds_up_no_exit():
    program = (
        "import sys\nfrom snntb_adsnn.studies.workers import Cluster\nfrom snntb_adsnn.errors import WorkerError\n"
        "try:\n    Cluster(sys.argv[1], '', str).check()\nexcept WorkerError as error:\n    print(error)\n"
    )
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()  # the kernel accepts; nobody ever answers
        address = f"tcp://127.0.0.1:{mute.getsockname()[1]}"
        command = [sys.executable, "-c", program, address]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=40, check=True)
    assert f"--scheduler {address}: no Dask scheduler answers there within 5 s (something accepts" in ended.stdout


def test_workers_that_hang_are_named(monkeypatch):
    with (
        distributed.LocalCluster(n_workers=1, dashboard_address=None, silence_logs=50) as hung,
        distributed.Client(hung, set_as_default=False) as client,
    ):
        (pid,) = client.run(os.getpid).values()
        monkeypatch.setattr(workers, "CHECK_TIMEOUT", 1.0)
        os.kill(pid, signal.SIGSTOP)
        try:
            with pytest.raises(WorkerError, match="did not all tell their version within 1 s"):
                Cluster(hung.scheduler_address, VERSION, version).check()
        finally:
            os.kill(pid, signal.SIGCONT)


def test_a_scheduler_that_is_lost_in_the_middle(tmp_path):
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, dashboard_address=None, silence_logs=50, scheduler_port=0
    ) as lost:
        cluster = Cluster(lost.scheduler_address, VERSION, version)
        answers = cluster(study_jobs.marked, str(tmp_path), {str(i): i for i in range(50)})
        assert next(answers)[1]["value"] in range(50)
        lost.close()
        with pytest.raises(WorkerError, match="was lost"):
            list(answers)


@pytest.mark.parametrize("waiting", [0, 1.5], ids=["for an answer", "with answers to fetch"])
def test_a_scheduler_that_falls_mute_in_the_middle(tmp_path, monkeypatch, waiting):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with _scheduler(Path.cwd(), environment) as scheduler, _worker(scheduler.address, tmp_path, environment):
        monkeypatch.setattr(workers, "TIMEOUT", 60.0)
        cluster = Cluster(scheduler.address, VERSION, version)
        answers = cluster(study_jobs.marked, str(tmp_path), {str(i): i for i in range(500)})
        assert next(answers)[1]["value"] in range(500)
        monkeypatch.setattr(workers, "PULSE", 1.0)
        time.sleep(waiting)  # what is ready then must still be fetched
        scheduler.process.send_signal(signal.SIGSTOP)
        begin = time.monotonic()
        with pytest.raises(WorkerError, match="was lost .no reply within 1 s.*what is finished is kept"):
            list(answers)
        assert time.monotonic() - begin < 60


def test_a_scheduler_without_the_package_is_named(tmp_path, monkeypatch):
    package = tmp_path / "snntb_adsnn"
    package.mkdir()
    (package / "__init__.py").write_text("raise ImportError('no such package here')")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with _scheduler(tmp_path, environment) as scheduler, _worker(scheduler.address, tmp_path, environment):
        monkeypatch.setattr(workers, "TIMEOUT", 60.0)
        with pytest.raises(WorkerError, match=r"the scheduler .* cannot run this package \(.*no such package here"):
            Cluster(scheduler.address, VERSION, version).check()


@dataclass
class _Scheduler:
    process: subprocess.Popen
    address: str


@contextmanager
def _scheduler(folder, environment):
    """A Dask scheduler in a process of its own, which imports from ``folder`` first."""
    program = (
        "import asyncio\nfrom distributed import Scheduler\n"
        "async def main():\n"
        "    async with Scheduler(port=0, host='127.0.0.1', dashboard=False) as scheduler:\n"
        "        print(scheduler.address, flush=True)\n        await scheduler.finished()\n"
        "asyncio.run(main())\n"
    )
    command = [sys.executable, "-c", program]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment, cwd=folder
    ) as process:
        try:
            yield _Scheduler(process, process.stdout.readline().strip())
        finally:
            process.kill()


@contextmanager
def _worker(address, folder, environment):
    """A Dask worker in a process of its own."""
    program = "from distributed.cli.dask_worker import main; main()"
    options = ["--no-dashboard", "--nthreads", "1", "--no-nanny", "--local-directory", str(folder)]
    command = [sys.executable, "-c", program, address, *options]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, env=environment) as process:
        try:
            yield process
        finally:
            process.kill()
