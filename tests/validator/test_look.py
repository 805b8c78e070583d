"""One look at a machine: a real SSH server on the loopback, honest, cheating or hostile."""

import asyncio
import json
import logging
import random
import socket
import sys
import time
from collections.abc import Callable, Mapping, Sequence

import pytest

from protocol.hardware import Hardware
from protocol.validator import Target, VerdictState
from tests.validator import builders, prover
from tests.validator.machine_door import Machine, credentials_of, new_machine, opened
from validator.domain import proof
from validator.domain.verdict import Look, Outcome, decide
from validator.inspection import lag
from validator.inspection import machine as machine_inspection
from validator.inspection import speeds as speed_inspection
from validator.inspection.machine import MachineInspector
from validator.proof.conversation import ProofUnfinished, Randomness
from validator.proof.session import Work, prove
from validator.ssh import command as commands
from validator.ssh.command import Lines
from validator.ssh.connection import Door, connect

SEEDED = random.Random(7)
RANDOMNESS = Randomness(draw=SEEDED.randbytes, below=SEEDED.randrange)


@pytest.fixture(autouse=True)
def _light_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Demand little, so that a suite of twenty proofs is quick; the protocol stays the same."""
    monkeypatch.setattr(proof, "HASH_ITERATIONS", 50)
    monkeypatch.setattr(proof, "WALKS_PER_CPU", 33)
    monkeypatch.setattr(proof, "WALK_STEPS", 16)
    monkeypatch.setattr(proof, "HASH_TASKS_PER_CPU", 37)
    # Disk and line are measured where a test has them measured, and nowhere by chance.
    monkeypatch.setattr(speed_inspection, "PROOFS_A_MEASUREMENT", 1 << 60)
    # A busy computer must not add proofs to those that a test counts.
    monkeypatch.setattr(lag, "LAG_S_MAX", 60.0)
    logging.getLogger("asyncssh").setLevel(logging.WARNING)


def inspector_of(machine: Machine, *, allow_private: bool = True) -> MachineInspector:
    return MachineInspector(
        log_in=credentials_of(machine),
        allow_private=allow_private,
        proof_memory_bytes_max=1024 * 1024 * 2,
        randomness=RANDOMNESS,
    )


def target_of(machine: Machine, **changes: object) -> Target:
    place = {
        "machine_key": machine.machine_key,
        "control_port": machine.port,
        "proven_at_ms": builders.NOW_MS,
    }
    return builders.target(**{**place, **changes})


async def look(machine: Machine, **changes: object) -> Look:
    async with opened(machine):
        return await inspector_of(machine).look(target_of(machine, **changes))


async def test_an_honest_machine_is_seen_with_its_facts_and_a_measurement() -> None:
    seen = await look(new_machine())
    assert seen.outcome is Outcome.SEEN, seen
    assert seen.hardware == builders.hardware()
    assert seen.facts == builders.facts()
    assert seen.measurement is not None
    assert seen.measurement.memory_bytes_proven == 2 * 1024 * 1024
    assert seen.measurement.cpu_hash_rate > 0


async def test_a_machine_with_nothing_free_is_seen_without_a_proof() -> None:
    machine = new_machine()
    seen = await look(machine, cpus_free=0, busy=True)
    assert (seen.outcome, seen.measurement) == (Outcome.SEEN, None)
    assert machine.sessions == 1


@pytest.mark.parametrize(
    "cheat",
    [
        prover.HalfTheTasks,
        prover.FewerIterations,
        prover.ReplayedNonce,
        prover.FewerPages,
        prover.AdmitsFewerPages,
        prover.WrongPath,
        prover.ShortPath,
        prover.AnotherLeaf,
        prover.FewerOpenings,
        prover.OddOpening,
        prover.NoDigest,
        prover.AnotherDemand,
    ],
)
async def test_a_cheat_is_asked_twice_and_then_suspended(
    cheat: Callable[[], prover.Prover],
) -> None:
    machine = new_machine(prover=cheat)
    seen = await look(machine)
    assert seen.outcome is Outcome.PROOF_WRONG, seen
    assert machine.sessions == 3, "facts and two proofs"
    verdict = decide(
        hotkey=builders.ALICE, target=target_of(machine), look=seen, now_ms=builders.NOW_MS
    )
    assert verdict.state is VerdictState.SUSPENDED


async def test_one_wrong_answer_followed_by_a_right_proof_is_forgiven() -> None:
    provers: list[Callable[[], prover.Prover]] = [prover.Prover, prover.HalfTheTasks]
    # The door makes a prover for proofs only, so the first proof cheats and the second does not.
    seen = await look(new_machine(prover=lambda: provers.pop()()))
    assert seen.outcome is Outcome.SEEN


async def test_running_away_after_a_wrong_answer_does_not_undo_it() -> None:
    provers: list[Callable[[], prover.Prover]] = [prover.GivesUp, prover.HalfTheTasks]
    seen = await look(new_machine(prover=lambda: provers.pop()()))
    assert seen.outcome is Outcome.PROOF_WRONG


async def test_a_prover_that_gives_up_is_unfinished_and_its_words_are_made_harmless() -> None:
    seen = await look(new_machine(prover=prover.GivesUp))
    assert seen.outcome is Outcome.PROOF_UNFINISHED
    assert "\x1b" not in seen.detail
    assert "no memory" in seen.detail


async def test_a_busy_prover_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine_inspection, "BUSY_PAUSE_S", 0.01)
    provers: list[Callable[[], prover.Prover]] = [prover.Prover, prover.Busy, prover.Busy]
    machine = new_machine(prover=lambda: provers.pop()())
    assert (await look(machine)).outcome is Outcome.SEEN
    assert machine.sessions == 4


class _HoldsUpTheLoop(prover.Prover):
    """Runs on the validator's own loop, which cannot turn meanwhile."""

    def cpu_hash(self, demand: Mapping[str, object]) -> dict[str, object]:
        time.sleep(0.03)
        return super().cpu_hash(demand)


async def test_a_proof_timed_by_a_late_loop_is_made_again_without_blame(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lag, "LAG_S_MAX", 0.02)
    monkeypatch.setattr(machine_inspection, "LATE_PROOFS_MAX", 1)
    machine = new_machine(prover=_HoldsUpTheLoop)
    assert (await look(machine)).outcome is Outcome.SEEN
    assert machine.sessions == 3, "facts, a proof that counts for nothing, and another"


async def test_a_prover_that_stays_busy_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine_inspection, "BUSY_PAUSE_S", 0.01)
    seen = await look(new_machine(prover=prover.Busy))
    assert seen.outcome is Outcome.PROVER_BUSY
    assert "Another proof is running" in seen.detail


FLOOD = b'{"op":"hello","pad":"' + b"x" * 2_000_000
DEEP = b'{"op":' + b"[" * 50_000 + b"]" * 50_000 + b"}\n"


@pytest.mark.parametrize(
    "answer",
    [
        FLOOD,
        DEEP,
        b'{"op":"hello","cpus":NaN}\n',
        b'{"op":"hello","op":"hello"}\n',
        b"\xff\xfe\n",
        b"[1]\n",
        b'{"op":"hello","cpus":' + b"9" * 9_000 + b"}\n",
    ],
    ids=["flood", "deep", "nan", "repeated", "binary", "array", "huge-number"],
)
async def test_hostile_answers_end_the_proof_without_harm(answer: bytes) -> None:
    seen = await look(new_machine(reply=lambda line: answer))
    assert seen.outcome is Outcome.PROOF_WRONG


async def test_a_prover_that_never_answers_is_late() -> None:
    machine = new_machine(reply=lambda line: None)
    work = proof.ProofPlan(1, 4, 10, 16, 4, 4, answer_s_max=0.2)

    async with opened(machine):
        door = Door("127.0.0.1", machine.port, machine.machine_key)
        credential = credentials_of(machine)(machine.machine_key)
        async with connect(door, credential=credential, allow_private=True) as connection:
            lines = Lines(await connection.start("proof"))
            with pytest.raises(ProofUnfinished):
                await prove(
                    lines,
                    work=Work(cpu=work),
                    machine=b"m",
                    randomness=RANDOMNESS,
                    rtt_s=connection.rtt_s,
                )


TOLD = builders.facts().model_dump(mode="json")
GPU = builders.gpu(1).model_dump(mode="json")
MOUNT = {"path": "/proc/cpuinfo", "kind": "tmpfs"}


@pytest.mark.parametrize(
    "facts",
    [
        b"not json\n",
        b"{}\n",
        json.dumps({**TOLD, "extra": 1}).encode() + b"\n",
        json.dumps({**TOLD, "hardware": {**TOLD["hardware"], "cpus": -1}}).encode() + b"\n",
        json.dumps({**TOLD, "hardware": {**TOLD["hardware"], "gpus": [GPU, GPU]}}).encode() + b"\n",
        json.dumps({**TOLD, "mounts": [MOUNT] * 33}).encode() + b"\n",
        b"x" * 1_000_000,
        b'{"hostname":' + b"[" * 20_000 + b"\n",
    ],
)
async def test_malformed_facts_suspend_with_a_reason(facts: bytes) -> None:
    seen = await look(new_machine(facts=facts))
    assert seen.outcome is Outcome.FACTS_MALFORMED
    assert seen.detail


async def test_escape_sequences_in_facts_never_reach_a_verdict() -> None:
    told = builders.hardware(hostname="box\x1b]0;gotcha\x07", cpu_model="EP\u202eYC")
    seen = await look(new_machine(hardware=told))
    assert isinstance(seen.hardware, Hardware)
    assert seen.hardware.hostname == "box ]0;gotcha "
    assert seen.hardware.cpu_model == "EP YC"


async def test_another_host_key_than_the_enrolled_one_is_refused_before_any_command() -> None:
    machine, other = new_machine(), new_machine()
    seen = await look(machine, machine_key=other.machine_key)
    assert seen.outcome is Outcome.HOST_KEY_CHANGED
    assert machine.sessions == 0


async def test_a_machine_that_does_not_know_the_validator_is_told_so() -> None:
    machine, stranger = new_machine(), new_machine()
    async with opened(machine):
        seen = await inspector_of(stranger).look(target_of(machine))
    assert seen.outcome is Outcome.LOGIN_REFUSED


async def test_nothing_listening_is_silence() -> None:
    machine = new_machine()
    async with opened(machine):
        pass
    seen = await inspector_of(machine).look(target_of(machine))
    assert seen.outcome is Outcome.SILENT


async def test_a_name_without_address_is_silence() -> None:
    machine = new_machine()
    seen = await inspector_of(machine).look(target_of(machine, address="a..b", control_port=22))
    assert seen.outcome is Outcome.SILENT


async def test_a_machine_that_never_finishes_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine_inspection, "LOOK_S_MAX", 0.3)
    seen = await look(new_machine(reply=lambda line: None))
    assert seen.outcome is Outcome.SILENT


async def test_a_door_that_accepts_and_says_nothing_is_silence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("validator.ssh.connection.LOGIN_S_MAX", 0.2)
    held: list[asyncio.StreamWriter] = []
    tarpit = await asyncio.start_server(lambda _, writer: held.append(writer), "127.0.0.1", 0)
    machine = new_machine(port=tarpit.sockets[0].getsockname()[1])
    seen = await inspector_of(machine).look(target_of(machine))
    for writer in held:
        writer.close()
    tarpit.close()
    assert seen.outcome is Outcome.SILENT


async def test_facts_that_never_come_are_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "FACTS_S_MAX", 0.2)
    seen = await look(new_machine(facts=b""))
    assert seen.outcome is Outcome.SILENT


def _answer_names(patch: pytest.MonkeyPatch, *answers: Sequence[str]) -> list[str]:
    """Let every look-up of a name take the next of ``answers``; return the names asked for."""
    asked: list[str] = []

    def look_up(name: str, port: int, **how: object) -> list[tuple[object, ...]]:
        asked.append(name)
        found = answers[len(asked) - 1]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in found]

    patch.setattr(socket, "getaddrinfo", look_up)
    return asked


async def test_a_name_is_looked_up_once_and_that_address_visited(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    machine = new_machine()
    async with opened(machine):
        # The second time it would be another: nobody listens there.
        asked = _answer_names(monkeypatch, ["127.0.0.1"], ["127.9.9.9"])
        seen = await inspector_of(machine).look(target_of(machine, address="rebound.example"))
    assert (seen.outcome, asked) == (Outcome.SEEN, ["rebound.example"])


async def test_a_name_of_which_one_address_is_inside_is_not_visited(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _answer_names(monkeypatch, ["8.8.8.8", "169.254.169.254"])
    machine = new_machine(port=22)
    inspector = inspector_of(machine, allow_private=False)
    seen = await inspector.look(target_of(machine, address="both.example"))
    assert seen.outcome is Outcome.ADDRESS_REFUSED
    assert "169.254.169.254" in seen.detail


async def test_a_private_address_is_not_visited_unless_allowed() -> None:
    machine = new_machine()
    async with opened(machine):
        seen = await inspector_of(machine, allow_private=False).look(target_of(machine))
    assert seen.outcome is Outcome.ADDRESS_REFUSED
    assert machine.sessions == 0


class _Pipe:
    """A process's pipes as a stream."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._stdin, self._stdout = process.stdin, process.stdout

    @property
    def heard_at(self) -> float:
        return asyncio.get_running_loop().time()

    def write(self, content: bytes) -> None:
        self._stdin.write(content)

    async def read(self, bytes_max: int) -> bytes:
        return await self._stdout.read(bytes_max)

    def close(self) -> None:
        self._stdin.close()


async def test_the_agents_own_prover_satisfies_this_validator() -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "prover.main", "--cores=0"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    work = proof.plan(cpus_free=1, memory_bytes_free=1 << 24, memory_bytes_max=1 << 23)
    assert work is not None
    measured = await prove(
        Lines(_Pipe(process)), work=Work(cpu=work), machine=b"m", randomness=RANDOMNESS, rtt_s=0.0
    )
    assert await asyncio.wait_for(process.wait(), 10) == 0
    assert measured.measurement.memory_bytes_proven == 1 << 23
