"""This will be the agent's own SSH door: validators may say facts, proof or ping, no more.

Gateways may say nothing at all; they open streams to replicas, see ``gateway.py``. A gateway logs
in with its key; a validator with a certificate for this machine, which its registered key signed.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

import asyncssh

from miner_agent.access.gateway import Gateways
from miner_agent.access.proof import SIGNER
from miner_agent.domain.crowd import VISITS_MOST, leaving
from miner_agent.keys import read_private_key
from protocol.agent import GATEWAY_USER
from protocol.signing import machine_key_of, openssh_public_key, public_key_of
from protocol.validator import COMMAND_FACTS, COMMAND_PING, COMMAND_PROOF, COMMANDS, SSH_USER

logger = logging.getLogger(__name__)

#: a connection that has not logged in by then ends
LOGIN_S = 10
SESSIONS_MOST = 32
#: seconds that a command may take
DEADLINES_S = {COMMAND_PING: 10.0, COMMAND_FACTS: 30.0, COMMAND_PROOF: 600.0}
#: a validator's connection ends after this, whatever it does
CONNECTION_S = 900.0
KEEPALIVE_S = 30
REFUSED_STATUS = 126
ADVICE = (
    "Validators log in here with a certificate: signed by the key that they registered, valid now,"
    " and with this machine's key in hex as its principal."
)


@dataclass(frozen=True, slots=True)
class Answers:
    """What the words do. ``keys`` is asked at every login, so a revoked key is out at once.

    They sign validators' certificates.
    """

    keys: Callable[[], Sequence[str]]
    facts: Callable[[], Awaitable[str]]
    proof: Callable[[asyncssh.SSHServerProcess[bytes]], Awaitable[int]]


class NoAnswer(Exception):
    """The word is known and cannot be answered now; the sentence says why."""


class Hall:
    """Everybody who is at the door: those who wait to log in, oldest first, and who is in."""

    def __init__(self) -> None:
        self.waiting: dict[Door, str] = {}
        self.inside: dict[Door, str] = {}

    def arrive(self, door: "Door", address: str) -> None:
        """Let a connection wait; where there are too many, another one has to leave for it."""
        place = leaving(list(self.waiting.values()), newcomer=address)
        left = None if place is None else list(self.waiting)[place]
        self.waiting[door] = address
        if left is not None:
            del self.waiting[left]
            left.drop()

    def enter(self, door: "Door", key: str) -> bool:
        """Let in who has logged in; False where they are here too often already."""
        self.waiting.pop(door, None)
        if list(self.inside.values()).count(key) >= VISITS_MOST:
            return False
        self.inside[door] = key
        return True

    def show_out(self) -> None:
        """End the connections of everybody whose key may come in no more."""
        for door in list(self.inside):
            if not door.is_known():
                door.drop()

    def leave(self, door: "Door") -> None:
        """Forget a connection."""
        self.waiting.pop(door, None)
        self.inside.pop(door, None)


class Door(asyncssh.SSHServer):
    """One connection. asyncssh refuses forwarding of every kind unless it is implemented here."""

    def __init__(
        self,
        hall: Hall,
        keys: Callable[[], Sequence[str]],
        gateways: Gateways,
        *,
        machine_key: str,
    ) -> None:
        self._hall = hall
        self._machine_key = machine_key
        self._keys = {SSH_USER: keys, GATEWAY_USER: gateways.keys}
        self._gateways = gateways
        self._user, self._key = "", ""
        self._connection: asyncssh.SSHServerConnection | None = None
        self._end: asyncio.TimerHandle | None = None

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        """Let the connection wait for its log-in."""
        self._connection = conn
        self._hall.arrive(self, str(conn.get_extra_info("peername")[0]))
        self._end = asyncio.get_running_loop().call_later(CONNECTION_S, conn.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._hall.leave(self)
        self._connection = None
        if self._end is not None:
            self._end.cancel()

    def auth_completed(self) -> None:
        """Take the connection out of the waiting room."""
        signers = self._connection and self._connection.get_key_option(SIGNER)
        if self._connection is not None and self._user == SSH_USER and isinstance(signers, list):
            self._key = str(signers[0])
            self._connection.set_extra_info(**{SIGNER: self._key})
        if not self.is_known() or not self._hall.enter(self, f"{self._user} {self._key}"):
            self.drop()
        elif self._user == GATEWAY_USER and self._end is not None:
            # Its streams are renters' requests, which last as long as they last.
            self._end.cancel()

    def drop(self) -> None:
        """End the connection at once."""
        if self._connection is not None:
            self._connection.abort()

    def begin_auth(self, username: str) -> bool:
        """Ask everybody for a key; only a validator may show a certificate instead."""
        self._user, self._key = username, ""
        if self._connection is not None:
            signers = self._signers() if username == SSH_USER else None
            self._connection.set_authorized_keys(signers)
        return True

    def public_key_auth_supported(self) -> bool:
        """Accept keys only."""
        return True

    def password_auth_supported(self) -> bool:
        """Accept no password."""
        return False

    def kbdint_auth_supported(self) -> bool:
        """Accept no dialogue."""
        return False

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        """Let in a gateway whose ed25519 key the marketplace has named."""
        if username == SSH_USER:
            if self._connection is not None:
                self._connection.send_auth_banner(ADVICE)
            return False
        offered = _ed25519(key.export_public_key("openssh").decode())
        self._key = offered or ""
        return self.is_known()

    def connection_requested(
        self, dest_host: str, dest_port: int, orig_host: str, orig_port: int
    ) -> Literal[False] | Coroutine[None, None, asyncssh.SSHTCPSession[bytes]]:
        """Open a stream to a replica, for a gateway alone."""
        if self._user != GATEWAY_USER:
            return False
        if not self.is_known():
            # Dismissed since it logged in.
            asyncio.get_running_loop().call_soon(self.drop)
            return False
        return self._open(dest_host, dest_port)

    def _signers(self) -> asyncssh.SSHAuthorizedKeys | None:
        """Return whose certificates are good; asyncssh checks their principals and times."""
        lines = [
            f'cert-authority,principals="{self._machine_key}",{SIGNER}="{key}"'
            f" {openssh_public_key(key)}"
            for key in map(_ed25519, self._keys[SSH_USER]())
            if key is not None
        ]
        return asyncssh.import_authorized_keys("\n".join(lines)) if lines else None

    async def _open(self, placement: str, port: int) -> asyncssh.SSHTCPSession[bytes]:
        stream = await self._gateways.open(self._key, placement, port)
        if self._connection is None:
            # The gateway hung up meanwhile: nobody else would ever close it.
            stream.close()
        return cast(asyncssh.SSHTCPSession[bytes], stream)

    def is_known(self) -> bool:
        """Say whether who has logged in may still do so."""
        keys = self._keys.get(self._user)
        return keys is not None and bool(self._key) and self._key in map(_ed25519, keys())


async def open_door(
    *,
    host: str,
    port: int,
    host_key: Path,
    answers: Answers,
    gateways: Gateways,
    hall: Hall | None = None,
) -> asyncssh.SSHAcceptor:
    """Listen for validators and gateways; the door's host key is the machine's own key.

    ``hall`` is where they will be; None: nobody asks.
    """
    hall = Hall() if hall is None else hall
    machine_key = public_key_of(read_private_key(host_key))
    sessions = asyncio.Semaphore(SESSIONS_MOST)

    async def serve(process: asyncssh.SSHServerProcess[bytes]) -> None:
        if process.get_extra_info("username") != SSH_USER:
            await _refuse(process, "A gateway can only open streams to replicas here.")
            process.close()
            return
        if sessions.locked():
            await _refuse(process, "This door has too many visitors; come back later.")
            return
        async with sessions:
            await _serve(process, answers)

    return await asyncssh.create_server(
        lambda: Door(hall, answers.keys, gateways, machine_key=machine_key),
        host,
        port,
        server_host_keys=[str(host_key)],
        process_factory=serve,
        encoding=None,
        login_timeout=LOGIN_S,
        keepalive_interval=KEEPALIVE_S,
        allow_pty=False,
        agent_forwarding=False,
        x11_forwarding=False,
        allow_scp=False,
        sftp_factory=None,
        line_editor=False,
        server_version="Berth",
    )


def _ed25519(line: str) -> str | None:
    """Return the key in hex; None where the line holds no ed25519 key."""
    try:
        return machine_key_of(line)
    except ValueError:
        return None


async def _serve(process: asyncssh.SSHServerProcess[bytes], answers: Answers) -> None:
    word = process.command
    try:
        if word not in COMMANDS or process.subsystem is not None:
            words = ", ".join(COMMANDS)
            await _refuse(process, f"This door knows only these words: {words}.")
            return
        async with asyncio.timeout(DEADLINES_S[word]):
            status = await _answer(word, process, answers)
        process.exit(status)
    except TimeoutError:
        await _refuse(process, "This took too long.")
    except NoAnswer as error:
        await _refuse(process, str(error))
    except (asyncssh.Error, ConnectionError, asyncio.IncompleteReadError) as error:
        logger.info("validator session broke", extra={"word": word, "error": str(error)})
    finally:
        process.close()


async def _answer(word: str, process: asyncssh.SSHServerProcess[bytes], answers: Answers) -> int:
    if word == COMMAND_PROOF:
        return await answers.proof(process)
    text = await answers.facts() if word == COMMAND_FACTS else "pong"
    process.stdout.write(text.encode() + b"\n")
    await process.stdout.drain()
    return 0


async def _refuse(process: asyncssh.SSHServerProcess[bytes], sentence: str) -> None:
    with contextlib.suppress(asyncssh.Error, ConnectionError):
        process.stderr.write(sentence.encode() + b"\n")
        process.exit(REFUSED_STATUS)
