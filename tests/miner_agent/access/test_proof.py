"""A validator's session and its prover: who may have one, for how long; nothing is left of it."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import asyncssh
import pytest

from miner_agent.access import door as door_module
from miner_agent.access.door import Answers, open_door
from miner_agent.access.gateway import Gateways
from miner_agent.access.proof import ProofDesk
from miner_agent.domain.spare import Share
from miner_agent.engine import Engine, EngineUnavailable
from miner_agent.gpu_access import GpuDoor
from miner_agent.journal import Journal
from miner_agent.keys import make_private_key
from miner_agent.mps import Mps
from miner_agent.proof_container import DockerProofContainer
from miner_agent.proof_image import ProofImage
from miner_agent.proofs import Proofs
from miner_agent.scratch import Scratch
from protocol.signing import public_key_of
from protocol.validator import SSH_USER
from prover import bundle
from tests.miner_agent.access.visitors import certified
from tests.miner_agent.host import docker
from tests.miner_agent.world import VirtualClock

HELLO = '{"op":"hello","bind":"00"}\n'
BYE = '{"op":"bye"}\n'
#: hours of work: only a killed prover can be done with it
LONG = '{"op":"cpu_hash","nonce":"00","procs":1,"tasks":1,"iterations":1000000000}\n'


@dataclass
class Desk:
    """A door in this process, with real provers behind it."""

    proofs: Proofs
    journal: Journal
    clock: VirtualClock
    keys: list[asyncssh.SSHKey]
    machine_key: str
    port: int = 0
    idle: list[str] = field(default_factory=list)

    def connect(self, number: int = 0):
        return asyncssh.connect(
            "127.0.0.1",
            self.port,
            username=SSH_USER,
            client_keys=[certified(self.keys[number], self.machine_key)],
            known_hosts=None,
            config=None,
            agent_path=None,
        )

    async def say(self, text: str, number: int = 0) -> list[dict[str, object]]:
        async with self.connect(number) as connection:
            done = await connection.run("proof", input=text, timeout=60)
        return [json.loads(line) for line in str(done.stdout).splitlines()]

    def left(self) -> list[str]:
        return docker("ps", "-aq", "--filter", f"name=berth-proof-d{os.getpid()}").split()

    async def is_over(self) -> None:
        async with asyncio.timeout(30):
            while self.idle[-1:] != ["back"] or self.left():
                await asyncio.sleep(0.02)


@pytest.fixture(scope="module")
def image(engine: None) -> Iterator[ProofImage]:
    image = ProofImage(Engine(), machine=f"p{os.getpid()}", program=bundle.program())
    yield image
    image.remove()


@pytest.fixture
async def desk(image: ProofImage, tmp_path: Path) -> AsyncIterator[Desk]:
    machine_key = public_key_of(make_private_key(tmp_path / "key"))
    keys = [asyncssh.generate_private_key("ssh-ed25519") for _ in range(2)]
    journal, clock, talking = Journal(tmp_path / "journal"), VirtualClock(), Engine()
    idle: list[str] = []
    container = DockerProofContainer(
        talking,
        machine=f"d{os.getpid()}",
        gpus=GpuDoor(talking, mps=Mps(tmp_path / "mps", slots=1)),
        image=image,
        scratch=Scratch(tmp_path, root_inside=lambda: talking.facts().root_inside),
    )
    proofs = Proofs(
        container=container,
        prepare=image.ready,
        journal=journal,
        clock=clock,
        offered=lambda: Share(frozenset({0}), frozenset(), 1 << 30),
        seconds_a_day=100,
        leave=lambda: idle.append("away"),
        come_back=lambda: idle.append("back"),
    )
    lines = [key.export_public_key().decode() for key in keys]

    async def facts() -> str:
        return ""

    async def nowhere(placement: str, port: int) -> None:
        return None

    door = await open_door(
        host="127.0.0.1",
        port=0,
        host_key=tmp_path / "key",
        answers=Answers(keys=lambda: lines, facts=facts, proof=ProofDesk(proofs).serve),
        gateways=Gateways(keys=lambda: (), replica=nowhere),
    )
    yield Desk(proofs, journal, clock, keys, machine_key, door.get_port(), idle)
    door.close()
    proofs.remove()
    journal.close()


async def test_a_proof_is_answered_and_leaves_nothing(desk: Desk) -> None:
    said = await desk.say(HELLO + BYE)
    assert [one["op"] for one in said] == ["hello"]
    await desk.is_over()
    assert desk.idle == ["away", "back"]


async def test_a_validator_that_hangs_up_frees_the_machine_at_once(desk: Desk) -> None:
    async with desk.connect() as connection:
        prover = await connection.create_process("proof")
        prover.stdin.write(HELLO + LONG)
        await asyncio.wait_for(prover.stdout.readline(), 30)
        busy = await desk.say(HELLO, number=1)
        assert busy == [
            {"op": "error", "code": "proof_running", "message": "Another proof is running."}
        ]
    await desk.is_over()


async def test_a_proof_that_takes_too_long_is_killed(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(door_module.DEADLINES_S, "proof", 2.0)
    async with desk.connect() as connection:
        done = await connection.run("proof", input=HELLO + LONG, timeout=60)
    assert (done.exit_status, done.stderr) == (126, "This took too long.\n")
    await desk.is_over()


async def test_a_validator_that_has_had_its_share_of_the_day_is_refused(desk: Desk) -> None:
    async with desk.connect() as connection, connection.create_process("proof") as prover:
        prover.stdin.write(HELLO)
        await asyncio.wait_for(prover.stdout.readline(), 30)
        desk.clock.now_ms += 50_000
        prover.stdin.write(BYE)
        await prover.wait(timeout=60)
    await desk.is_over()
    (refused,) = await desk.say(HELLO)
    assert refused["code"] == "proof_budget_spent"
    assert "50 s" in str(refused["message"])
    assert [one["op"] for one in await desk.say(HELLO + BYE, number=1)] == ["hello"]


async def test_a_machine_whose_cores_are_all_taken_says_so(desk: Desk) -> None:
    desk.proofs._offered = lambda: Share(frozenset(), frozenset(), 0)
    (refused,) = await desk.say(HELLO)
    assert refused["code"] == "cores_taken"
    assert not desk.idle


async def test_where_docker_is_away_the_validator_hears_no_more_than_that(desk: Desk) -> None:
    def away() -> None:
        raise EngineUnavailable("secret")

    desk.proofs._prepare = away
    (refused,) = await desk.say(HELLO)
    assert refused["code"] == "proof_unavailable"
    assert "secret" not in str(refused)
