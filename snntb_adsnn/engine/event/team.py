# Array types are numba's to infer.
# mypy: disable-error-code="untyped-decorator"
"""Threads that work together on one image: nothing else in the engine knows how they share tasks, wait and are woken.

A thread pool would take a tenth of a millisecond to start and end them. So helpers wait in between, first awake (they
*linger* in the kernel), then asleep.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from snntb_adsnn.engine.compiled import compiled, part
from snntb_adsnn.engine.event.arrays import aligned
from snntb_adsnn.engine.event.words import add_one, address, read, sleep, swap

Work = Callable[[int], None]

PATIENCE = 200_000  # looks at what others do (some 80 us) before the processor is left to others
NAP = 20  # us
LINGER = 1_000_000  # looks for the next image (some 400 us) before a helper leaves: to wake it again takes 50 us
ABSENT, PRESENT, LEFT, LINGERING = 0, 1, 2, 3
PRESENCE = 8  # words from one member's to the next one's, which lies in another cache line


class Share(NamedTuple):
    """What a member of a team needs to know, as int64.

    Attributes:
        member, team: number of this member, and of all.
        taken: address of how many tasks are taken of each layer and member's share, over all rounds.
        finished: address of how many tasks are finished. Nobody waits for a member that has not taken a task.
        presence: address of ``PRESENCE`` words for each member: what member 0 must know to return as soon as nobody
            works any more. Who comes later turns back; the others linger for a while (see ``stay``).
    """

    member: int
    team: int
    taken: int
    finished: int
    presence: int


class Team:
    """Runs a function once for each member, in the caller's thread and in helpers that wait in between.

    Args:
        size: number of members, the caller included.
        layers: number of layers, whose tasks the members share.
    """

    def __init__(self, size: int, layers: int = 0) -> None:
        self.size = size
        self.taken, self.finished = aligned(layers * size, np.int64), aligned(8, np.int64)
        self.presence = aligned(PRESENCE * size, np.int64)
        self._latest: Any = None
        self._inboxes: list[SimpleQueue[Work | None]] = [SimpleQueue() for _ in range(size - 1)]
        self._outbox: SimpleQueue[BaseException | None] = SimpleQueue()
        self._busy = 0
        for member, inbox in enumerate(self._inboxes, 1):
            # a helper must not hold the team, which would then never be freed
            threading.Thread(target=_help, args=(member, inbox, self._outbox), daemon=True).start()
            weakref.finalize(self, inbox.put, None)

    def share(self, member: int) -> NDArray[np.int64]:
        """``Share`` of a member."""
        places = (array.ctypes.data for array in (self.taken, self.finished, self.presence))
        return np.array(Share(member, self.size, *places), np.int64)

    def run(self, work: Work, job: object) -> None:
        """Let every member do its part of a kernel that begins with ``arrive`` and ends with ``stay``.

        ``job``: what the kernel is called with. Helpers that linger with an equal one do it again, without a call.
        """
        self.taken[:] = self.finished[:] = 0
        if recall(self.presence, job == self._latest):
            work(0)
            return
        self.gather()
        self.presence[:], self._latest = 0, job
        self.start(work)

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


# ---- in the kernel ---------------------------------------------------------------------------------------------------


@part
def take(share: Any, layer: int, tasks: int, round: int) -> int:
    """A task of a layer that nobody has taken in this round; ``tasks`` if there is none.

    Each member has a share of its own, the same in every round, so that states stay in its core's cache; it helps the
    others when it is through.
    """
    for k in range(share.team):
        owner = (share.member + k) % share.team
        first, end = tasks * owner // share.team, tasks * (owner + 1) // share.team
        counter = share.taken + (layer * share.team + owner) * 8
        while True:
            number = read(counter)
            if number >= (round + 1) * (end - first):
                break
            if swap(counter, number, number + 1):
                return first + number - round * (end - first)
    return tasks


@part
def finish(share: Any) -> None:
    """Say that a task is finished."""
    add_one(share.finished)


@part
def wait(share: Any, tasks: int) -> None:
    """Wait until so many tasks are finished."""
    _wait(share.finished, tasks)


@part
def _wait(counter: int, value: int) -> None:
    """Wait until a counter that others change has reached a value."""
    attempts = 0
    while read(counter) < value:
        attempts += 1
        if attempts > PATIENCE:
            sleep(NAP)


@part
def arrive(share: Any) -> bool:
    """Whether the member may take part: whoever comes when member 0 has returned may not."""
    here = share.presence + share.member * PRESENCE * 8
    return share.member == 0 or swap(here, ABSENT, PRESENT)


@part
def stay(share: Any) -> bool:
    """When all tasks are finished: member 0 waits until nobody works any more; another lingers, and is to go on with
    the next image if it is recalled."""
    if share.member == 0:
        for other in range(1, share.team):
            if not swap(share.presence + other * PRESENCE * 8, ABSENT, LEFT):
                _wait(share.presence + other * PRESENCE * 8, LEFT)
        return False
    here = share.presence + share.member * PRESENCE * 8
    swap(here, PRESENT, LINGERING)
    for _ in range(LINGER):
        if read(here) != LINGERING:
            break
    return not (read(here) == LEFT or swap(here, LINGERING, LEFT))


@compiled
def recall(presence: Any, again: bool) -> bool:
    """Call the members who linger to the kernel with what they have, a new image in the same arrays; but if some are
    not there any more, or not ``again``, let all leave. Returns whether they were called."""
    for member in range(1, len(presence) // PRESENCE):
        again &= read(address(presence) + member * PRESENCE * 8) == LINGERING
    for member in range(1, len(presence) // PRESENCE):
        swap(address(presence) + member * PRESENCE * 8, LINGERING, PRESENT if again else LEFT)
    return again
