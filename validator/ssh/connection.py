"""This will open one SSH connection to a machine whose host key is known beforehand.

It reads no agent, no configuration and no known_hosts file, and it trusts one key: the machine's
own. What the machine may send is bounded in ``guarded.py``.
"""

import asyncio
import socket
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import cache, partial
from typing import Protocol, cast

import asyncssh

from protocol.signing import openssh_public_key
from validator.domain import address as addresses
from validator.ssh.credential import VALID_S, Credential
from validator.ssh.guarded import GuardedConnection, TookTooMuch
from validator.ssh.output import WINDOW_BYTES, Output

#: seconds. Source: gpu_verification.md 5.3, "connect 10 s, auth 10 s"
CONNECT_S_MAX = 10.0
LOGIN_S_MAX = 10.0
#: looking up a name may last long after nobody waits for it any more; names wait for names only
NAMES_AT_ONCE = 4


class Unreachable(Exception):
    """The machine did not answer, or the connection broke."""


class HostKeyChanged(Exception):
    """Somebody answered at the address, but not the machine that was enrolled."""


class LoginRefused(Exception):
    """The machine answered, but it does not let this validator in."""


@dataclass(frozen=True, slots=True)
class Door:
    """Where a machine's agent listens and the one key that it must show."""

    address: str
    port: int
    machine_key: str


class Stream(Protocol):
    """One running command: bytes to write, bytes to read."""

    @property
    def heard_at(self) -> float:
        """Return when the latest bytes came off the socket, on the loop's clock."""
        ...

    def write(self, content: bytes) -> None: ...

    async def read(self, bytes_max: int) -> bytes: ...

    def close(self) -> None: ...


class Connection:
    """An open connection; each command gets a channel of its own."""

    def __init__(self, inner: GuardedConnection, *, rtt_s: float) -> None:
        self._inner = inner
        #: seconds of the TCP handshake
        self.rtt_s = rtt_s

    async def start(self, command: str, *, window_bytes: int = WINDOW_BYTES) -> Stream:
        """Start one of the machine's forced commands; it may be so far ahead of our reading.

        :raises Unreachable: when the machine opens no channel.
        """
        try:
            async with asyncio.timeout(CONNECT_S_MAX):
                channel, session = await self._inner.create_session(
                    Output, command, window=window_bytes
                )
        except (OSError, TimeoutError, asyncssh.Error) as error:
            raise Unreachable(_why(error, "The machine opened no channel.")) from error
        return _Command(self._inner, channel, cast(Output, session))


class _Command:
    def __init__(
        self,
        connection: GuardedConnection,
        channel: "asyncssh.SSHClientChannel[bytes]",
        output: Output,
    ) -> None:
        self._connection = connection
        self._channel = channel
        self._output = output

    @property
    def heard_at(self) -> float:
        return self._connection.heard_at

    def write(self, content: bytes) -> None:
        # A channel that the machine closed may still hold its last words: the reader sees both.
        with suppress(OSError, asyncssh.Error):
            self._channel.write(content)

    async def read(self, bytes_max: int) -> bytes:
        try:
            return await self._output.read(bytes_max)
        except (OSError, asyncssh.Error) as error:
            raise Unreachable(_why(error, "The connection broke.")) from error

    def close(self) -> None:
        self._channel.close()


@asynccontextmanager
async def connect(
    door: Door, *, credential: Credential, allow_private: bool
) -> AsyncIterator[Connection]:
    """Yield a connection to ``door``, logged in by ``credential``.

    :raises AddressRefused: when the address is not one to visit.
    :raises Unreachable: when nothing answers in time.
    :raises HostKeyChanged: when another key than the machine's is shown.
    :raises LoginRefused: when the machine does not accept the certificate.
    """
    numeric = await _resolve(door, allow_private=allow_private)
    opened, rtt_s = await _dial(numeric, door.port)
    inner = await _log_in(opened, door, credential)
    try:
        yield Connection(inner, rtt_s=rtt_s)
    finally:
        # The close is never awaited: a machine that never acknowledges it would hold us.
        inner.abort()


async def _resolve(door: Door, *, allow_private: bool) -> str:
    """Resolve once and connect to that very address, so that a second answer cannot differ."""
    if addresses.is_numeric(door.address):
        return addresses.check(door.address, allow_private=allow_private)
    loop = asyncio.get_running_loop()
    look_up = partial(socket.getaddrinfo, door.address, door.port, type=socket.SOCK_STREAM)
    try:
        async with asyncio.timeout(CONNECT_S_MAX):
            found = await loop.run_in_executor(_names(), look_up)
    except (OSError, TimeoutError, UnicodeError) as error:
        raise Unreachable("The machine's name has no address.") from error
    # Every one of them, not only the first: a name with one address of ours is no machine's name.
    checked = [addresses.check(str(each[4][0]), allow_private=allow_private) for each in found]
    return checked[0]


@cache
def _names() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(NAMES_AT_ONCE, "names")


async def _dial(numeric: str, port: int) -> tuple[socket.socket, float]:
    loop = asyncio.get_running_loop()
    family = socket.AF_INET6 if ":" in numeric else socket.AF_INET
    plain = socket.socket(family, socket.SOCK_STREAM)
    try:
        plain.settimeout(0)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        started = loop.time()
        async with asyncio.timeout(CONNECT_S_MAX):
            await loop.sock_connect(plain, (numeric, port))
    except (OSError, TimeoutError) as error:
        plain.close()
        raise Unreachable(f"Nothing answers at port {port}.") from error
    except BaseException:
        plain.close()
        raise
    return plain, loop.time() - started


async def _log_in(opened: socket.socket, door: Door, credential: Credential) -> GuardedConnection:
    inner = GuardedConnection(
        machine_key=asyncssh.import_public_key(openssh_public_key(door.machine_key)),
        own_key=(
            asyncssh.import_private_key(credential.private_key),
            asyncssh.import_certificate(credential.certificate),
        ),
    )
    try:
        async with asyncio.timeout(LOGIN_S_MAX):
            await asyncio.get_running_loop().create_connection(lambda: inner, sock=opened)
            await inner.logged_in
    except asyncssh.HostKeyNotVerifiable as error:
        raise HostKeyChanged("Another host key answered than the one enrolled.") from error
    except asyncssh.PermissionDenied as error:
        raise LoginRefused(
            "The machine does not let this validator in: it has not learnt the validator's key yet,"
            f" or its clock is more than {VALID_S // 60} minutes wrong."
        ) from error
    except TimeoutError as error:
        raise Unreachable("The machine's SSH door did not answer in time.") from error
    except (OSError, asyncssh.Error) as error:
        raise Unreachable(_why(error, "The machine's SSH door broke off the log-in.")) from error
    finally:
        if not inner.has_entered:
            inner.abort()
            if not inner.has_socket:
                opened.close()
    return inner


def _why(error: Exception, otherwise: str) -> str:
    """Return our own reason for ending a connection; a machine's words are never repeated."""
    if isinstance(error, TookTooMuch):
        return f"The connection was ended: {error.reason}"
    return otherwise
