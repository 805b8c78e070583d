"""This will hold the pages that wait for their rentals to change, and look for all of them."""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from uuid import UUID
from weakref import WeakKeyDictionary

from django.utils import timezone

from marketplace.accounts.log_ins import Visitor, still
from marketplace.domain.scope import Scope
from marketplace.live import queries, readings
from marketplace.live.queries import UNSEEN, Seen
from marketplace.live.readings import Measured
from marketplace.watch import in_thread

logger = logging.getLogger(__name__)
#: of whoever opens a page, and as long as they keep it open
ASKED = Scope.RENTALS_READ
#: how soon it is seen that anything was written, by any process
TICK_S = 0.03
#: Then the rentals are looked at, and not again for so long: the database takes 10 µs for each, so
#: looks of one process take a fifth of a core where something is written all the time.
REST_S_MIN, REST_A_RENTAL_S = 0.1, 0.000_05
#: how often new readings are looked for; a machine tells one each ten seconds
READINGS_EVERY_S = 2.0
#: a comment this often keeps proxies from closing a quiet stream; so many are sent before others'
#: requests have their turn
HEARTBEAT_S, BEATS_AT_ONCE = 15, 100
#: whoever logged out, was let go or shut out is cut off so soon
LOG_INS_EVERY_S = 5.0
#: (moment of the newest look, known versions) -> the rentals that have another one, and its moment
Look = Callable[[str | None, Mapping[UUID, str]], tuple[Mapping[UUID, Seen], str | None]]
#: after a failed look, as nothing is won by asking a lost database ten times a second
FAILED_PAUSE_S = 0.5
#: streams that one process holds, and of them one person's; browsers beyond them poll
STREAMS_MAX = 5000
STREAMS_A_PERSON_MAX = 20


class Stream:
    """One open page."""

    __slots__ = ("cut", "rental_id", "visitor", "woken")

    def __init__(self, rental_id: UUID, visitor: Visitor) -> None:
        self.rental_id = rental_id
        self.visitor = visitor
        self.woken = asyncio.Event()
        #: its browser left, or whoever opened it may not see the rental any more
        self.cut = False

    def end(self) -> None:
        """Let it end."""
        self.cut = True
        self.woken.set()


class Audience:
    """The open pages of one process. It belongs to one event loop."""

    def __init__(self, look: Look = queries.changed_since) -> None:
        self._look = look
        self._streams: dict[UUID, set[Stream]] = {}
        self._versions: dict[UUID, str] = {}
        self._seen: dict[UUID, Seen] = {}
        self._measured: dict[UUID, Measured] = {}
        self._people: Counter[int] = Counter()
        self._tasks: tuple[asyncio.Task[None], ...] = ()
        #: pages that the newest change woke
        self.woken = 0

    def is_full(self, person_id: int) -> bool:
        """Say whether no further page of this person may wait here."""
        return (
            self._people[person_id] >= STREAMS_A_PERSON_MAX or self._people.total() >= STREAMS_MAX
        )

    @contextmanager
    def waiting(self, rental_id: UUID, visitor: Visitor) -> Iterator[Stream]:
        """Yield a stream that is woken each time that the rental may have changed."""
        stream = Stream(rental_id, visitor)
        self._people[visitor.person_id] += 1
        self._streams.setdefault(rental_id, set()).add(stream)
        self._versions.setdefault(rental_id, UNSEEN)
        if not self._tasks:
            loops = (
                *(self._look_at_rentals(), self._look_at_readings()),
                *(self._look_at_log_ins(), self._beat()),
            )
            self._tasks = tuple(asyncio.create_task(each) for each in loops)
        try:
            yield stream
        finally:
            self._leave(stream)

    def seen(self, rental_id: UUID) -> Seen | None:
        """Return the rental at the newest look; None: there was none yet."""
        return self._seen.get(rental_id)

    def measured(self, rental_id: UUID) -> Measured | None:
        """Return what the rental used when it was last measured; None: it was not, since long."""
        return self._measured.get(rental_id)

    def _leave(self, stream: Stream) -> None:
        self._people[stream.visitor.person_id] -= 1
        if not self._people[stream.visitor.person_id]:
            del self._people[stream.visitor.person_id]
        others = self._streams[stream.rental_id]
        others.discard(stream)
        if not others:
            del self._streams[stream.rental_id]
            del self._versions[stream.rental_id]
            self._seen.pop(stream.rental_id, None)
            self._measured.pop(stream.rental_id, None)
        if not self._streams:
            for task in self._tasks:
                task.cancel()
            self._tasks = ()

    async def _look_at_rentals(self) -> None:
        pause_s, moment = TICK_S, None
        while True:
            await asyncio.sleep(pause_s)
            try:
                found, newest = await in_thread(self._look)(moment, dict(self._versions))
            except Exception:
                # A lost database or a bug must not leave those who wait to wait for ever.
                logger.exception("Could not look at rentals on open pages")
                pause_s = FAILED_PAUSE_S
                continue
            rested = newest is not None and newest == moment
            rest_s = max(REST_S_MIN, REST_A_RENTAL_S * len(self._versions))
            pause_s, moment = TICK_S if rested else rest_s, newest
            self._tell(found)

    def _tell(self, found: Mapping[UUID, Seen]) -> None:
        told = {
            rental_id: seen
            for rental_id, seen in found.items()
            # All of its pages may have been closed meanwhile.
            if rental_id in self._streams
        }
        if told:
            self.woken = sum(len(self._streams[rental_id]) for rental_id in told)
        for rental_id, seen in told.items():
            self._versions[rental_id], self._seen[rental_id] = seen.version, seen
            for stream in self._streams[rental_id]:
                stream.woken.set()

    async def _look_at_readings(self) -> None:
        while True:
            known = {rental_id: self._measured.get(rental_id) for rental_id in self._streams}
            try:
                found = await in_thread(readings.newer)(known, now=timezone.now())
            except Exception:
                logger.exception("Could not look at what rentals on open pages use")
                found = {}
            for rental_id, measured in found.items():
                if rental_id in self._streams:
                    self._measured[rental_id] = measured
                    for stream in self._streams[rental_id]:
                        stream.woken.set()
            await asyncio.sleep(READINGS_EVERY_S)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT_S)
            streams = [stream for some in self._streams.values() for stream in some]
            for number, stream in enumerate(streams):
                stream.woken.set()
                if number % BEATS_AT_ONCE == 0:
                    await asyncio.sleep(0)

    async def _look_at_log_ins(self) -> None:
        while True:
            await asyncio.sleep(LOG_INS_EVERY_S)
            streams = [stream for some in self._streams.values() for stream in some]
            try:
                allowed = await in_thread(still)({stream.visitor for stream in streams}, ASKED)
            except Exception:
                logger.exception("Could not look at who has pages open")
                continue
            for stream in streams:
                if stream.visitor not in allowed:
                    stream.end()


_audiences: WeakKeyDictionary[asyncio.AbstractEventLoop, Audience] = WeakKeyDictionary()


def of_this_process() -> Audience:
    """Return the audience of the running event loop."""
    return _audiences.setdefault(asyncio.get_running_loop(), Audience())
