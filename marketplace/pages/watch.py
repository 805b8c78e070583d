"""This will wake the streams of rentals that changed, with one look at all of them per tick."""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import ParamSpec, TypeVar
from uuid import UUID
from weakref import WeakKeyDictionary

from asgiref.sync import sync_to_async
from django.db import DatabaseError, InterfaceError, close_old_connections

from marketplace.pages import queries

logger = logging.getLogger(__name__)
TICK_S = 0.5
#: streams that one process holds, and of them one person's; browsers beyond them poll
STREAMS_MAX = 5000
STREAMS_A_PERSON_MAX = 20

P = ParamSpec("P")
R = TypeVar("R")
Read = Callable[[Sequence[UUID]], Mapping[UUID, Hashable]]


class Watch:
    """Knows who waits for which rental. It belongs to one event loop."""

    def __init__(self, read: Read = queries.fingerprints) -> None:
        self._read = read
        self._waiting: dict[UUID, set[asyncio.Event]] = {}
        self._seen: dict[UUID, Hashable] = {}
        self._streams: Counter[int] = Counter()
        self._task: asyncio.Task[None] | None = None

    def full(self, user_id: int) -> bool:
        """Say whether no further stream of this person may wait here."""
        return (
            self._streams[user_id] >= STREAMS_A_PERSON_MAX or self._streams.total() >= STREAMS_MAX
        )

    @contextmanager
    def watching(self, rental_id: UUID, user_id: int) -> Iterator[asyncio.Event]:
        """Yield an event that is set each time the rental may have changed."""
        changed = asyncio.Event()
        self._streams[user_id] += 1
        self._waiting.setdefault(rental_id, set()).add(changed)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())
        try:
            yield changed
        finally:
            self._streams[user_id] -= 1
            if not self._streams[user_id]:
                del self._streams[user_id]
            self._waiting[rental_id].discard(changed)
            if not self._waiting[rental_id]:
                del self._waiting[rental_id]
                self._seen.pop(rental_id, None)

    async def _run(self) -> None:
        while self._waiting:
            await asyncio.sleep(TICK_S)
            try:
                found = await in_thread(self._read)(tuple(self._waiting))
            except (DatabaseError, InterfaceError):
                # The next tick looks again; a stream must not die with one lost connection.
                logger.warning("Could not look at the watched rentals", exc_info=True)
                continue
            for rental_id, fingerprint in found.items():
                if self._seen.get(rental_id) != fingerprint:
                    self._wake(rental_id, fingerprint)

    def _wake(self, rental_id: UUID, fingerprint: Hashable) -> None:
        waiting = self._waiting.get(rental_id, ())
        if waiting:
            self._seen[rental_id] = fingerprint
        for changed in waiting:
            changed.set()


_watches: WeakKeyDictionary[asyncio.AbstractEventLoop, Watch] = WeakKeyDictionary()


def of_this_process() -> Watch:
    """Return the watch of the running event loop."""
    return _watches.setdefault(asyncio.get_running_loop(), Watch())


def in_thread(call: Callable[P, R]) -> Callable[P, "asyncio.Future[R]"]:
    """Return ``call`` for asynchronous code, run on the loop's few shared threads.

    Not on the thread that Django gives to each request: a stream would hold that thread, and its
    database connection, for as long as it lasts.
    """

    def closing(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return call(*args, **kwargs)
        finally:
            close_old_connections()

    return sync_to_async(closing, thread_sensitive=False)  # type: ignore[return-value]
