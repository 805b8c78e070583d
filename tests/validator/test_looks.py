"""The processes that take looks: real ones, killed, stopped, grown, taken over, and closed in."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from uuid import UUID

import pytest

from protocol.validator import Target
from tests.validator import builders
from tests.validator.machine_door import Machine, credentials_of, new_machine, opened
from tests.validator.prover import Prover
from validator.barrier import Barrier
from validator.domain.verdict import Look, Outcome
from validator.inspection.machine import LOOK_S_MAX
from validator.looks import pool
from validator.looks import worker as workers
from validator.looks.messages import AnswerRefused, read_said
from validator.looks.pool import Looks
from validator.looks.worker import LooksBroken

CARD = {"uuid": "GPU-1", "model": "NVIDIA L4", "vram_bytes": 24 << 30, "driver": "570.00"}


def looks_for(machine: Machine, **changes: object) -> Looks:
    told: dict[str, object] = {
        "log_in": credentials_of(machine),
        "allow_private": True,
        "proof_memory_bytes_max": 1024 * 1024,
        "processes": 1,
    }
    return Looks(**{**told, **changes})  # type: ignore[arg-type]


def target_of(machine: Machine, **changes: object) -> Target:
    place = {"machine_key": machine.machine_key, "control_port": machine.port}
    return builders.target(**{**place, **changes})


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


class Interrupted:
    """Makes provers, and does something to the processes that look before each of the first."""

    def __init__(self, looks: list[Looks], *, times: int, act: Callable[[int], None]) -> None:
        self.looks, self.left, self.act = looks, times, act

    def __call__(self) -> Prover:
        if self.left:
            self.left -= 1
            for pid in self.looks[0].pids:
                self.act(pid)
        return Prover()


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def stop(pid: int) -> None:
    os.kill(pid, signal.SIGSTOP)


async def look_interrupted(*, times: int, act: Callable[[int], None], **changes: object) -> Look:
    inside: list[Looks] = []
    machine = new_machine(prover=Interrupted(inside, times=times, act=act))
    async with opened(machine), looks_for(machine, **changes) as looks:
        inside.append(looks)
        return await looks.look(target_of(machine))


async def test_looks_in_processes_see_what_is_there_and_leave_nothing_behind() -> None:
    machine = new_machine()
    async with opened(machine), looks_for(machine, processes=2) as looks:
        busy = target_of(machine, cpus_free=0, busy=True)
        seen = await asyncio.gather(
            looks.look(target_of(machine)), *(looks.look(busy) for _ in range(5))
        )
        pids = looks.pids
        assert len(pids) == 2, "shared out"
        told = b"".join(Path(f"/proc/{pid}/environ").read_bytes() for pid in pids)
        assert b"BERTH" not in told
        assert b"HOME" not in told
    assert {each.outcome for each in seen} == {Outcome.SEEN}
    assert all(each.hardware == builders.hardware() for each in seen)
    assert seen[0].measurement is not None
    assert not any(map(is_running, pids))


async def test_a_process_ends_with_the_validator_that_started_it() -> None:
    process = await asyncio.create_subprocess_exec(
        *(*workers.COMMAND, "1"), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert b"ready" in await process.stdout.readline()
    process.stdin.close()
    assert await process.wait() == 0


async def test_a_look_lost_with_its_process_is_made_again() -> None:
    assert (await look_interrupted(times=1, act=kill)).outcome is Outcome.SEEN


async def test_a_process_that_stands_still_is_ended_and_its_look_made_again() -> None:
    seen = await look_interrupted(times=1, act=stop, quiet_s_max=25.0)
    assert seen.outcome is Outcome.SEEN


async def test_a_machine_whose_look_is_lost_twice_counts_as_silent_with_the_reason() -> None:
    seen = await look_interrupted(times=2, act=kill)
    assert seen.outcome is Outcome.SILENT
    assert "lost twice" in seen.detail


async def test_a_look_that_may_take_longer_is_not_lost_with_all_others_of_its_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pool, "ANSWER_S_MAX", 0.01 - LOOK_S_MAX)
    machine = new_machine()
    async with opened(machine), looks_for(machine) as looks:
        seen = await looks.look(target_of(machine, claimed=builders.hardware(gpus=[CARD])))
        assert "lost" not in seen.detail
        seen = await looks.look(target_of(machine))
        assert "lost twice" in seen.detail


async def test_a_process_that_has_grown_takes_no_more_looks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(workers, "GROWN_BYTES", 1)
    machine = new_machine()
    async with opened(machine), looks_for(machine) as looks:
        busy = target_of(machine, cpus_free=0, busy=True)
        first = await looks.look(busy), looks.pids
        second = await looks.look(busy), looks.pids
    assert (first[0].outcome, second[0].outcome) == (Outcome.SEEN, Outcome.SEEN)
    assert set(first[1]) - set(second[1]) or set(second[1]) - set(first[1])


async def test_looks_in_processes_begin_their_proofs_in_one_instant() -> None:
    """The gate is here, the looks are there."""
    order: list[str] = []

    class Noting(Prover):
        def hello(self, demand: Mapping[str, object]) -> dict[str, object]:
            order.append("hello")
            return super().hello(demand)

        def cpu_hash(self, demand: Mapping[str, object]) -> dict[str, object]:
            order.append("work")
            return super().cpu_hash(demand)

    machine = new_machine(prover=Noting)
    async with opened(machine), looks_for(machine) as looks:
        targets = [target_of(machine, machine_id=UUID(int=number)) for number in (1, 2)]
        barrier = Barrier([each.machine_id for each in targets], wait_s_max=30)
        arrive = [partial(barrier.arrive, each.machine_id) for each in targets]
        seen = await asyncio.gather(
            *(looks.look(each, gate=gate) for each, gate in zip(targets, arrive, strict=True))
        )
        late = await looks.look(target_of(machine), gate=partial(barrier.arrive, UUID(int=3)))
        facts = await looks.look(target_of(machine), facts_only=True)
    assert [each.outcome for each in seen] == [Outcome.SEEN] * 2
    assert order[:2] == ["hello", "hello"]
    assert late.outcome is Outcome.PROOF_UNFINISHED
    assert (facts.outcome, facts.measurement) == (Outcome.SEEN, None)
    assert facts.facts == builders.facts()


UP = 'print(json.dumps({"ready": {"confined": ["files"]}}))'
HOSTILE = {
    "garbage": 'print("\x1b[2J<script>")',
    "endless line": 'sys.stdout.write("[" * 10_000_000); sys.stdout.flush()',
    "not asked": 'print(json.dumps({"answer": {"number": 99, "look": {"outcome": "seen"}}}))',
    "odd outcome": 'print(json.dumps({"answer": {"number": 1, "look": {"outcome": "paid"}}}))',
    "forged field": 'print(json.dumps({"answer": {"number": 1, "look": {"outcome": "seen"},'
    ' "verdict": {"state": "verified"}}}))',
    "no gate": 'print(json.dumps({"arrived": {"number": 99}}))',
    "gate for ever": '[print(json.dumps({"arrived": {"number": 1}})) for _ in range(99)]',
    "up twice": UP,
    "gone": "sys.exit(0)",
}


def taken_over(does: str) -> tuple[str, ...]:
    program = f"import json, sys\n{UP}\nsys.stdin.readline()\n{does}\nsys.stdin.read()"
    return (sys.executable, "-I", "-S", "-u", "-c", program)


@pytest.mark.parametrize("does", HOSTILE.values(), ids=HOSTILE.keys())
async def test_a_process_that_was_taken_over_can_only_lose_its_looks(
    does: str, caplog: pytest.LogCaptureFixture
) -> None:
    machine = new_machine(port=9)
    async with looks_for(machine, command=taken_over(does)) as looks:
        seen = await looks.look(target_of(machine))
        assert looks.pids == ()
    assert seen.outcome is Outcome.SILENT
    # And not only when it had stood still for long.
    assert ("ended by itself" if does == HOSTILE["gone"] else "may not") in seen.detail
    assert "\x1b" not in seen.detail + caplog.text


async def test_what_a_process_writes_of_itself_is_cut_and_cleaned(
    caplog: pytest.LogCaptureFixture,
) -> None:
    loud = 'sys.stderr.write("x" * 1_000_000 + "\\n\\x1b[31mend of it"); sys.exit(1)'
    machine = new_machine(port=9)
    async with looks_for(machine, command=taken_over(loud)) as looks:
        await looks.look(target_of(machine))
    assert "[31mend of it" in caplog.text
    assert "\x1b" not in caplog.text
    assert "xxx" not in caplog.text


async def test_processes_that_never_come_up_are_our_fault_and_no_machine_s() -> None:
    machine = new_machine(port=9)
    async with looks_for(machine, command=("/nonexistent",)) as looks:
        with pytest.raises(LooksBroken):
            await looks.look(target_of(machine))
    async with looks_for(machine, command=(sys.executable, "-c", "raise SystemExit(3)")) as looks:
        with pytest.raises(LooksBroken):
            await looks.look(target_of(machine))


@pytest.mark.parametrize(
    "line",
    [
        b"{}",
        b'{"ready": {}, "beat": {}}',
        b'{"answer": {"number": "1", "look": {"outcome": "seen"}}}',
        b'{"answer": {"number": true, "look": {"outcome": "seen"}}}',
        b'{"answer": {"number": 1, "look": {"outcome": "seen", "hardware": {}}}}',
        b'{"answer": {"number": 1, "look": {"outcome": "seen", "measurement": {"cpus": -1}}}}',
        b'{"answer": {"number": 1, "look": {}}}',
    ],
)
def test_an_answer_of_the_wrong_shape_is_refused(line: bytes) -> None:
    with pytest.raises(AnswerRefused):
        read_said(line)


def test_texts_of_an_answer_are_harmless() -> None:
    look = {"outcome": "silent", "detail": "a\x1b[31m<b>\u202e" + "x" * 9_000}
    said = read_said(json.dumps({"answer": {"number": 1, "look": look}}).encode())
    assert said.answer is not None
    assert said.answer.look.detail == "a[31mb" + "x" * 994


CLOSED_IN = """
import asyncio, json, os, resource, socket, sys
from validator.looks.confine import confine
import validator.looks.__main__
held = confine(files_max=64)
secret, parent = sys.argv[1], os.getppid()
def refused(act):
    try:
        act()
    except OSError:
        return True
    return False
def too_much():
    try:
        bytearray(4 << 30)
    except MemoryError as error:
        raise OSError from error
def listen():
    with socket.socket() as plain:
        plain.bind(("127.0.0.1", 0))
print(json.dumps({
    "held": held,
    "refused": {
        "key file": refused(lambda: open(secret)),
        "folder": refused(lambda: os.listdir(os.path.dirname(secret))),
        "environment": refused(lambda: open(f"/proc/{parent}/environ")),
        "write": refused(lambda: open(os.path.join(sys.prefix, "x"), "w")),
        "run": refused(lambda: os.execv("/bin/true", ["true"])),
        "signal": refused(lambda: os.kill(parent, 0)),
        "listen": refused(listen),
        "memory": refused(too_much),
    },
    "names": socket.getaddrinfo("localhost", 22, type=socket.SOCK_STREAM)[0][4][0],
}))
"""


def test_a_process_that_looks_can_reach_nothing_else_of_this_computer(tmp_path: Path) -> None:
    secret = tmp_path / "hotkey"
    secret.write_text("//Alice")
    done = subprocess.run(
        [sys.executable, "-c", CLOSED_IN, str(secret)],
        env={"PYTHONPATH": os.getcwd()},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    found = json.loads(done.stdout)
    assert found["names"] in ("127.0.0.1", "::1")
    assert found["refused"].pop("memory")
    if found["held"]:
        # A kernel before 6.7 knows nothing of ports, one before 6.12 nothing of signals.
        newer = {name: found["refused"].pop(name) for name in ("listen", "signal")}
        assert all(found["refused"].values()), found
        version = tuple(int(part) for part in os.uname().release.split(".")[:2])
        assert newer["listen"] or version < (6, 7)
        assert newer["signal"] or version < (6, 12)
