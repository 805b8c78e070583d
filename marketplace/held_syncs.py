"""This will wake the agents' held-open calls as soon as something is desired of their machine."""

import asyncio
from dataclasses import dataclass
from uuid import UUID

from marketplace.watch import Look, Watch

#: of one machine: the newest two, as the older may be a connection that is gone and does not know
HELD_A_MACHINE_MAX = 2
#: how soon a change made by any process is seen
LOOK_EVERY_S = 0.1


@dataclass(eq=False, slots=True)
class _Call:
    changed: asyncio.Event
    #: newer calls took its place
    displaced: bool = False


class HeldSyncs:
    """One query each LOOK_EVERY_S for all the calls that this process holds."""

    def __init__(self, revisions: Look[UUID, int]) -> None:
        self._watch = Watch(revisions, tick_s=LOOK_EVERY_S)
        self._calls: dict[UUID, list[_Call]] = {}

    async def wait(self, machine_id: UUID, *, above: int, at_most_s: float) -> None:
        """Return when the machine's revision is higher, when the time is over, or when newer calls
        of the same machine took the place."""
        with self._watch.watching(machine_id) as changed:
            call = self._take_place(machine_id, changed)
            try:
                async with asyncio.timeout(at_most_s):
                    while not call.displaced and (self._watch.seen(machine_id) or 0) <= above:
                        changed.clear()
                        await changed.wait()
            except TimeoutError:
                return
            finally:
                self._leave_place(machine_id, call)

    def _take_place(self, machine_id: UUID, changed: asyncio.Event) -> _Call:
        call = _Call(changed)
        calls = self._calls.setdefault(machine_id, [])
        calls.append(call)
        while len(calls) > HELD_A_MACHINE_MAX:
            oldest = calls.pop(0)
            oldest.displaced = True
            oldest.changed.set()
        return call

    def _leave_place(self, machine_id: UUID, call: _Call) -> None:
        calls = self._calls.get(machine_id, [])
        if call in calls:
            calls.remove(call)
        if not calls:
            self._calls.pop(machine_id, None)
