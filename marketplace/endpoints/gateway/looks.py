"""This will look at replicas, again and again, so that none that hangs keeps others waiting."""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import datetime
from functools import partial
from random import Random

from marketplace.endpoints.gateway.machines import Crowded, Machines, Unreachable
from marketplace.endpoints.gateway.standing import Standing

logger = logging.getLogger(__name__)
#: a replica is looked at so often, give or take a fifth, so that no program can tell when; one
#: that does not answer more often at first, and after many misses as often
LOOK_S, UNREADY_LOOK_S, MISSES_TO_SLOW = 5.0, 1.0, 60
#: a look that took long is followed by a pause so many times as long
REST = 4.0
#: looks at once, and of these at one renter's replicas, and at one machine's
LOOKS_MAX, LOOKS_EACH = 256, 16


class Looks:
    """The looks under way. They belong to one event loop."""

    def __init__(
        self, machines: Machines, *, chance: Random, clock: Callable[[], datetime]
    ) -> None:
        self._machines = machines
        self._chance = chance
        self._clock = clock
        self._under_way: dict[Standing, asyncio.Task[None]] = {}

    def begin(self, standings: Iterable[Standing]) -> None:
        """Begin to look at those that are due, the one that waits longest first."""
        at = asyncio.get_running_loop().time()
        due = [one for one in standings if one.look_at <= at and one not in self._under_way]
        held = Counter(one for standing in self._under_way for one in _whose(standing))
        for standing in sorted(due, key=lambda one: one.look_at):
            if len(self._under_way) >= LOOKS_MAX:
                return
            whose = _whose(standing)
            if all(held[one] < LOOKS_EACH for one in whose):
                held.update(whose)
                look = asyncio.create_task(self._look(standing))
                self._under_way[standing] = look
                look.add_done_callback(partial(self._end, standing))

    def miss(self, standing: Standing, error: Exception) -> None:
        """Take down that it took no stream."""
        if standing.ready:
            logger.info(
                "Replica does not answer",
                extra={"placement_id": standing.target.placement_id, "problem": str(error)},
            )
        standing.missed(self._clock())

    def _end(self, standing: Standing, look: "asyncio.Task[None]") -> None:
        del self._under_way[standing]

    async def _look(self, standing: Standing) -> None:
        loop = asyncio.get_running_loop()
        began, seconds = loop.time(), LOOK_S
        try:
            (await self._machines.open(standing.target)).close()
        except Crowded:
            standing.was_crowded(loop.time())
        except Exception as error:
            if not isinstance(error, Unreachable):
                # Whatever a machine makes of our side of SSH, its replica took no stream.
                logger.exception(
                    "A look failed", extra={"placement_id": standing.target.placement_id}
                )
            self.miss(standing, error)
            slow = min(1.0, standing.misses / MISSES_TO_SLOW)
            seconds = UNREADY_LOOK_S + slow * (LOOK_S - UNREADY_LOOK_S)
        else:
            standing.took_stream(self._clock())
        ended = loop.time()
        jitter = 0.8 + 0.4 * self._chance.random()
        standing.look_at = ended + max(seconds, REST * (ended - began)) * jitter


def _whose(standing: Standing) -> tuple[object, object]:
    return standing.renter_id, standing.target.machine
