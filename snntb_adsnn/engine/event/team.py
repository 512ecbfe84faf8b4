"""Threads that work together on one image; a thread pool would take a tenth of a millisecond to start and end them."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from queue import SimpleQueue

Work = Callable[[int], None]


class Team:
    """Runs a function once for each member, in the caller's thread and in helpers that wait in between.

    Args:
        size: number of members, the caller included.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._inboxes: list[SimpleQueue[Work | None]] = [SimpleQueue() for _ in range(size - 1)]
        self._outbox: SimpleQueue[BaseException | None] = SimpleQueue()
        self._busy = 0
        for member, inbox in enumerate(self._inboxes, 1):
            # a helper must not hold the team, which would then never be freed
            threading.Thread(target=_help, args=(member, inbox, self._outbox), daemon=True).start()
            weakref.finalize(self, inbox.put, None)

    def start(self, work: Work) -> None:
        """Call ``work(1)`` to ``work(size - 1)`` in the helpers and ``work(0)`` here; return when that is through.

        The function must see to it that helpers change nothing any more by then: to wait until they also say so would
        take as long as some of the work. Call ``gather`` before the next start.
        """
        for inbox in self._inboxes:
            inbox.put(work)
            self._busy += 1
        work(0)

    def gather(self) -> None:
        """Wait until the helpers are through; raises what one raised."""
        errors = [self._outbox.get() for _ in range(self._busy)]
        self._busy = 0
        for error in errors:
            if error is not None:
                raise error


def _help(member: int, inbox: SimpleQueue[Work | None], outbox: SimpleQueue[BaseException | None]) -> None:
    while (work := inbox.get()) is not None:
        error: BaseException | None = None
        try:
            work(member)
        except BaseException as raised:
            error = raised
        del work  # it holds what it works on
        outbox.put(error)
