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
        for member, inbox in enumerate(self._inboxes, 1):
            # a helper must not hold the team, which would then never be freed
            threading.Thread(target=_help, args=(member, inbox, self._outbox), daemon=True).start()
            weakref.finalize(self, inbox.put, None)

    def run(self, work: Work) -> None:
        """Call ``work(0)`` here and ``work(1)`` to ``work(size - 1)`` in the helpers; raises what one raised."""
        for inbox in self._inboxes:
            inbox.put(work)
        work(0)
        for error in [self._outbox.get() for _ in self._inboxes]:
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
