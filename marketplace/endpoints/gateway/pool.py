"""This will know which replicas answer, and give each request to the one that has least to do."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from random import Random
from uuid import UUID

from marketplace.domain.problem import Refused
from marketplace.endpoints.gateway.machines import Machines, Stream, Unreachable
from marketplace.endpoints.gateway.routes import Route, Target
from marketplace.placements.actions.note_looks import Look

logger = logging.getLogger(__name__)
#: a replica is looked at so often, give or take a fifth, so that no program can tell when; one
#: that does not answer more often
LOOK_S, UNREADY_LOOK_S = 5.0, 1.0
#: what does not change is told to the marketplace so often
TELL_S = 60.0
LOOKS_AT_ONCE = 64
#: requests under way for one endpoint, here
OUTSTANDING_MAX = 256
#: the first replica, and another one where that could not be reached
TRIES_MAX = 2


class NoReplica(Refused):
    """No replica answers now."""

    code = "no_replica"
    status = 503
    sentence = "No replica of this endpoint answers now; try again in a moment."
    retry_after_s = 2


class EndpointBusy(Refused):
    """Too many requests are under way."""

    code = "endpoint_busy"
    status = 429
    sentence = "Too many requests to this endpoint are under way; try again in a moment."
    retry_after_s = 1


@dataclass(slots=True)
class _Standing:
    """What is known of one replica here."""

    target: Target
    #: it took a stream at the newest look
    ready: bool = False
    outstanding: int = 0
    #: rises with each request given to any: of equals the one that waited longest is next
    turn: int = 0
    #: when it is looked at again, on the loop's clock
    look_at: float = 0.0
    #: None: it was not yet
    looked_at: datetime | None = None
    #: what the marketplace was told last; None: nothing
    told: bool | None = None
    told_at: float = 0.0


class Pool:
    """All replicas of all endpoints. It belongs to one event loop."""

    def __init__(
        self, machines: Machines, *, chance: Random, clock: Callable[[], datetime]
    ) -> None:
        self._machines = machines
        self._clock = clock
        self._looks: set[asyncio.Task[None]] = set()
        self._chance = chance
        self._routes: Mapping[UUID, Route] = {}
        self._standings: dict[UUID, _Standing] = {}
        self._turn = 0

    def follow(self, routes: Mapping[UUID, Route]) -> None:
        """Take over what there is now."""
        targets = {one.placement_id: one for route in routes.values() for one in route.targets}
        self._routes = routes
        self._standings = {
            placement_id: self._standings.get(placement_id) or _Standing(target)
            for placement_id, target in targets.items()
        }
        self._machines.keep({target.machine for target in targets.values()})

    def route(self, endpoint_id: UUID) -> Route | None:
        """Return the endpoint; None: there is none."""
        return self._routes.get(endpoint_id)

    @asynccontextmanager
    async def stream(self, route: Route) -> AsyncIterator[Stream]:
        """Yield a stream to the replica that has least to do; it is closed behind.

        A replica that takes no stream is left out until it does. Then another one is tried once,
        as not a byte was sent.

        :raises EndpointBusy: when too many requests are under way.
        :raises NoReplica: when none answers.
        """
        if sum(one.outstanding for one in self._of(route)) >= OUTSTANDING_MAX:
            raise EndpointBusy
        for _ in range(TRIES_MAX):
            standing = self._choose(route)
            standing.outstanding += 1
            try:
                try:
                    stream = await self._machines.open(standing.target)
                except Unreachable as error:
                    self._miss(standing, error)
                    standing.look_at = min(standing.look_at, asyncio.get_running_loop().time())
                    continue
                try:
                    yield stream
                finally:
                    stream.close()
                return
            finally:
                standing.outstanding -= 1
        raise NoReplica

    def look(self) -> None:
        """Begin to look at the replicas that are due; one that hangs keeps no other waiting."""
        at = asyncio.get_running_loop().time()
        due = [one for one in self._standings.values() if one.look_at <= at]
        for standing in due[: max(0, LOOKS_AT_ONCE - len(self._looks))]:
            # Not due again before this look is over.
            standing.look_at = float("inf")
            look = asyncio.create_task(self._look(standing))
            self._looks.add(look)
            look.add_done_callback(self._looks.discard)

    def news(self) -> Sequence[Look]:
        """Return the looks that the marketplace does not know."""
        at = asyncio.get_running_loop().time()
        return [
            Look(one.target.placement_id, at=one.looked_at, answered=one.ready)
            for one in self._standings.values()
            if one.looked_at is not None and self._is_news(one, at)
        ]

    def was_told(self, looks: Sequence[Look]) -> None:
        """Take down that the marketplace knows."""
        for look in looks:
            standing = self._standings.get(look.placement_id)
            if standing is not None:
                standing.told = look.answered
                standing.told_at = asyncio.get_running_loop().time()

    @property
    def is_blind(self) -> bool:
        """Whether nothing answers on any of several machines, so that it may be our own fault."""
        machines = {one.target.machine for one in self._standings.values()}
        return len(machines) > 1 and not any(one.ready for one in self._standings.values())

    def _of(self, route: Route) -> list[_Standing]:
        found = (self._standings.get(target.placement_id) for target in route.targets)
        return [one for one in found if one is not None]

    def _choose(self, route: Route) -> _Standing:
        ready = [one for one in self._of(route) if one.ready]
        if not ready:
            raise NoReplica
        chosen = min(ready, key=lambda one: (one.outstanding, one.turn))
        self._turn += 1
        chosen.turn = self._turn
        return chosen

    async def _look(self, standing: _Standing) -> None:
        try:
            (await self._machines.open(standing.target)).close()
        except Unreachable as error:
            self._miss(standing, error)
            seconds = UNREADY_LOOK_S
        else:
            standing.ready, standing.looked_at = True, self._clock()
            seconds = LOOK_S
        jitter = 0.8 + 0.4 * self._chance.random()
        standing.look_at = asyncio.get_running_loop().time() + seconds * jitter

    def _miss(self, standing: _Standing, error: Unreachable) -> None:
        if standing.ready:
            logger.info(
                "Replica does not answer",
                extra={"placement_id": standing.target.placement_id, "problem": str(error)},
            )
        standing.ready = False
        standing.looked_at = self._clock()

    def _is_news(self, standing: _Standing, at: float) -> bool:
        if standing.told is None:
            # One that never answered is not missed yet.
            return standing.ready
        return standing.told is not standing.ready or at - standing.told_at >= TELL_S
