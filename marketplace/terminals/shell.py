"""This will log in to a rental's SSH door for a terminal in a browser.

The door is known by the host key that its machine told; no other key is let by. The key that logs
in is made here, and is never written down.
"""

import asyncio
from dataclasses import dataclass

import asyncssh

from marketplace.endpoints.gateway.addresses import Addresses
from protocol.address import is_public

CONNECT_S = 10.0
#: so long a machine has to hear of the key; it is told at once
ADMIT_S = 20.0
#: between two tries to log in, doubled each time
PAUSE_S_MIN, PAUSE_S_MAX = 0.1, 2.0
KEEPALIVE_S, KEEPALIVES_MISSED = 15, 3
#: bytes that the rental may send ahead of our reading, and that we read at once
WINDOW_BYTES, READ_BYTES_MAX = 1 << 16, 1 << 15
TERM = "xterm-256color"


class ShellFailed(Exception):
    """There is no shell; ``code`` is a key of domain.terminal.END."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Door:
    """Where a rental's SSH server is, and which host key it has."""

    host: str
    port: int
    user: str
    host_key: str


@dataclass(frozen=True, slots=True)
class Size:
    """Of a window, in characters."""

    columns: int
    rows: int


class Key:
    """Logs in once, as whom the rental admits for a moment."""

    def __init__(self) -> None:
        self.private = asyncssh.generate_private_key("ssh-ed25519")

    @property
    def public(self) -> str:
        """Return ``ssh-ed25519 AAAA...``."""
        return " ".join(self.private.export_public_key("openssh").decode().split()[:2])


class Shell:
    """A shell in a rental, with a window."""

    def __init__(
        self,
        connection: asyncssh.SSHClientConnection,
        process: "asyncssh.SSHClientProcess[bytes]",
    ) -> None:
        self._connection = connection
        self._process = process

    async def read(self) -> bytes:
        """Return what it says; empty: it has ended.

        :raises ShellFailed: when the connection broke.
        """
        try:
            content = await self._process.stdout.read(READ_BYTES_MAX)
        except (OSError, asyncssh.Error):
            raise ShellFailed("broken") from None
        if not content and self._process.exit_status is None and self._connection.is_closed():
            raise ShellFailed("broken")
        return content

    async def write(self, content: bytes) -> None:
        """Type, no faster than it reads.

        :raises ShellFailed: when the connection broke.
        """
        try:
            self._process.stdin.write(content)
            await self._process.stdin.drain()
        except (OSError, asyncssh.Error):
            raise ShellFailed("broken") from None

    def resize(self, size: Size) -> None:
        """Give it another window."""
        self._process.change_terminal_size(size.columns, size.rows)

    def close(self) -> None:
        """End it at once."""
        self._connection.abort()


async def log_in(
    door: Door, key: Key, size: Size, *, addresses: Addresses, public_only: bool
) -> Shell:
    """Return a shell behind the door, once its machine lets the key in.

    ``public_only``: the machine's host chose the address, so visit none inside our own network.

    :raises ShellFailed: when there is none.
    """
    loop = asyncio.get_running_loop()
    until, pause_s = loop.time() + ADMIT_S, PAUSE_S_MIN
    while True:
        try:
            async with asyncio.timeout(CONNECT_S):
                connection = await _connect(door, key, addresses, public_only=public_only)
                return await _begin(connection, size)
        except asyncssh.PermissionDenied:
            if loop.time() + pause_s > until:
                raise ShellFailed("not_admitted") from None
        except asyncssh.HostKeyNotVerifiable:
            raise ShellFailed("wrong_host_key") from None
        # A strange host name is a UnicodeError, and a strange server's words are ValueErrors.
        except (OSError, ValueError, asyncssh.Error):
            raise ShellFailed("unreachable") from None
        await asyncio.sleep(pause_s)
        pause_s = min(2 * pause_s, PAUSE_S_MAX)


async def _connect(
    door: Door, key: Key, addresses: Addresses, *, public_only: bool
) -> asyncssh.SSHClientConnection:
    address = await addresses.find(door.host)
    if public_only and not is_public(address):
        raise OSError(f"{address} is not a public address.")
    pinned = asyncssh.import_public_key(door.host_key)
    return await asyncssh.connect(
        # The very address that was judged: a second look-up could find another one.
        address,
        door.port,
        username=door.user,
        client_keys=[key.private],
        known_hosts=([pinned], [], []),
        server_host_key_algs=["ssh-ed25519"],
        compression_algs=None,
        preferred_auth="publickey",
        agent_path=None,
        config=None,
        login_timeout=CONNECT_S,
        keepalive_interval=KEEPALIVE_S,
        keepalive_count_max=KEEPALIVES_MISSED,
        tcp_keepalive=True,
    )


async def _begin(connection: asyncssh.SSHClientConnection, size: Size) -> Shell:
    try:
        process = await connection.create_process(
            term_type=TERM,
            term_size=(size.columns, size.rows),
            encoding=None,
            window=WINDOW_BYTES,
            stderr=asyncssh.STDOUT,
        )
    except BaseException:
        connection.abort()
        raise
    return Shell(connection, process)
