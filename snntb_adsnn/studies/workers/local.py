"""Worker processes on this machine."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any

from snntb_adsnn.studies.workers.base import Answers, Failure, Job, attempt, cores, limit_threads

ATTEMPTS = 3
"""Times an item is tried when its worker dies."""


@dataclass(frozen=True)
class Local:
    """Worker processes on this machine, which share its cores among them.

    Attributes:
        workers: how many; default one for each core.
    """

    workers: int | None = None

    def __call__(self, job: Job, shared: Any, items: Mapping[str, Any]) -> Answers:
        count = min(self.workers or cores(), len(items))
        queue, deaths = deque(items), Counter[str]()
        busy: dict[Connection, tuple[_Process, str]] = {}

        def new_process() -> _Process:
            return _Process(job, shared, max(1, cores() // count))

        idle = [new_process() for _ in range(count)]
        try:
            while queue or busy:
                while queue and idle:
                    process, key = idle.pop(), queue.popleft()
                    busy[process.pipe] = (process, key)
                    process.ask(items[key])
                for pipe in wait(list(busy)):
                    assert isinstance(pipe, Connection)
                    process, key = busy.pop(pipe)
                    try:
                        answer = process.answer()
                    except EOFError:
                        deaths[key] += 1
                        idle.append(new_process())
                        if deaths[key] < ATTEMPTS:
                            queue.append(key)
                            continue
                        reason = f"its worker was killed {ATTEMPTS} times ({process.end()}; out of memory?)"
                        answer = Failure(reason, again=True)
                    else:
                        idle.append(process)
                    yield key, answer
        finally:
            for process in (*idle, *(process for process, _ in busy.values())):
                process.kill()


class _Process:
    """A worker process with a pipe: one question, one answer."""

    def __init__(self, job: Job, shared: Any, threads: int) -> None:
        # spawn: a fork would copy TensorFlow's threads half, and keep the other workers' pipes open
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, job, threads), daemon=True)
        with _no_interrupts():
            self._process.start()
        theirs.close()
        with suppress(BrokenPipeError):  # it died; the answer will say so
            self.pipe.send(shared)

    def ask(self, item: Any) -> None:
        with suppress(BrokenPipeError):
            self.pipe.send(item)

    def answer(self) -> Any:
        """The answer to the last question.

        Raises:
            EOFError: the process died.
            Exception: what the job raised, if it is no mistake of the user.
        """
        try:
            answer = self.pipe.recv()
        except OSError as error:  # killed before its answer, or in the middle of it
            raise EOFError from error
        if isinstance(answer, Exception):
            raise answer
        return answer

    def end(self) -> str:
        """How the dead process ended."""
        self._process.join()
        code = self._process.exitcode or 0
        return signal.Signals(-code).name if code < 0 else f"exit code {code}"

    def kill(self) -> None:
        self._process.kill()
        self._process.join()
        self.pipe.close()


@contextmanager
def _no_interrupts() -> Iterator[None]:
    """Processes started in here begin with interrupts blocked: one in their imports would print a traceback. Ours are
    only late."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _serve(pipe: Connection, job: Job, threads: int) -> None:
    """What a worker process does until its pipe is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's, which kills its workers
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with suppress(EOFError):
        shared = pipe.recv()
        limit_threads(threads)
        while True:
            item = pipe.recv()
            try:
                answer = attempt(job, shared, item)
            except Exception as error:
                answer = error
            pipe.send(answer)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
