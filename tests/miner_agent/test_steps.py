"""The agent's steps on virtual time, over a machine in memory, killed between any two of them."""

import tempfile
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from miner_agent.domain.claims import CORE, PORT
from miner_agent.domain.reply import Heard
from miner_agent.engine import EngineUnavailable
from miner_agent.hearing import StaleReply
from miner_agent.journal import ClaimTaken
from protocol.agent import Notice, ObservedState, RegistryLogin, SyncReply, Want
from protocol.receipts import check_chain
from tests.miner_agent.world import Killed, World, resources


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "journal")


STEPS = [
    *("want", "end", "sync", "work", "wait", "kill", "die", "late_kill", "engine", "reboot"),
    *("stop", "run", "restart", "reset", "change", "bad_change", "write"),
]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 3)), max_size=40))
def test_whatever_happens_it_converges_and_every_chain_is_whole(
    steps: list[tuple[str, int]],
) -> None:
    # In memory: the journal flushes every step to disk, and here only its order matters.
    with tempfile.TemporaryDirectory(dir="/dev/shm") as directory:
        world = World(Path(directory) / "journal")
        # Something runs from the beginning: most disturbances need a victim.
        for step, number in [("want", 0), ("sync", 0), ("work", 0), ("wait", 1), *steps]:
            try:
                disturb(world, step, number)
            except Killed:
                world.restart()
        world.runtime.fault = None
        world.settle()
        check_rest(world)
        check_files(world)
        for placement_id in list(world.desired):
            world.end(placement_id)
        world.settle()
        assert world.runtime.found == {}
        assert world.runtime.disks == {}
        assert world.journal.claimed(PORT) == world.journal.claimed(CORE) == frozenset()
        for placement_id, chain in world.chains.items():
            assert check_chain(chain) <= world.runtime.lived_ms[placement_id]
        world.desired.clear()
        world.sync()
        assert world.journal.placements() == {}
        assert world.journal.unsent(most=10) == ()
        world.journal.close()


def disturb(world: World, step: str, number: int) -> None:
    live = [one.placement_id for one in world.desired.values() if one.want is not Want.END]
    if step == "want" and len(live) < 3:
        world.want()
    elif step == "end" and live:
        world.end(live[number % len(live)])
    elif step == "sync":
        world.sync()
    elif step == "work":
        world.work()
    elif step == "wait":
        world.clock.now_ms += (100, 5_000, 20_000, 700_000)[number]
    elif step == "kill":
        world.restart()
    elif step in ("late_kill", "engine"):
        world.runtime.fault_is_late = step == "late_kill" or number > 1
        world.runtime.fault = Killed() if step == "late_kill" else EngineUnavailable("no answer")
    elif step == "die" and world.runtime.found:
        placements = sorted(world.runtime.placements())
        world.runtime.die(placements[number % len(placements)])
    elif step in ("stop", "run", "restart", "reset", "change", "bad_change") and live:
        ask(world, step, live[number % len(live)], number)
    elif step == "write" and world.runtime.running():
        running = sorted(world.runtime.running())
        world.runtime.write(running[number % len(running)], f"written {number}")
    elif step == "reboot":
        for one in world.runtime.placements():
            world.runtime.die(one)
        world.clock.boot, world.clock.now_ms = f"{world.clock.boot}+", world.clock.now_ms + 60_000
        raise Killed


def ask(world: World, wish: str, placement_id: UUID, number: int) -> None:
    """Let the renter want something else of what lives."""
    if wish == "stop":
        world.stop(placement_id)
    elif wish == "run":
        world.run(placement_id)
    elif wish == "restart":
        world.restart_placement(placement_id)
    elif wish == "reset":
        world.reset(placement_id)
    elif wish == "bad_change":
        world.runtime.bad_images.add("bad")
        world.runtime.unknown_images.add("unknown")
        world.alter(placement_id, image=("bad", "unknown")[number % 2])
    else:
        image = ("i", "i", "i", "other")[number]
        world.alter(placement_id, image=image, ports=((), (80,))[number % 2])


def check_rest(world: World) -> None:
    """Every wanted placement runs or rests, or ended for a reason; nothing else is here."""
    running, kept = set(), set()
    for desired in world.desired.values():
        placement_id, row = desired.placement_id, world.journal.get(desired.placement_id)
        if desired.want is Want.END or row.want is Want.END:
            assert row.state is ObservedState.GONE
            assert desired.want is Want.END or row.problem is not None
            continue
        seen = world.seen(placement_id)
        assert seen.restarts == desired.restarts
        is_made = (seen.edition, seen.resets) == (desired.edition, desired.resets)
        assert is_made or seen.change_problem is not None or desired.want is Want.STOP
        if row.current is not None:
            kept.add((placement_id, row.current.disk))
        if desired.want is Want.RUN and row.problem is None:
            assert row.state is ObservedState.RUNNING
            running.add(placement_id)
        else:
            assert row.state is ObservedState.STOPPED
    assert world.runtime.running() == running
    assert set(world.runtime.disks) == kept
    assert {one for one, _ in world.runtime.found} == {one for one, _ in kept}


def check_files(world: World) -> None:
    """What was written is there unless it was asked to be thrown away."""
    for desired in world.desired.values():
        row = world.journal.find(desired.placement_id)
        if row is None or row.current is None or desired.placement_id not in world.runtime.ran:
            continue
        kept = world.runtime.disks[desired.placement_id, row.current.disk]
        is_first = row.current.disk == 0
        assert kept == world.runtime.written.get((desired.placement_id, row.current.disk), "")
        assert is_first or desired.resets > 0 or desired.edition > 0


def test_a_reply_older_than_the_newest_is_refused(world: World) -> None:
    placement_id = world.want()
    world.sync()
    old = SyncReply(nonce="old", server_time_ms=0, revision=0)
    with pytest.raises(StaleReply):
        world.agent.apply(Heard(old))
    assert world.journal.get(placement_id).want is Want.RUN


def test_what_ended_here_never_starts_again_though_the_market_still_wants_it(
    world: World,
) -> None:
    placement_id = world.want()
    world.sync()
    world.work()
    world.clock.now_ms += 3_600_001
    world.work()
    world.work()
    assert world.state(placement_id) is ObservedState.GONE
    world.settle()
    assert world.state(placement_id) is ObservedState.GONE
    assert world.runtime.starts[placement_id] == 1


def test_a_dead_container_is_counted_to_its_last_moment_and_not_beyond(world: World) -> None:
    placement_id = world.want()
    world.sync()
    world.work()
    world.clock.now_ms += 15_000
    world.work()
    world.clock.now_ms += 4_000
    world.runtime.die(placement_id)
    world.clock.now_ms += 50_000
    world.work()
    world.sync()
    assert check_chain(world.chains[placement_id]) == 19_000


def test_after_a_reboot_only_what_was_counted_before_is_sure(world: World) -> None:
    placement_id = world.want()
    world.sync()
    world.work()
    world.clock.now_ms += 15_000
    world.work()
    world.clock.now_ms += 4_000
    world.runtime.die(placement_id)
    world.clock.boot = "boot-2"
    world.restart()
    world.work()
    world.sync()
    assert check_chain(world.chains[placement_id]) == 15_000
    assert world.state(placement_id) is ObservedState.RUNNING


def test_the_machine_never_promises_a_core_twice(world: World) -> None:
    first, second = world.want(cpus=2), world.want(cpus=2)
    world.settle()
    assert world.state(first) is ObservedState.RUNNING
    row = world.journal.get(second)
    assert row.state is ObservedState.GONE
    assert row.problem is not None
    assert row.problem.code == "no_capacity"


def test_a_claim_belongs_to_one_placement(world: World) -> None:
    placement_id = world.want()
    world.sync()
    row = world.journal.get(placement_id)
    other = row.model_copy(update={"placement_id": uuid4()})
    with pytest.raises(ClaimTaken):
        world.journal.insert(other)
    assert world.journal.find(other.placement_id) is None


def test_a_lost_journal_is_admitted(world: World) -> None:
    placement_id = world.want()
    world.settle()
    world.journal.close()
    for file in world.path.parent.glob("journal*"):
        file.unlink()
    world.restart()
    world.settle()
    row = world.journal.get(placement_id)
    assert row.problem is not None
    assert "lost its journal" in row.problem.message
    assert world.runtime.found == {}


def test_what_is_stopped_may_change_though_it_has_given_its_gpus_back(world: World) -> None:
    placement_id = world.want(resources=resources(gpus=1))
    world.stop(placement_id)
    world.settle()
    world.ask(placement_id, gpu_uuids=())
    world.alter(placement_id, environment={"NAME": "other"})
    world.settle()
    assert world.state(placement_id) is ObservedState.STOPPED
    assert world.journal.get(placement_id).problem is None
    world.ask(placement_id, want=Want.RUN, gpu_uuids=("gpu-1",))
    world.settle()
    assert world.state(placement_id) is ObservedState.RUNNING


def test_a_private_image_waits_for_its_log_in_when_the_agent_starts_anew(world: World) -> None:
    login = RegistryLogin(username="renter", password="marked-password")
    private, open_to_all = world.want(), world.want()
    world.desired[private] = world.desired[private].model_copy(update={"registry_login": login})
    world.sync()
    # Killed before it could ask for an image, and with it went what was only in memory.
    world.restart()
    world.work()
    assert world.state(private) is ObservedState.ACCEPTED
    assert world.state(open_to_all) is ObservedState.RUNNING
    assert world.runtime.logins == [None]
    world.sync()
    world.work()
    assert world.state(private) is ObservedState.RUNNING
    assert world.runtime.logins == [None, login]
    assert login.password.encode() not in world.path.read_bytes()


def test_a_log_in_that_is_not_sent_any_more_is_not_waited_for(world: World) -> None:
    login = RegistryLogin(username="renter", password="marked-password")
    private = world.want()
    public = world.desired[private]
    world.desired[private] = public.model_copy(update={"registry_login": login})
    world.sync()
    world.desired[private] = public
    world.restart()
    world.sync()
    world.work()
    assert world.state(private) is ObservedState.RUNNING


NOTICE = Notice(reason="outbid", stops_at_ms=90_000)


def noticed(world: World, notice: Notice | None, placement_id: UUID) -> list[Notice | None]:
    """Return what was said inside since the last time."""
    world.runtime.notices.clear()
    world.ask(placement_id, notice=notice)
    world.settle()
    return world.runtime.notices


def test_a_notice_is_said_inside_once_and_taken_back(world: World) -> None:
    placement_id = world.want()
    world.settle()
    assert world.runtime.notices == []
    assert noticed(world, NOTICE, placement_id) == [NOTICE]
    assert noticed(world, NOTICE, placement_id) == []
    assert noticed(world, None, placement_id) == [None]


def test_what_stops_by_a_notice_starts_without_it(world: World) -> None:
    placement_id = world.want()
    world.settle()
    noticed(world, NOTICE, placement_id)
    world.ask(placement_id, want=Want.STOP, notice=None)
    world.settle()
    assert world.runtime.notices == [NOTICE, None]
    world.run(placement_id)
    world.settle()
    assert world.runtime.notices == [NOTICE, None]


@pytest.mark.parametrize("late", [False, True])
def test_an_agent_that_is_killed_while_it_says_a_notice_says_it_again(
    world: World, late: bool
) -> None:
    placement_id = world.want()
    world.settle()
    world.ask(placement_id, notice=NOTICE)
    world.sync()
    world.runtime.fault, world.runtime.fault_is_late = Killed(), late
    with pytest.raises(Killed):
        world.work()
    world.restart()
    world.runtime.fault = None
    world.settle()
    assert world.runtime.notices == [NOTICE] * (2 if late else 1)
    assert world.journal.get(placement_id).written_notice == NOTICE
