"""This will open one SSH connection to a machine whose host key is known beforehand.

The only module that imports asyncssh. It reads no agent, no configuration and no known_hosts file,
and it trusts one key: the machine's own.
"""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Protocol

import asyncssh

from protocol.signing import openssh_public_key
from protocol.validator import SSH_USER
from validator.domain import address as addresses

#: seconds. Source: gpu_verification.md 5.3, "connect 10 s, auth 10 s"
CONNECT_S_MAX = 10.0
LOGIN_S_MAX = 10.0
#: bytes that a machine may send ahead of our reading
WINDOW_BYTES = 262_144


class Unreachable(Exception):
    """The machine did not answer, or the connection broke."""


class HostKeyChanged(Exception):
    """Somebody answered at the address, but not the machine that was enrolled."""


class LoginRefused(Exception):
    """The machine answered, but it does not know this validator's key."""


@dataclass(frozen=True, slots=True)
class Door:
    """Where a machine's agent listens and the one key that it must show."""

    address: str
    port: int
    machine_key: str


class Stream(Protocol):
    """One running command: bytes to write, bytes to read."""

    def write(self, content: bytes) -> None: ...

    async def read(self, bytes_max: int) -> bytes: ...

    def close(self) -> None: ...


class Connection:
    """An open connection; each command gets a channel of its own."""

    def __init__(self, inner: asyncssh.SSHClientConnection, *, rtt_s: float) -> None:
        self._inner = inner
        #: seconds of the TCP handshake
        self.rtt_s = rtt_s

    async def start(self, command: str) -> Stream:
        """Start one of the machine's forced commands.

        :raises Unreachable: when the machine opens no channel.
        """
        try:
            async with asyncio.timeout(CONNECT_S_MAX):
                process = await self._inner.create_process(
                    command,
                    encoding=None,
                    stderr=asyncssh.DEVNULL,
                    window=WINDOW_BYTES,
                    request_pty=False,
                )
        except (OSError, TimeoutError, asyncssh.Error) as error:
            raise Unreachable("The machine opened no channel.") from error
        return _Channel(process)


class _Channel:
    def __init__(self, process: "asyncssh.SSHClientProcess[bytes]") -> None:
        self._process = process

    def write(self, content: bytes) -> None:
        # A channel that the machine closed may still hold its last words: the reader sees both.
        with suppress(OSError, asyncssh.Error):
            self._process.stdin.write(content)

    async def read(self, bytes_max: int) -> bytes:
        try:
            return await self._process.stdout.read(bytes_max)
        except (OSError, asyncssh.Error) as error:
            raise Unreachable("The connection broke.") from error

    def close(self) -> None:
        self._process.close()


@asynccontextmanager
async def connect(door: Door, *, key: str, allow_private: bool) -> AsyncIterator[Connection]:
    """Yield a connection to ``door``, logged in with the private ``key`` (OpenSSH text).

    :raises AddressRefused: when the address is not one to visit.
    :raises Unreachable: when nothing answers in time.
    :raises HostKeyChanged: when another key than the machine's is shown.
    :raises LoginRefused: when the machine does not accept the key.
    """
    numeric = await _resolve(door, allow_private=allow_private)
    opened, rtt_s = await _dial(numeric, door.port)
    inner = await _log_in(opened, door, key)
    try:
        yield Connection(inner, rtt_s=rtt_s)
    finally:
        # The close is never awaited: a machine that never acknowledges it would hold us.
        inner.abort()


async def _resolve(door: Door, *, allow_private: bool) -> str:
    """Resolve once and connect to that very address, so that a second answer cannot differ."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(CONNECT_S_MAX):
            found = await loop.getaddrinfo(door.address, door.port, type=socket.SOCK_STREAM)
    except (OSError, TimeoutError, UnicodeError) as error:
        raise Unreachable("The machine's name has no address.") from error
    return addresses.check(str(found[0][4][0]), allow_private=allow_private)


async def _dial(numeric: str, port: int) -> tuple[socket.socket, float]:
    loop = asyncio.get_running_loop()
    family = socket.AF_INET6 if ":" in numeric else socket.AF_INET
    plain = socket.socket(family, socket.SOCK_STREAM)
    plain.settimeout(0)
    started = loop.time()
    try:
        async with asyncio.timeout(CONNECT_S_MAX):
            await loop.sock_connect(plain, (numeric, port))
    except (OSError, TimeoutError) as error:
        plain.close()
        raise Unreachable(f"Nothing answers at port {port}.") from error
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return plain, loop.time() - started


async def _log_in(opened: socket.socket, door: Door, key: str) -> asyncssh.SSHClientConnection:
    pinned = asyncssh.import_public_key(openssh_public_key(door.machine_key))
    try:
        async with asyncio.timeout(LOGIN_S_MAX):
            return await asyncssh.connect(
                sock=opened,
                username=SSH_USER,
                client_keys=[asyncssh.import_private_key(key)],
                known_hosts=([pinned], [], []),
                server_host_key_algs=["ssh-ed25519"],
                preferred_auth="publickey",
                agent_path=None,
                config=None,
                compression_algs=None,
                login_timeout=LOGIN_S_MAX,
                keepalive_interval=15,
                keepalive_count_max=3,
            )
    except asyncssh.HostKeyNotVerifiable as error:
        raise HostKeyChanged("Another host key answered than the one enrolled.") from error
    except asyncssh.PermissionDenied as error:
        raise LoginRefused("The machine does not know this validator's key.") from error
    except (OSError, TimeoutError, asyncssh.Error) as error:
        raise Unreachable("The machine's SSH door did not answer in time.") from error
