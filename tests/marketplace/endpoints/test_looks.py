"""Looks at replicas while some of them keep whoever looks waiting."""

import asyncio
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from random import Random
from typing import cast
from uuid import UUID

import pytest

from marketplace.endpoints.gateway import looks
from marketplace.endpoints.gateway.looks import Looks
from marketplace.endpoints.gateway.machines import Machines, Stream, Unreachable
from marketplace.endpoints.gateway.pool import Pool
from marketplace.endpoints.gateway.routes import Machine, Route, Target
from marketplace.endpoints.gateway.standing import Standing

NOW = datetime(2026, 11, 21, tzinfo=UTC)
ALICE, BOB = 1, 2


@dataclass
class Hanging:
    """The way to machines where no stream opens before it is let go, and then none does."""

    error: Exception = field(default_factory=lambda: Unreachable("It did not answer in time."))
    let_go: asyncio.Event = field(default_factory=asyncio.Event)
    asked: list[int] = field(default_factory=list)

    async def open(self, target: Target) -> Stream:
        self.asked.append(target.placement_id.int)
        await self.let_go.wait()
        raise self.error

    def keep(self, machines: Collection[Machine]) -> None:
        """Close nothing."""


def standing(number: int, *, renter_id: int, machine: str, look_at: float = 0.0) -> Standing:
    target = Target(UUID(int=number), 8080, Machine(machine, "127.0.0.1", 22))
    return Standing(target, renter_id, look_at=look_at)


async def asked_at_once(standings: Iterable[Standing]) -> list[int]:
    way = Hanging()
    found = Looks(cast(Machines, way), chance=Random(1), clock=lambda: NOW)
    found.begin(standings)
    await asyncio.sleep(0)
    way.let_go.set()
    await asyncio.gather(*found._under_way.values())
    return way.asked


async def test_who_waits_longest_is_looked_at_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looks, "LOOKS_MAX", 1)
    later = standing(1, renter_id=ALICE, machine="a", look_at=-1)
    sooner = standing(2, renter_id=BOB, machine="b", look_at=-2)
    assert await asked_at_once([later, sooner]) == [2]


async def test_a_renters_replicas_that_hang_leave_room_for_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(looks, "LOOKS_EACH", 2)
    mute = [standing(n, renter_id=ALICE, machine=f"m{n}", look_at=-2) for n in range(4)]
    other = standing(9, renter_id=BOB, machine="m0", look_at=-1)
    assert await asked_at_once([*mute, other]) == [0, 1, 9]


async def test_a_machine_that_hangs_leaves_room_for_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(looks, "LOOKS_EACH", 2)
    mute = [standing(n, renter_id=n, machine="mute", look_at=-2) for n in range(4)]
    other = standing(9, renter_id=9, machine="other", look_at=-1)
    assert await asked_at_once([*mute, other]) == [0, 1, 9]


async def test_who_kept_a_look_waiting_waits_longer_for_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(looks, "UNREADY_LOOK_S", 0.001)
    loop, way = asyncio.get_running_loop(), Hanging()
    mute = standing(1, renter_id=ALICE, machine="a")
    found = Looks(cast(Machines, way), chance=Random(1), clock=lambda: NOW)
    found.begin([mute])
    began = loop.time()
    loop.call_later(0.05, way.let_go.set)
    await asyncio.gather(*found._under_way.values())
    # Give or take the jitter.
    assert mute.look_at - began > (1 + 0.8 * looks.REST) * 0.049


async def test_one_that_never_answers_is_looked_at_less_and_less() -> None:
    way = Hanging()
    way.let_go.set()
    shut = standing(1, renter_id=ALICE, machine="a")
    found = Looks(cast(Machines, way), chance=Random(1), clock=lambda: NOW)
    pauses = []
    for misses in (0, looks.MISSES_TO_SLOW):
        shut.misses, shut.look_at = misses, 0.0
        found.begin([shut])
        await asyncio.gather(*found._under_way.values())
        pauses.append(shut.look_at - asyncio.get_running_loop().time())
    assert pauses[0] < 1.2 * looks.UNREADY_LOOK_S
    assert pauses[1] > 0.75 * looks.LOOK_S


async def test_a_look_that_fails_in_another_way_is_a_miss_and_not_the_last_one() -> None:
    way = Hanging(error=ValueError("not a packet"))
    way.let_go.set()
    strange = standing(1, renter_id=ALICE, machine="a")
    strange.took_stream(NOW)
    found = Looks(cast(Machines, way), chance=Random(1), clock=lambda: NOW)
    found.begin([strange])
    await asyncio.gather(*found._under_way.values())
    assert (strange.ready, strange.misses) == (False, 1)
    # Later, but not never.
    assert 0 < strange.look_at - asyncio.get_running_loop().time() < 2 * looks.UNREADY_LOOK_S
    strange.look_at = 0.0
    found.begin([strange])
    await asyncio.gather(*found._under_way.values())
    assert len(way.asked) == 2


@pytest.mark.parametrize("before", [True, False], ids=["gateway_restarted", "eldest_changed"])
async def test_a_replica_that_answered_somebody_else_is_missed(before: bool) -> None:
    way = Hanging()
    way.let_go.set()
    pool = Pool(cast(Machines, way), chance=Random(1), clock=lambda: NOW)
    target = standing(1, renter_id=ALICE, machine="a").target
    for answered in (before, True):
        known = replace(target, answered=answered)
        pool.follow({UUID(int=9): Route(UUID(int=9), ALICE, "", (known,))})
        pool.look()
        await asyncio.gather(*pool._looks._under_way.values())
        assert [look.answered for look in pool.news()] == ([False] if answered else [])
