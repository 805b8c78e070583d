"""One look per tick wakes who waits; a look that fails is made again."""

import asyncio
from collections.abc import Collection
from uuid import UUID

import pytest
from django.db import OperationalError

from marketplace import held_syncs, watch
from marketplace.held_syncs import HeldSyncs
from marketplace.machines import queries
from marketplace.machines.actions import desire
from marketplace.machines.models import Machine
from tests.marketplace.scene import machine

ONE, OTHER = UUID(int=1), UUID(int=2)


class Machines:
    """The revisions of two machines, which tells only what changed, and can be out of order."""

    def __init__(self) -> None:
        self.revisions = {ONE: 1, OTHER: 1}
        self.changed: set[UUID] = set()
        self.asked: list[tuple[UUID, ...]] = []
        self.broken: Exception | None = None

    def raise_of(self, machine_id: UUID) -> None:
        self.revisions[machine_id] += 1
        self.changed = {machine_id}

    def look(self, machine_ids: Collection[UUID], new: Collection[UUID]) -> dict[UUID, int]:
        self.asked.append(tuple(new))
        if self.broken is not None:
            problem, self.broken = self.broken, None
            raise problem
        return {each: self.revisions[each] for each in self.changed | set(new)}


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held_syncs, "LOOK_EVERY_S", 0.001)
    monkeypatch.setattr(watch, "FAILED_PAUSE_S", 0.001)


def held(machines: Machines, machine_id: UUID, *, above: int) -> "asyncio.Task[None]":
    calls = HeldSyncs(machines.look)
    return asyncio.create_task(calls.wait(machine_id, above=above, at_most_s=3600))


async def soon(call: "asyncio.Task[None]") -> None:
    await asyncio.wait_for(call, 10)


async def until_asked(machines: Machines, times: int) -> None:
    async with asyncio.timeout(10):
        while len(machines.asked) < times:
            await asyncio.sleep(0.001)


async def test_a_call_that_comes_too_late_for_a_change_is_answered_at_once() -> None:
    machines = Machines()
    await soon(held(machines, ONE, above=0))


async def test_a_held_call_ends_with_its_own_machines_change_only() -> None:
    machines = Machines()
    call = held(machines, ONE, above=1)
    machines.raise_of(OTHER)
    await until_asked(machines, 3)
    assert not call.done()
    machines.raise_of(ONE)
    await soon(call)
    assert machines.asked[0] == (ONE,)
    assert set(machines.asked[1:]) == {()}


@pytest.mark.parametrize("problem", [OperationalError(), ValueError()])
async def test_a_failed_look_leaves_nobody_waiting(problem: Exception) -> None:
    machines = Machines()
    call = held(machines, ONE, above=1)
    machines.broken = problem
    await until_asked(machines, 2)
    machines.raise_of(ONE)
    await soon(call)


async def test_after_a_long_gap_everything_is_looked_at_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(watch, "GAP_S_MAX", 0.0)
    machines = Machines()
    call = held(machines, ONE, above=1)
    await until_asked(machines, 3)
    assert set(machines.asked) == {(ONE,)}
    call.cancel()


@pytest.mark.django_db
def test_only_new_and_lately_changed_machines_are_read() -> None:
    one, other, third = machine(), machine(), machine()
    everyone = [one.id, other.id, third.id]
    Machine.objects.update(desired_at="2026-01-01T00:00:00Z")
    assert queries.changed_revisions(everyone, []) == {}
    desire.bump(machine_id=one.id)
    assert queries.changed_revisions(everyone, [other.id]) == {one.id: 2, other.id: 1}
    desire.bump_online()
    assert queries.changed_revisions(everyone, []) == {one.id: 3, other.id: 2, third.id: 2}
