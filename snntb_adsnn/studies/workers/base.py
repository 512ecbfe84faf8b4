"""What jobs, answers and runners are, wherever they work."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from snntb_adsnn.errors import AdSNNError

Job = Callable[[Any, Any], Any]
"""Importable function of what all items share and of one item; both and its answer can be pickled."""
Answers: TypeAlias = Generator[tuple[str, Any], None, None]
"""Key of an item, and its answer or a ``Failure``."""


@dataclass(frozen=True)
class Failure:
    """An item without a result, and why; ``again``: another try may succeed, its worker was killed."""

    reason: str
    again: bool = False


class Runner(Protocol):
    """Applies a job to items. Closing what it yields from ends its workers."""

    def __call__(self, job: Job, shared: Any, items: Mapping[str, Any]) -> Answers:
        """Yield (key, answer or ``Failure``) for each of ``items``, as soon as it is there.

        Raises:
            WorkerError: nothing more can be computed, such as a lost scheduler.
        """


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0))


def limit_threads(count: int) -> None:
    """Let the engines and NumPy's linear algebra use ``count`` threads in this process."""
    import numba
    from threadpoolctl import threadpool_limits

    numba.config.NUMBA_NUM_THREADS = count  # what the event engine asks
    threadpool_limits(count)


def attempt(job: Job, shared: Any, item: Any) -> Any:
    """The job's answer; a ``Failure`` where it raised what a user can mend, or ran out of memory."""
    try:
        return job(shared, item)
    except AdSNNError as error:
        return Failure(str(error))
    except MemoryError:
        return Failure("not enough memory; choose a smaller batch_size, or fewer workers")


def in_process(job: Job, shared: Any, items: Mapping[str, Any]) -> Answers:
    """One item after the other, here: where one simulation uses the whole machine (an accelerator)."""
    for key, item in items.items():
        yield key, attempt(job, shared, item)
