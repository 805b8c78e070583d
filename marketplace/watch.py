"""This will wake whoever waits for a row to change, with one look at the database per tick."""

import asyncio
import logging
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping
from contextlib import contextmanager
from typing import Generic, ParamSpec, TypeVar

from asgiref.sync import sync_to_async
from django.db import close_old_connections

logger = logging.getLogger(__name__)
#: after a failed look, as nothing is won by asking a lost database ten times a second
FAILED_PAUSE_S = 0.5
#: when no look succeeded for so long, everything is looked at anew
GAP_S_MAX = 2.0

P = ParamSpec("P")
R = TypeVar("R")
Key = TypeVar("Key", bound=Hashable)
#: (all keys waited for, those that were never looked at) -> the state of what may have changed
Look = Callable[[Collection[Key], Collection[Key]], Mapping[Key, R]]


class Watch(Generic[Key, R]):
    """Knows who waits for which key. It belongs to one event loop."""

    def __init__(self, look: Look[Key, R], *, tick_s: float) -> None:
        self._look = look
        self._tick_s = tick_s
        self._waiting: dict[Key, set[asyncio.Event]] = {}
        self._seen: dict[Key, R] = {}
        self._new: set[Key] = set()
        self._task: asyncio.Task[None] | None = None

    @contextmanager
    def watching(self, key: Key) -> Iterator[asyncio.Event]:
        """Yield an event that is set when the key is first seen and each time that it changed."""
        changed = asyncio.Event()
        if key not in self._waiting:
            self._new.add(key)
        self._waiting.setdefault(key, set()).add(changed)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())
        try:
            yield changed
        finally:
            self._waiting[key].discard(changed)
            if not self._waiting[key]:
                del self._waiting[key]
                self._new.discard(key)
                self._seen.pop(key, None)

    def seen(self, key: Key) -> R | None:
        """Return the key's state at the newest look; None: there was none yet."""
        return self._seen.get(key)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        looked_at = loop.time()
        while self._waiting:
            await asyncio.sleep(self._tick_s)
            now = loop.time()
            if now - looked_at > GAP_S_MAX:
                self._new = set(self._waiting)
            new = tuple(self._new)
            try:
                found = await in_thread(self._look)(tuple(self._waiting), new)
            except Exception:
                # A lost database or a bug must not leave those who wait to wait for ever.
                logger.exception("Could not look at what is waited for")
                await asyncio.sleep(FAILED_PAUSE_S)
                continue
            looked_at = now
            self._new.difference_update(new)
            for key, state in found.items():
                if key in self._waiting and self._seen.get(key) != state:
                    self._seen[key] = state
                    for changed in self._waiting[key]:
                        changed.set()


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
