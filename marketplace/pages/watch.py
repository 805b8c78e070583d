"""This will bound the streams of rentals that changed, by process and by person."""

import asyncio
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from uuid import UUID
from weakref import WeakKeyDictionary

from marketplace import watch
from marketplace.pages import queries
from marketplace.watch import in_thread as in_thread

TICK_S = 0.5
#: streams that one process holds, and of them one person's; browsers beyond them poll
STREAMS_MAX = 5000
STREAMS_A_PERSON_MAX = 20

Read = Callable[[Sequence[UUID]], Mapping[UUID, Hashable]]


class Watch:
    """Knows who waits for which rental. It belongs to one event loop."""

    def __init__(self, read: Read = queries.fingerprints) -> None:
        self._watch = watch.Watch[UUID, Hashable](
            lambda rental_ids, new: read(tuple(rental_ids)), tick_s=TICK_S
        )
        self._streams: Counter[int] = Counter()

    def full(self, user_id: int) -> bool:
        """Say whether no further stream of this person may wait here."""
        return (
            self._streams[user_id] >= STREAMS_A_PERSON_MAX or self._streams.total() >= STREAMS_MAX
        )

    @contextmanager
    def watching(self, rental_id: UUID, user_id: int) -> Iterator[asyncio.Event]:
        """Yield an event that is set each time the rental may have changed."""
        self._streams[user_id] += 1
        try:
            with self._watch.watching(rental_id) as changed:
                yield changed
        finally:
            self._streams[user_id] -= 1
            if not self._streams[user_id]:
                del self._streams[user_id]


_watches: WeakKeyDictionary[asyncio.AbstractEventLoop, Watch] = WeakKeyDictionary()


def of_this_process() -> Watch:
    """Return the watch of the running event loop."""
    return _watches.setdefault(asyncio.get_running_loop(), Watch())
