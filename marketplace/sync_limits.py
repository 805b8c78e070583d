"""This will bound what one machine, or one sender of large bodies, takes of a server process."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from uuid import UUID

from marketplace.domain.problem import Refused

#: syncs at once, and a second after that: an agent sends one with every change
SYNCS_AT_ONCE, SYNCS_A_SECOND = 60, 5
#: machines remembered before those that have waited long enough are forgotten
MACHINES_MAX = 10_000
#: large bodies that are read at the same time: of one sender, and of all
LARGE_A_SENDER_MAX, LARGE_MAX = 2, 64


class TooManySyncs(Refused):
    code = "rate_limited"
    status = 429
    sentence = "This machine sends more than it may; the next sync has to wait."
    retry_after_s = 1


class TooManyLargeBodies(Refused):
    code = "rate_limited"
    status = 429
    sentence = "As many large requests as may be are being read just now; send this one again."
    retry_after_s = 1


class SyncRate:
    """A bucket for each machine, in this process alone."""

    def __init__(self) -> None:
        #: by machine: the syncs it may send now, and when that was so
        self._left: dict[UUID, tuple[float, datetime]] = {}

    def take(self, machine_id: UUID, now: datetime) -> None:
        """Count one sync, whose signature was checked.

        :raises TooManySyncs: when the machine has to wait first.
        """
        left = self._now(machine_id, now)
        if left < 1:
            raise TooManySyncs
        if len(self._left) >= MACHINES_MAX:
            waiting = [one for one in self._left if self._now(one, now) < SYNCS_AT_ONCE]
            self._left = {one: self._left[one] for one in waiting}
        self._left[machine_id] = left - 1, now

    def _now(self, machine_id: UUID, now: datetime) -> float:
        left, since = self._left.get(machine_id, (SYNCS_AT_ONCE, now))
        return min(SYNCS_AT_ONCE, left + max(0.0, (now - since).total_seconds()) * SYNCS_A_SECOND)


class LargeBodies:
    """Who is sending a large body just now: until it is whole, nobody knows whether it is good."""

    def __init__(self) -> None:
        self._reading: Counter[str] = Counter()

    @contextmanager
    def reading(self, sender: str) -> Iterator[None]:
        """Count a large body while it is read.

        :raises TooManyLargeBodies: when as many are being read as may be.
        """
        if self._reading[sender] >= LARGE_A_SENDER_MAX or self._reading.total() >= LARGE_MAX:
            raise TooManyLargeBodies
        self._reading[sender] += 1
        try:
            yield
        finally:
            self._reading[sender] -= 1
            self._reading += Counter()
