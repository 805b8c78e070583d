"""This will be a machine's SSH door on the loopback: a real asyncssh server with any prover."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import asyncssh
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from protocol.hardware import Hardware
from protocol.signing import openssh_public_key, public_key_of
from tests.validator import builders
from tests.validator.prover import Prover
from validator.ssh.credential import Credential, maker

Reply = Callable[[bytes], bytes | None]


def private_key_text(key: Ed25519PrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()


def credentials_of(machine: "Machine") -> Callable[[str], Credential]:
    """Return what logs in where the machine's validator is known."""
    return maker(private_key_text(machine.validator_key), now_s=lambda: int(time.time()))


@dataclass
class Machine:
    """What a machine at the door has and how it behaves."""

    key: Ed25519PrivateKey
    validator_key: Ed25519PrivateKey
    prover: Callable[[], Prover] = Prover
    hardware: Hardware | None = None
    #: what ``facts`` prints instead of the hardware
    facts: bytes | None = None
    #: what ``proof`` answers to each line instead of a prover's answer; None: nothing, ever
    reply: Reply | None = None
    #: a program that answers ``proof`` instead, and its environment
    program: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    port: int = 0
    sessions: int = 0

    @property
    def machine_key(self) -> str:
        return public_key_of(self.key)

    def facts_line(self) -> bytes:
        if self.facts is not None:
            return self.facts
        return builders.facts(self.hardware).model_dump_json().encode() + b"\n"


def new_machine(**behaviour: object) -> Machine:
    keys = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    return Machine(*keys, **behaviour)  # type: ignore[arg-type]


@asynccontextmanager
async def opened(machine: Machine) -> AsyncIterator[Machine]:
    """Yield the machine while its door listens at ``machine.port``."""

    async def serve(process: "asyncssh.SSHServerProcess[bytes]") -> None:
        machine.sessions += 1
        try:
            await _serve(machine, process)
        except (OSError, asyncssh.Error, asyncio.IncompleteReadError):
            process.close()

    signing = openssh_public_key(public_key_of(machine.validator_key))
    line = f'cert-authority,principals="{machine.machine_key}" {signing}'
    server = await asyncssh.listen(
        "127.0.0.1",
        0,
        server_host_keys=[asyncssh.import_private_key(private_key_text(machine.key))],
        authorized_client_keys=asyncssh.import_authorized_keys(line),
        process_factory=serve,
        encoding=None,
    )
    machine.port = server.sockets[0].getsockname()[1]
    try:
        yield machine
    finally:
        server.close()


async def _serve(machine: Machine, process: "asyncssh.SSHServerProcess[bytes]") -> None:
    if process.command == "facts":
        process.stdout.write(machine.facts_line())
        await process.stdout.drain()
        process.exit(0)
        return
    if machine.program:
        await _run(machine, process)
        return
    prover = machine.prover()
    while line := await process.stdin.readline():
        demand = json.loads(line)
        if demand["op"] == "bye":
            break
        answer = _answer(machine, prover, demand, bytes(line))
        if answer is not None:
            process.stdout.write(answer)
            await process.stdout.drain()
    process.exit(0)


def _answer(
    machine: Machine, prover: Prover, demand: dict[str, object], line: bytes
) -> bytes | None:
    if machine.reply is not None:
        return machine.reply(line)
    return json.dumps(prover.answer(demand)).encode() + b"\n"


async def _run(machine: Machine, process: "asyncssh.SSHServerProcess[bytes]") -> None:
    child = await asyncio.create_subprocess_exec(
        *machine.program,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env=machine.environment,
    )
    assert child.stdin is not None
    assert child.stdout is not None
    feeding = asyncio.create_task(_feed(process, child.stdin))
    try:
        while chunk := await child.stdout.read(65_536):
            process.stdout.write(chunk)
            await process.stdout.drain()
        process.exit(await child.wait())
    finally:
        feeding.cancel()
        if child.returncode is None:
            child.kill()
            await child.wait()


async def _feed(process: "asyncssh.SSHServerProcess[bytes]", program: asyncio.StreamWriter) -> None:
    while line := await process.stdin.readline():
        program.write(line)
        await program.drain()
    program.close()
