"""A machine says GONE with the last interval of a placement, never before: then it is paid."""

from pathlib import Path
from uuid import UUID

import pytest

from miner_agent import agent as module
from miner_agent.domain.reply import Heard
from protocol.agent import ObservedState, RefusedInterval, Want
from protocol.receipts import check_chain, digest
from tests.miner_agent.world import World


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(module, "INTERVALS_PER_SYNC", 3)
    return World(tmp_path / "journal")


def ran_unheard(world: World, *, count: int, intervals: int) -> list[UUID]:
    """Return placements that ran while the marketplace heard nothing."""
    placement_ids = [world.want() for _ in range(count)]
    world.sync()
    world.work()
    for _ in range(intervals):
        world.clock.now_ms += 10_000
        world.work()
    return sorted(placement_ids)


def told(world: World, placement_id: UUID) -> ObservedState:
    (state,) = (
        one.state
        for one in world.agent.request(hold_s=0).placements
        if one.placement_id == placement_id
    )
    return state


def test_gone_waits_for_the_last_interval(world: World) -> None:
    (placement_id,) = ran_unheard(world, count=1, intervals=7)
    world.end(placement_id)
    world.agent.apply(Heard(world.reply()))
    world.work()
    assert world.state(placement_id) is ObservedState.GONE
    for confirmed in (0, 3):
        assert len(world.chains.get(placement_id, ())) == confirmed
        assert told(world, placement_id) is ObservedState.COLLECTING
        world.sync()
    # The sync that brings the last interval says it.
    assert told(world, placement_id) is ObservedState.GONE
    world.sync()
    assert told(world, placement_id) is ObservedState.GONE
    assert check_chain(world.chains[placement_id]) == 70_000


def test_intervals_of_what_ended_go_first(world: World) -> None:
    first, last = ran_unheard(world, count=2, intervals=4)
    world.end(last)
    world.agent.apply(Heard(world.reply()))
    world.work()
    sent = world.agent.request(hold_s=0).intervals
    assert {one.interval.placement_id for one in sent} == {last}
    world.settle()
    assert world.journal.get(first).want is Want.RUN
    assert check_chain(world.chains[last]) == 40_000


def test_a_chain_goes_on_behind_a_refused_interval(world: World) -> None:
    (placement_id,) = ran_unheard(world, count=1, intervals=2)
    good, bad = world.agent.request(hold_s=0).intervals
    world.chains[placement_id] = [good]
    refused = RefusedInterval(
        signature=bad.signature, previous=digest(good.interval), reason="Its signature is wrong."
    )
    wanted = world.desired[placement_id]
    world.desired[placement_id] = wanted.model_copy(update={"refused": refused})
    world.agent.apply(Heard(world.reply()))
    assert world.agent.request(hold_s=0).intervals == ()
    world.clock.now_ms += 10_000
    world.work()
    # An answer that was given before the new interval came tells the same once more.
    world.agent.apply(Heard(world.reply()))
    world.sync()
    assert len(world.chains[placement_id]) == 2
    # The ten seconds of the refused interval are lost.
    assert check_chain(world.chains[placement_id]) == 20_000
