"""This will know which replicas answer, and give each request to the one that has least to do."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from random import Random
from uuid import UUID

from marketplace.domain.problem import Refused
from marketplace.endpoints.gateway.looks import Looks
from marketplace.endpoints.gateway.machines import Broken, Crowded, Machines, Stream, Unreachable
from marketplace.endpoints.gateway.routes import Route, Target
from marketplace.endpoints.gateway.standing import Standing
from marketplace.endpoints.gateway.under_way import UnderWay
from marketplace.placements.actions.note_looks import Look

#: what does not change is told to the marketplace so often
TELL_S = 60.0
#: the first replica, and another one where that could not be reached
TRIES_MAX = 2


class NoReplica(Refused):
    """No replica answers now."""

    code = "no_replica"
    status = 503
    sentence = "No replica of this endpoint answers now; try again in a moment."
    retry_after_s = 2


class Pool:
    """All replicas of all endpoints. It belongs to one event loop."""

    def __init__(
        self, machines: Machines, *, chance: Random, clock: Callable[[], datetime]
    ) -> None:
        self._machines = machines
        self._looks = Looks(machines, chance=chance, clock=clock)
        self._under_way = UnderWay()
        self._chance = chance
        self._routes: Mapping[UUID, Route] = {}
        self._standings: dict[UUID, Standing] = {}

    def follow(self, routes: Mapping[UUID, Route]) -> None:
        """Take over what there is now."""
        self._routes = routes
        self._standings = {
            target.placement_id: self._standing(target, route.renter_id)
            for route in routes.values()
            for target in route.targets
        }
        self._machines.keep({one.target.machine for one in self._standings.values()})

    def _standing(self, target: Target, renter_id: int) -> Standing:
        known = self._standings.get(target.placement_id)
        # It answered before we were here, or to another gateway: that it does not now is news.
        told = True if target.answered else None
        if known is None:
            return Standing(target, renter_id, told=told)
        if known.told is None:
            known.told = told
        if known.target != target:
            # Its machine is at another address: what is under way to the former one, looks too,
            # says nothing about this one.
            return Standing(target, renter_id, told=known.told, told_at=known.told_at)
        return known

    def route(self, endpoint_id: UUID) -> Route | None:
        """Return the endpoint; None: there is none."""
        return self._routes.get(endpoint_id)

    @asynccontextmanager
    async def stream(self, route: Route) -> AsyncIterator[Stream]:
        """Yield a stream to the replica that has least to do; it is closed behind.

        A replica that takes no stream is left out until it does. Then another one is tried once,
        as not a byte was sent.

        :raises Refused: when too many requests are under way.
        :raises NoReplica: when none answers.
        """
        with self._under_way.one_more(route):
            for _ in range(TRIES_MAX):
                standing = self._choose(route)
                standing.outstanding += 1
                try:
                    stream = await self._open(standing)
                    if stream is None:
                        continue
                    try:
                        yield stream
                    except Broken:
                        standing.broke(asyncio.get_running_loop().time())
                        raise
                    finally:
                        stream.close()
                    standing.answered()
                    return
                finally:
                    standing.outstanding -= 1
            raise NoReplica

    def look(self) -> None:
        """Begin to look at the replicas that are due."""
        self._looks.begin(self._standings.values())

    def news(self) -> Sequence[Look]:
        """Return the looks that the marketplace does not know."""
        at = asyncio.get_running_loop().time()
        return [
            Look(one.target.placement_id, at=one.looked_at, answered=one.ready)
            for one in self._standings.values()
            if one.looked_at is not None and _is_news(one, at)
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

    def _choose(self, route: Route) -> Standing:
        known = (self._standings.get(target.placement_id) for target in route.targets)
        ready = [one for one in known if one is not None and one.ready]
        if not ready:
            raise NoReplica
        at = asyncio.get_running_loop().time()
        least = min(one.load(at) for one in ready)
        return self._chance.choice([one for one in ready if one.load(at) == least])

    async def _open(self, standing: Standing) -> Stream | None:
        loop = asyncio.get_running_loop()
        try:
            return await self._machines.open(standing.target)
        except Crowded:
            standing.was_crowded(loop.time())
        except Unreachable as error:
            self._looks.miss(standing, error)
            standing.look_at = min(standing.look_at, loop.time())
        return None


def _is_news(standing: Standing, at: float) -> bool:
    if standing.told is None:
        # One that never answered is not missed yet.
        return standing.ready
    return standing.told is not standing.ready or at - standing.told_at >= TELL_S
