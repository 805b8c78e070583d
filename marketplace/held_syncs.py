"""This will wake the agents' held-open calls as soon as something is desired of their machine."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from uuid import UUID

#: of one machine: the newest two, as the older may be a connection that is gone and does not know
HELD_A_MACHINE_MAX = 2
#: how soon a change made by any process is seen
LOOK_EVERY_S = 0.1
Revisions = Callable[[list[UUID]], Awaitable[Mapping[UUID, int]]]


class HeldSyncs:
    """One query each LOOK_EVERY_S for all the calls that this process holds."""

    def __init__(self, revisions: Revisions) -> None:
        self._revisions = revisions
        self._waiting: dict[UUID, list[tuple[int, asyncio.Event]]] = {}
        self._watcher: asyncio.Task[None] | None = None

    async def wait(self, machine_id: UUID, *, above: int, at_most_s: float) -> None:
        """Return when the machine's revision is higher, when the time is over, or when newer calls
        of the same machine took the place."""
        event = asyncio.Event()
        entry = (above, event)
        entries = self._waiting.setdefault(machine_id, [])
        entries.append(entry)
        while len(entries) > HELD_A_MACHINE_MAX:
            entries.pop(0)[1].set()
        if self._watcher is None or self._watcher.done():
            self._watcher = asyncio.create_task(self._watch())
        try:
            await asyncio.wait_for(event.wait(), at_most_s)
        except TimeoutError:
            return
        finally:
            if entry in entries:
                entries.remove(entry)
            if not entries:
                self._waiting.pop(machine_id, None)

    async def _watch(self) -> None:
        while self._waiting:
            newest = await self._revisions(list(self._waiting))
            for machine_id, entries in self._waiting.items():
                for above, event in entries:
                    if newest.get(machine_id, 0) > above:
                        event.set()
            await asyncio.sleep(LOOK_EVERY_S)
