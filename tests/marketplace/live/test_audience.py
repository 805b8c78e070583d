"""One look wakes exactly the pages whose rental changed, and is made for nobody else."""

import asyncio
from collections.abc import Mapping
from contextlib import ExitStack
from uuid import UUID

import pytest

from marketplace.accounts.log_ins import Visitor
from marketplace.live import audience
from marketplace.live.audience import Audience, Stream
from marketplace.live.queries import UNSEEN, Seen

ONE, OTHER = UUID(int=1), UUID(int=2)
ALICE, BOB = Visitor(1, 1, "a"), Visitor(2, 2, "b")


class World:
    """What is looked at."""

    def __init__(self) -> None:
        self.versions = {ONE: "1", OTHER: "1"}
        self.asked: list[Mapping[UUID, str]] = []
        self.broken: Exception | None = None

    def look(
        self, _moment: str | None, known: Mapping[UUID, str]
    ) -> tuple[Mapping[UUID, Seen], str | None]:
        self.asked.append(known)
        if self.broken is not None:
            problem, self.broken = self.broken, None
            raise problem
        found = {
            each: Seen(self.versions[each], live=True)
            for each, version in known.items()
            if version != self.versions[each]
        }
        return found, None


@pytest.fixture(autouse=True)
def _only_changes_wake(monkeypatch: pytest.MonkeyPatch) -> None:
    # Nobody here is in the database.
    monkeypatch.setattr(audience, "LOG_INS_EVERY_S", 3600)
    # A beat wakes everybody.
    monkeypatch.setattr(audience, "HEARTBEAT_S", 3600)


async def woken(stream: Stream) -> None:
    await asyncio.wait_for(stream.woken.wait(), 60)
    stream.woken.clear()


async def until_asked(world: World, times: int) -> None:
    async with asyncio.timeout(60):
        while len(world.asked) < times:
            await asyncio.sleep(0.001)


async def test_only_those_who_watch_what_changed_are_woken() -> None:
    world = World()
    hall = Audience(world.look)
    with (
        hall.waiting(ONE, ALICE) as one,
        hall.waiting(ONE, BOB) as same,
        hall.waiting(OTHER, BOB) as other,
    ):
        for stream in (one, same, other):
            await woken(stream)
        assert world.asked[0] == {ONE: UNSEEN, OTHER: UNSEEN}
        world.versions[ONE] = "2"
        await woken(one)
        await woken(same)
        assert hall.woken == 2
        assert not other.woken.is_set()
        assert hall.seen(ONE) == Seen("2", live=True)


async def test_nobody_waiting_means_nothing_is_looked_at() -> None:
    world = World()
    hall = Audience(world.look)
    with hall.waiting(ONE, ALICE) as stream:
        await woken(stream)
    asked = len(world.asked)
    other = World()
    with Audience(other.look).waiting(ONE, ALICE):
        await until_asked(other, 3)
    # One may have been under way.
    assert len(world.asked) <= asked + 1
    assert hall.seen(ONE) is None
    with hall.waiting(ONE, ALICE) as stream:
        await woken(stream)


async def test_a_failed_look_leaves_nobody_waiting() -> None:
    world = World()
    with Audience(world.look).waiting(ONE, ALICE) as stream:
        await woken(stream)
        world.broken = ValueError()
        world.versions[ONE] = "2"
        await woken(stream)
    assert world.broken is None


async def test_streams_have_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audience, "STREAMS_MAX", 1)
    hall = Audience(World().look)
    assert not hall.is_full(BOB.person_id)
    with hall.waiting(ONE, ALICE):
        assert hall.is_full(BOB.person_id)
    assert not hall.is_full(BOB.person_id)


async def test_one_person_cannot_take_all_streams() -> None:
    hall = Audience(World().look)
    with ExitStack() as stack:
        for _ in range(audience.STREAMS_A_PERSON_MAX):
            stack.enter_context(hall.waiting(ONE, ALICE))
        assert hall.is_full(ALICE.person_id)
        assert not hall.is_full(BOB.person_id)
    assert not hall.is_full(ALICE.person_id)
