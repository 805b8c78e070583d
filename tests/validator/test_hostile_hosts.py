"""A real pass over an honest machine beside hostile ones: it gets its verdict, nothing is left."""

import asyncio
import gc
import json
import logging
import os
import random
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from uuid import UUID

import asyncssh
import pytest

from protocol.validator import Target, Verdict, VerdictState
from tests.validator import builders, hostile_door
from tests.validator.builders import NOW_MS
from tests.validator.hostile_door import RAW, SERVERS, SLOW_RAW, SLOW_SERVERS, SLOW_VISITS, VISITS
from tests.validator.machine_door import Machine, credentials_of, new_machine, opened
from tests.validator.test_round import World
from validator.domain.verdict import Look, Outcome
from validator.inspection.machine import MachineInspector
from validator.looks.pool import Looks
from validator.proof.conversation import Randomness
from validator.round import run_pass
from validator.ssh import command, connection, guarded
from validator.ssh.guarded import GuardedConnection

HONEST = 1
CHANCE = random.Random(7)
#: far more than a busy computer takes for what an honest machine does in 0.05
S_MAX = 60.0
#: the same for the one pass in which slow machines are waited for
SLOW_S_MAX = 6.0


@pytest.fixture(autouse=True)
def _small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same limits, smaller, so that reaching them is quick."""
    monkeypatch.setattr(connection, "CONNECT_S_MAX", S_MAX)
    monkeypatch.setattr(connection, "LOGIN_S_MAX", S_MAX)
    monkeypatch.setattr(command, "FACTS_S_MAX", S_MAX)
    monkeypatch.setattr(guarded, "CONNECTION_BYTES_MAX", 400_000)
    monkeypatch.setattr(guarded, "TAKING_S_MAX", 0.2)
    logging.getLogger("asyncssh").setLevel(logging.ERROR)


class Signed:
    """Looks at each machine as the validator that this machine knows."""

    def __init__(self, machines: dict[UUID, Machine]) -> None:
        self.machines = machines

    async def look(self, target: Target, **how: object) -> Look:
        inspector = MachineInspector(
            log_in=credentials_of(self.machines[target.machine_id]),
            allow_private=True,
            proof_memory_bytes_max=1,
            randomness=Randomness(draw=CHANCE.randbytes, below=CHANCE.randrange),
        )
        return await inspector.look(target, **how)  # type: ignore[arg-type]


async def one_pass(
    doors: Sequence[Callable[[Machine], AbstractAsyncContextManager[Machine]]],
) -> list[Verdict]:
    """Return the verdicts of a pass over an honest machine and one behind each of ``doors``."""
    async with AsyncExitStack() as stack:
        machines, listed = {}, []
        for number, door in enumerate([opened, *doors], HONEST):
            machine = await stack.enter_async_context(door(new_machine()))
            machines[UUID(int=number)] = machine
            where = {"machine_key": machine.machine_key, "control_port": machine.port}
            free = {"cpus_free": 0, "busy": True, "proven_at_ms": NOW_MS}
            listed.append(builders.target(number, **where, **free))
        world = World(listed=tuple(listed))
        ports = world.ports(machines_at_once=2 * len(listed))
        await run_pass(replace(ports, inspector=Signed(machines)), world.memory)
        return sorted(world.verdicts, key=lambda each: each.machine_id.int)


@asynccontextmanager
async def nothing_left() -> AsyncIterator[None]:
    """Fail when tasks, descriptors or connections are left after the context."""
    await asyncio.sleep(0)
    tasks, descriptors = asyncio.all_tasks(), open_descriptors()
    yield
    left: object = None
    assert still_open() == [], "before anything is collected: nobody else shall close ours"
    for _ in range(1000):
        # The hostile servers live in this process too, and asyncio drops some of theirs in cycles.
        gc.collect()
        left = asyncio.all_tasks() - tasks, open_descriptors() - descriptors
        if left == (set(), set()):
            break
        await asyncio.sleep(0.01)
    assert left == (set(), set())


def open_descriptors() -> set[str]:
    """Return what this process has open: what an earlier test left may be closed at any time."""
    found = set()
    for number in os.listdir("/proc/self/fd"):
        # That of this very look is closed again.
        with suppress(FileNotFoundError):
            found.add(f"{number} {os.readlink(f'/proc/self/fd/{number}')}")
    return found


def still_open() -> list[GuardedConnection]:
    """Return our connections whose socket nobody has closed."""
    # Not isinstance, which wakes what other tests left to be looked up when it is asked for.
    ours = [each for each in gc.get_objects() if issubclass(type(each), GuardedConnection)]
    return [each for each in ours if each._from is not None and not each._from.is_closing()]


def assert_harmless(verdicts: Sequence[Verdict]) -> None:
    told = json.dumps([each.model_dump(mode="json") for each in verdicts], ensure_ascii=False)
    assert told.isascii()
    assert told.isprintable()
    assert "<" not in told
    honest, *others = verdicts
    assert honest.machine_id == UUID(int=HONEST)
    assert honest.state is VerdictState.VERIFIED, honest.reasons
    for verdict in others:
        assert verdict.state is not VerdictState.VERIFIED, verdict
        assert verdict.reasons


DOORS = {
    **{name: (lambda m, act=act: hostile_door.opened_raw(m, act)) for name, act in RAW.items()},
    **{
        name: (lambda m, visit=visit: hostile_door.opened_hostile(m, visit))
        for name, visit in VISITS.items()
    },
    **{
        name: (lambda m, server=server: hostile_door.opened_hostile(m, server_factory=server))
        for name, server in SERVERS.items()
    },
}
SLOW_DOORS = (
    *((lambda m, act=act: hostile_door.opened_raw(m, act)) for act in SLOW_RAW.values()),
    *((lambda m, act=act: hostile_door.opened_hostile(m, act)) for act in SLOW_VISITS.values()),
    *(
        (lambda m, server=server: hostile_door.opened_hostile(m, server_factory=server))
        for server in SLOW_SERVERS.values()
    ),
)


@pytest.mark.parametrize("door", DOORS.values(), ids=DOORS.keys())
async def test_an_honest_machine_gets_its_verdict_beside_one_that(
    door: Callable[[Machine], AbstractAsyncContextManager[Machine]],
) -> None:
    async with nothing_left():
        verdicts = await one_pass([door])
    assert len(verdicts) == 2
    assert_harmless(verdicts)
    told = verdicts[1].reasons[0].message
    assert "in time" not in told, "another limit than that of time had to end it"
    assert "too late" not in told


async def test_an_honest_machine_gets_its_verdict_beside_many_that_are_slow(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connection, "CONNECT_S_MAX", SLOW_S_MAX)
    monkeypatch.setattr(connection, "LOGIN_S_MAX", SLOW_S_MAX)
    monkeypatch.setattr(command, "FACTS_S_MAX", SLOW_S_MAX)
    async with nothing_left():
        verdicts = await one_pass(SLOW_DOORS)
    gc.collect()
    assert [each for each in gc.get_objects() if isinstance(each, GuardedConnection)] == []
    assert len(verdicts) == 1 + len(SLOW_DOORS)
    assert_harmless(verdicts)
    codes = {reason.code for verdict in verdicts[1:] for reason in verdict.reasons}
    assert codes == {"machine_silent"}


@pytest.mark.parametrize(
    ("name", "limits", "reason"),
    [
        ("endless requests", {}, "nobody asked"),
        ("opens our agent", {}, "nobody asked"),
        ("endless key exchanges", {}, "new keys"),
        ("endless stderr", {}, "too many bytes"),
        ("endless messages to ignore", {}, "too many bytes"),
        ("endless words at the door", {"UNASKED_MAX": 1_000}, "too many bytes"),
        ("endless windows", {"TAKING_S_MAX": 0.02}, "cost too much"),
        ("endless empty data", {"TAKING_S_MAX": 0.02}, "cost too much"),
    ],
)
async def test_each_limit_ends_what_it_is_for(
    name: str, limits: dict[str, float], reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for limit, value in limits.items():
        monkeypatch.setattr(guarded, limit, value)
    _, hostile = await one_pass([DOORS[name]])
    assert reason in hostile.reasons[0].message


async def test_what_else_keeps_the_computer_busy_does_not_count_against_a_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    take = asyncssh.SSHClientConnection.data_received

    def take_late(self: asyncssh.SSHClientConnection, data: bytes) -> None:
        time.sleep(0.05)
        take(self, data)

    monkeypatch.setattr(asyncssh.SSHClientConnection, "data_received", take_late)
    (honest,) = await one_pass([])
    assert honest.state is VerdictState.VERIFIED, honest.reasons


async def test_processes_that_look_outlive_hostile_machines() -> None:
    """Here with the limits as they are; each look is another machine's, in the same process."""
    names = ["opens our agent", "endless key exchanges", "packet of nothing"]
    machines = [new_machine() for _ in names]
    async with AsyncExitStack() as stack:
        honest = await stack.enter_async_context(opened(new_machine()))
        for name, machine in zip(names, machines, strict=True):
            await stack.enter_async_context(DOORS[name](machine))
        by_key = {each.machine_key: credentials_of(each) for each in (honest, *machines)}
        looks = await stack.enter_async_context(
            Looks(
                log_in=lambda key: by_key[key](key),
                allow_private=True,
                proof_memory_bytes_max=1,
                processes=1,
            )
        )
        targets = [
            builders.target(machine_key=each.machine_key, control_port=each.port, cpus_free=0)
            for each in (*machines, honest)
        ]
        seen = await asyncio.gather(*map(looks.look, targets))
        assert len(looks.pids) == 1
    assert [each.outcome for each in seen] == [Outcome.SILENT] * 3 + [Outcome.SEEN]
