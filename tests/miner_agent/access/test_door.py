"""The validators' door of a running agent: three words, certificates, nothing else."""

import asyncio
import hashlib
import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass

import asyncssh
import pytest

from protocol.agent import GATEWAY_USER
from protocol.facts import Facts
from protocol.signing import openssh_public_key
from protocol.validator import SSH_USER
from tests.miner_agent.access.visitors import certified
from tests.miner_agent.host import Host, docker

BIND, NONCE = b"b" * 32, b"n" * 16


@dataclass
class Visit:
    host: Host
    key: asyncssh.SSHKey

    def connect(
        self,
        *,
        user: str = SSH_USER,
        keys: Sequence[object] = (),
        client_factory: type[asyncssh.SSHClient] | None = None,
        **changes: object,
    ):
        """Connect with ``keys``, or with a certificate that has these changes."""
        port = self.host.control_port
        pair = certified(self.key, self.host.market.machine_key, **changes)
        host_key = openssh_public_key(self.host.market.machine_key)
        known = asyncssh.import_known_hosts(f"[127.0.0.1]:{port} {host_key}\n")
        return asyncssh.connect(
            "127.0.0.1",
            port,
            username=user,
            client_keys=keys or [pair],
            client_factory=client_factory,
            known_hosts=known,
            config=None,
            agent_path=None,
        )


@pytest.fixture
async def visit(running_host: Host) -> Visit:
    key = asyncssh.generate_private_key("ssh-ed25519")
    running_host.market.admit("ssh-ed25519 not-a-key", key.export_public_key().decode().strip())
    market = running_host.market
    revision = market.revision
    await asyncio.to_thread(market.wait_until, lambda: market.applied >= revision)
    return Visit(running_host, key)


async def test_an_admitted_validator_is_answered(visit: Visit) -> None:
    async with visit.connect() as connection:
        pong = await connection.run("ping", timeout=60)
        facts = await connection.run("facts", timeout=60)
    assert (pong.stdout, pong.exit_status) == ("pong\n", 0)
    told = Facts.model_validate_json(facts.stdout)
    hardware = told.hardware
    assert told.processors.listed >= hardware.cpus
    assert told.engine.cgroup_driver
    assert told.marks.machine_id
    assert hardware.cpus >= 1
    assert hardware.storage_driver
    assert hardware.disk_bytes == 4096 << 20


@pytest.mark.parametrize("word", ["sh", "ping; id", "facts ", "", "PING", "/bin/sh -c id"])
async def test_every_other_word_is_refused(visit: Visit, word: str) -> None:
    async with visit.connect() as connection:
        result = await connection.run(word, timeout=60)
    assert result.exit_status == 126
    assert result.stdout == ""
    assert "only these words" in result.stderr


async def test_there_is_no_terminal_no_sftp_and_no_forwarding(visit: Visit) -> None:
    async with visit.connect() as connection:
        with pytest.raises(asyncssh.ChannelOpenError):
            await connection.create_process("ping", term_type="xterm", request_pty="force")
        with pytest.raises((asyncssh.ChannelOpenError, asyncssh.SFTPError)):
            await connection.start_sftp_client()
        with pytest.raises(asyncssh.ChannelOpenError):
            await connection.open_connection("127.0.0.1", visit.host.control_port)
        with pytest.raises(asyncssh.ChannelListenError):
            await connection.forward_remote_port("127.0.0.1", 0, "127.0.0.1", 1)


async def test_a_certificate_by_a_key_that_no_validator_has_stays_out(visit: Visit) -> None:
    stranger = asyncssh.generate_private_key("ssh-ed25519")
    with pytest.raises(asyncssh.PermissionDenied):
        await visit.connect(keys=[certified(stranger, visit.host.market.machine_key)])


async def test_the_registered_key_itself_opens_nothing(visit: Visit) -> None:
    heard: list[str] = []

    class Client(asyncssh.SSHClient):
        def auth_banner_received(self, msg: str, lang: str) -> None:
            heard.append(msg)

    with pytest.raises(asyncssh.PermissionDenied):
        await visit.connect(keys=[visit.key], client_factory=Client)
    assert "log in here with a certificate" in heard[0]


@pytest.mark.parametrize(
    "wrong",
    [
        {"principals": ["ab" * 32]},
        {"principals": []},
        {"principals": [SSH_USER]},
        {"valid_after": "-10m", "valid_before": "-1s"},
        {"valid_after": "+1m", "valid_before": "+10m"},
        {"source_address": ["192.0.2.1"]},
    ],
    ids=["another_machine", "any_user", "user", "expired", "not_yet", "another_address"],
)
async def test_a_certificate_for_something_else_stays_out(visit: Visit, wrong: dict) -> None:
    with pytest.raises(asyncssh.PermissionDenied):
        await visit.connect(**wrong)


@pytest.mark.parametrize("user", ["root", GATEWAY_USER])
async def test_another_user_name_stays_out(visit: Visit, user: str) -> None:
    with pytest.raises(asyncssh.PermissionDenied):
        await visit.connect(user=user)


async def test_a_validator_that_is_dismissed_stays_out_from_then_on(visit: Visit) -> None:
    market = visit.host.market
    market.admit()
    revision = market.revision
    await asyncio.to_thread(market.wait_until, lambda: market.applied >= revision)
    with pytest.raises(asyncssh.PermissionDenied):
        await visit.connect()


async def test_a_proof_is_given_and_its_answers_can_be_opened(visit: Visit) -> None:
    async with visit.connect() as connection, connection.create_process("proof") as prover:

        async def ask(**request: object) -> dict:
            prover.stdin.write(json.dumps(request) + "\n")
            return json.loads(await asyncio.wait_for(prover.stdout.readline(), 30))

        hello = await ask(op="hello", bind=BIND.hex())
        nonce = NONCE.hex()
        committed = await ask(op="cpu_hash", nonce=nonce, procs=2, tasks=5, iterations=10)
        opened = await ask(op="open", what="hash", leaves=[4, 1])
        unknown = await ask(op="shell")
        prover.stdin.write('{"op":"bye"}\n')
        done = await prover.wait(timeout=60)
    assert hello["affinity"] >= 1
    seed = hashlib.sha256(hashlib.sha256(BIND + b"cpu").digest() + NONCE).digest()
    for leaf, item in zip((4, 1), opened["items"], strict=True):
        expected = hashlib.pbkdf2_hmac("sha256", seed, struct.pack("<Q", leaf), 10)
        assert item["digest"] == expected.hex()
    assert len(committed["root"]) == 64
    assert unknown["op"] == "error"
    assert done.exit_status == 0


async def test_an_agent_that_is_killed_leaves_no_proof_behind(visit: Visit) -> None:
    host = visit.host
    named = f"name=berth-proof-{host.market.machine_key[:12]}"
    async with visit.connect() as connection:
        prover = await connection.create_process("proof")
        # Hours of work: only a killed process can be done with it.
        long = {"op": "cpu_hash", "nonce": "00", "procs": 1, "tasks": 1, "iterations": 1 << 30}
        hello = {"op": "hello", "bind": BIND.hex()}
        prover.stdin.write(json.dumps(hello) + "\n" + json.dumps(long) + "\n")
        await asyncio.wait_for(prover.stdout.readline(), 30)
        assert docker("ps", "-q", "--filter", named)
        await asyncio.to_thread(host.kill)
    assert docker("ps", "-aq", "--filter", named)
    host.start()
    async with asyncio.timeout(30):
        while docker("ps", "-aq", "--filter", named):
            await asyncio.sleep(0.05)
