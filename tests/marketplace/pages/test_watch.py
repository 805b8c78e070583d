"""One look per tick wakes exactly the streams whose rental changed."""

import asyncio
from collections.abc import Sequence
from contextlib import ExitStack
from uuid import UUID

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from marketplace.accounts.models import User
from marketplace.pages import queries, watch
from tests.marketplace.rentals.market import Market

ONE, OTHER = UUID(int=1), UUID(int=2)
ALICE, BOB = 1, 2


class World:
    """What the watch reads."""

    def __init__(self) -> None:
        self.state: dict[UUID, object] = {ONE: "a", OTHER: "a"}
        self.asked: list[tuple[UUID, ...]] = []

    def read(self, rental_ids: Sequence[UUID]) -> dict[UUID, object]:
        self.asked.append(tuple(rental_ids))
        return {rental_id: self.state[rental_id] for rental_id in rental_ids}


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "TICK_S", 0.001)


async def woken(changed: asyncio.Event) -> None:
    await asyncio.wait_for(changed.wait(), 5)
    changed.clear()


async def test_only_those_who_watch_what_changed_are_woken() -> None:
    world = World()
    watching = watch.Watch(world.read)
    with (
        watching.watching(ONE, ALICE) as one,
        watching.watching(ONE, ALICE) as same,
        watching.watching(OTHER, BOB) as other,
    ):
        for changed in (one, same, other):
            await woken(changed)
        world.state[ONE] = "b"
        await woken(one)
        await woken(same)
        assert not other.is_set()
        assert set(world.asked[-1]) == {ONE, OTHER}


async def test_nobody_watching_means_nothing_is_read() -> None:
    world = World()
    watching = watch.Watch(world.read)
    with watching.watching(ONE, ALICE) as changed:
        await woken(changed)
    await asyncio.sleep(0.02)
    asked = len(world.asked)
    await asyncio.sleep(0.02)
    assert len(world.asked) == asked
    with watching.watching(ONE, ALICE) as changed:
        await woken(changed)


async def test_streams_have_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "STREAMS_MAX", 1)
    watching = watch.Watch(World().read)
    assert not watching.full(BOB)
    with watching.watching(ONE, ALICE):
        assert watching.full(BOB)
    assert not watching.full(BOB)


async def test_one_person_cannot_take_all_streams() -> None:
    watching = watch.Watch(World().read)
    with ExitStack() as stack:
        for _ in range(watch.STREAMS_A_PERSON_MAX):
            stack.enter_context(watching.watching(ONE, ALICE))
        assert watching.full(ALICE)
        assert not watching.full(BOB)
    assert not watching.full(ALICE)


def test_all_watched_rentals_take_one_query(
    renter: Client,
    market: Market,
    alice: User,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    ids = [market.rent(alice).id for _ in range(2)]
    with django_assert_num_queries(1):
        before = queries.fingerprints(ids)
    renter.post(f"/rentals/{ids[0]}/end")
    after = queries.fingerprints(ids)
    assert before[ids[0]] != after[ids[0]]
    assert before[ids[1]] == after[ids[1]]
