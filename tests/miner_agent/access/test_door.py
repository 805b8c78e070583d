"""The validators' door of a running agent: three words, known keys, nothing else."""

import asyncio
import contextlib
import hashlib
import json
import os
import pwd
import re
import struct
from dataclasses import dataclass
from pathlib import Path

import asyncssh
import pytest

from protocol.hardware import Hardware
from protocol.signing import openssh_public_key
from protocol.validator import SSH_USER
from tests.miner_agent.host import Host

BIND, NONCE = b"b" * 32, b"n" * 16


@dataclass
class Visit:
    host: Host
    key: asyncssh.SSHKey

    def connect(self, *, user: str = SSH_USER, key: asyncssh.SSHKey | None = None):
        port = self.host.control_port
        host_key = openssh_public_key(self.host.market.machine_key)
        known = asyncssh.import_known_hosts(f"[127.0.0.1]:{port} {host_key}\n")
        return asyncssh.connect(
            "127.0.0.1",
            port,
            username=user,
            client_keys=[key or self.key],
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
        pong = await connection.run("ping", timeout=10)
        facts = await connection.run("facts", timeout=30)
    assert (pong.stdout, pong.exit_status) == ("pong\n", 0)
    hardware = Hardware.model_validate_json(facts.stdout)
    assert hardware.cpus >= 1
    assert hardware.storage_driver
    assert hardware.disk_bytes == 4096 << 20


@pytest.mark.parametrize("word", ["sh", "ping; id", "facts ", "", "PING", "/bin/sh -c id"])
async def test_every_other_word_is_refused(visit: Visit, word: str) -> None:
    async with visit.connect() as connection:
        result = await connection.run(word, timeout=10)
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


async def test_a_key_that_no_validator_has_stays_out(visit: Visit) -> None:
    with pytest.raises(asyncssh.PermissionDenied):
        await visit.connect(key=asyncssh.generate_private_key("ssh-ed25519"))


async def test_another_user_name_stays_out(visit: Visit) -> None:
    with pytest.raises(asyncssh.PermissionDenied):
        await visit.connect(user="root")


async def test_a_validator_that_is_dismissed_stays_out_from_then_on(visit: Visit) -> None:
    market = visit.host.market
    market.admit()
    revision = market.revision
    await asyncio.to_thread(market.wait_until, lambda: market.applied >= revision)
    with pytest.raises(asyncssh.PermissionDenied):
        await visit.connect()


async def test_a_proof_runs_as_nobody_and_its_answers_can_be_opened(visit: Visit) -> None:
    async with visit.connect() as connection, connection.create_process("proof") as prover:

        async def ask(**request: object) -> dict:
            prover.stdin.write(json.dumps(request) + "\n")
            return json.loads(await asyncio.wait_for(prover.stdout.readline(), 30))

        hello = await ask(op="hello", bind=BIND.hex())
        nobody = pwd.getpwnam("nobody").pw_uid
        assert prover_user() == (nobody if os.geteuid() == 0 else os.geteuid())
        nonce = NONCE.hex()
        committed = await ask(op="cpu_hash", nonce=nonce, procs=2, tasks=5, iterations=10)
        opened = await ask(op="open", what="hash", leaves=[4, 1])
        unknown = await ask(op="shell")
        prover.stdin.write('{"op":"bye"}\n')
        done = await prover.wait(timeout=10)
    assert hello["affinity"] >= 1
    seed = hashlib.sha256(hashlib.sha256(BIND + b"cpu").digest() + NONCE).digest()
    for leaf, item in zip((4, 1), opened["items"], strict=True):
        expected = hashlib.pbkdf2_hmac("sha256", seed, struct.pack("<Q", leaf), 10)
        assert item["digest"] == expected.hex()
    assert len(committed["root"]) == 64
    assert unknown["op"] == "error"
    assert done.exit_status == 0


def prover_user() -> int:
    """Return the one user whose rights the running prover has left."""
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            command = status.with_name("cmdline").read_bytes()
            if b"This will answer a validator's proof-of-CPU" in command:
                users = re.search(r"^Uid:\t(\d+)\t\1\t\1\t\1$", status.read_text(), re.MULTILINE)
                assert users is not None
                return int(users[1])
        except FileNotFoundError:
            continue
    raise AssertionError("There is no prover.")


async def test_a_validator_that_hangs_up_frees_the_prover(visit: Visit) -> None:
    async with visit.connect() as connection:
        first = await connection.create_process("proof")
        first.stdin.write(json.dumps({"op": "hello", "bind": BIND.hex()}) + "\n")
        await asyncio.wait_for(first.stdout.readline(), 20)
        # Hours of work: only a killed process can be done with it.
        long = {"op": "cpu_hash", "nonce": "00", "procs": 1, "tasks": 1, "iterations": 1 << 30}
        first.stdin.write(json.dumps(long) + "\n")
    async with visit.connect() as connection:
        short = json.dumps({"op": "hello", "bind": BIND.hex()}) + '\n{"op":"bye"}\n'
        answers = set()
        async with asyncio.timeout(20):
            while "hello" not in answers:
                # A busy prover may hang up before it is told anything.
                with contextlib.suppress(BrokenPipeError):
                    second = await connection.run("proof", input=short)
                    answers.add(json.loads(second.stdout)["op"])


async def test_a_second_proof_waits_for_its_turn(visit: Visit) -> None:
    async with visit.connect() as connection, connection.create_process("proof") as first:
        first.stdin.write(json.dumps({"op": "hello", "bind": BIND.hex()}) + "\n")
        await asyncio.wait_for(first.stdout.readline(), 20)
        second = await connection.run("proof", timeout=10)
        assert json.loads(second.stdout)["op"] == "error"
        first.stdin.write('{"op":"bye"}\n')
        await first.wait(timeout=10)
