"""Workers of a Dask cluster."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import CancelledError, Future
from concurrent.futures import TimeoutError as FutureTimeoutError  # the built-in one from Python 3.11 on
from contextlib import closing, contextmanager
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any, TypeVar
from urllib.parse import SplitResult, urlsplit

from snntb_adsnn.errors import WorkerError
from snntb_adsnn.studies.workers.base import Answers, Failure, Job, attempt, cores, limit_threads

TIMEOUT = 5.0
"""Seconds that a Dask scheduler has for its first answer, and a cluster without workers to get one."""
CHECK_TIMEOUT = 60.0
"""Seconds that all workers of a cluster have to tell their version; the first time they import the package for it."""

PULSE = 30.0
"""Seconds without an answer after which a Dask scheduler is asked whether it still lives; it has as many to reply."""

_Answer = TypeVar("_Answer")


@dataclass(frozen=True)
class Cluster:
    """The workers of a Dask scheduler.

    Attributes:
        address: of the scheduler, such as ``tcp://host:8786``.
        version: what ``installed`` must answer on each worker.
        installed: importable function that tells the version of a worker's own code.
    """

    address: str
    version: str
    installed: Callable[[], str]

    def __call__(self, job: Job, shared: Any, items: Mapping[str, Any]) -> Answers:
        with self._client() as client:
            from distributed import KilledWorker

            with warnings.catch_warnings():
                # as a task, not scattered: scattered data are lost with the workers that hold them
                warnings.filterwarnings("ignore", message="Sending large graph", category=UserWarning)
                data = client.submit(_same, shared, pure=False)
                futures = {
                    client.submit(_on_dask, job, data, item, key=f"adsnn-{key}", pure=False, retries=0): key
                    for key, item in items.items()
                }
            suspects = []
            try:
                for future in self._as_completed(client, futures):
                    try:
                        answer = self._patiently(client, future.result)
                    except KilledWorker:
                        suspects.append(futures[future])
                        continue
                    future.release()  # or all answers would stay in the workers' memory until the last is there
                    yield futures[future], answer
                # Dask blames every task that waits on a dying worker; alone, a task can only blame itself
                for key in suspects:
                    alone = client.submit(_on_dask, job, data, items[key], key=f"adsnn-{key}-alone", pure=False)
                    try:
                        (done,) = self._as_completed(client, [alone])
                        answer = self._patiently(client, done.result)
                    except KilledWorker as error:
                        reason = f"its Dask workers were killed again and again ({error.last_worker.address})"
                        answer = Failure(reason, again=True)
                    yield key, answer
            except (CancelledError, OSError) as error:
                raise WorkerError(
                    f"the Dask scheduler {self.address} was lost ({error or 'tasks cancelled'}); what is finished is "
                    "kept: start again when it is back."
                ) from error

    def _as_completed(self, client: Any, futures: Collection[Any]) -> Iterator[Any]:
        """Each future once it is done. Dask's own function waits for ever where the scheduler hangs: no connection
        breaks then.

        Raises:
            OSError: the scheduler does not reply any more.
        """
        done: SimpleQueue[Any] = SimpleQueue()
        for future in futures:
            future.add_done_callback(done.put)
        for _ in futures:
            while True:
                try:
                    yield done.get(timeout=PULSE)
                    break
                except Empty:
                    self._feel_pulse(client)

    def _patiently(self, client: Any, call: Callable[[], _Answer]) -> _Answer:
        """What ``call`` returns or raises, however long it takes, while the scheduler lives."""
        answer = _started(call)
        while True:
            try:
                return answer.result(PULSE)
            except FutureTimeoutError:
                if answer.done():  # its own
                    raise
                self._feel_pulse(client)

    def _feel_pulse(self, client: Any) -> None:
        """Raise OSError where the scheduler does not reply."""
        try:
            _within(PULSE, lambda: client.run_on_scheduler(bool))
        except FutureTimeoutError:
            raise OSError(f"no reply within {PULSE:g} s") from None

    def check(self) -> None:
        """Raise WorkerError where the cluster cannot do the job."""
        with self._client():
            pass

    @contextmanager
    def _client(self) -> Iterator[Any]:
        """A connection to a scheduler whose workers can do the job."""
        url = urlsplit(self.address if "://" in self.address else f"tcp://{self.address}")
        if url.scheme not in _SCHEMES or not url.hostname or not _port(url):
            raise WorkerError(
                f"--scheduler {self.address} is no address of a Dask scheduler; write it as tcp://host:8786."
            )
        try:
            from distributed import Client
        except ImportError as error:
            raise WorkerError(f"Dask is not installed ({error}); run: pip install 'snntb-adsnn[sweep]'") from error
        try:
            # Dask's own timeout says more, but ends no wait for a socket that accepts and then is mute
            client = _within(TIMEOUT + 1, lambda: Client(self.address, timeout=TIMEOUT, set_as_default=False))
        except (OSError, ValueError, FutureTimeoutError) as error:
            reason = str(error) or "something accepts connections, but does not speak"
            raise WorkerError(
                f"--scheduler {self.address}: no Dask scheduler answers there within {TIMEOUT:g} s ({reason}); check "
                "the address, such as tcp://host:8786."
            ) from None
        with closing(client):
            try:
                _within(CHECK_TIMEOUT, lambda: self._check_workers(client))
            except FutureTimeoutError:
                raise WorkerError(
                    f"the workers of {self.address} did not all tell their version within {CHECK_TIMEOUT:g} s; end "
                    "those that hang, or start others."
                ) from None
            yield client

    def _check_workers(self, client: Any) -> None:
        from distributed import TimeoutError as DaskTimeoutError

        try:
            client.wait_for_workers(1, timeout=TIMEOUT)
        except DaskTimeoutError:
            raise WorkerError(
                f"the Dask scheduler {self.address} has no workers; start some with: dask worker {self.address}"
            ) from None
        try:
            client.run_on_scheduler(self.installed)  # it unpacks what it hands on
        except Exception as error:
            raise WorkerError(
                f"the scheduler {self.address} cannot run this package ({error}); install it there too."
            ) from error
        try:
            found = client.run(self.installed)
        except Exception as error:  # whatever a foreign installation raises
            raise WorkerError(
                f"a worker of {self.address} cannot run this package ({error}); install the same version there."
            ) from error
        if other := sorted(worker for worker, version in found.items() if version != self.version):
            raise WorkerError(
                f"workers of {self.address} have another version of this package or of NumPy than this machine: "
                f"{', '.join(other)}; install the same there, or results would not be the same."
            )


_SCHEMES = ("tcp", "tls", "ws", "wss", "ucx")


def _port(url: SplitResult) -> int | None:
    try:
        return url.port
    except ValueError:  # not a number, or above 65535
        return None


def _within(seconds: float, call: Callable[[], _Answer]) -> _Answer:
    """What ``call`` returns or raises.

    Raises:
        FutureTimeoutError: it takes more than ``seconds``; it goes on in a daemon thread, which holds up no exit.
    """
    return _started(call).result(seconds)


def _started(call: Callable[[], _Answer]) -> Future[_Answer]:
    """``call`` in a daemon thread."""
    answer: Future[_Answer] = Future()

    def run() -> None:
        try:
            answer.set_result(call())
        except BaseException as error:
            answer.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return answer


def _same(value: Any) -> Any:
    return value


def _on_dask(job: Job, shared: Any, item: Any) -> Any:
    from distributed import get_worker

    limit_threads(max(1, cores() // get_worker().state.nthreads))
    return attempt(job, shared, item)
