"""This will keep one SSH connection to each machine with replicas, and open streams to these.

A machine is known by its own key, as the marketplace enrolled it; no other host key is let by.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Collection

import asyncssh

from marketplace.endpoints.gateway.addresses import Addresses
from marketplace.endpoints.gateway.routes import Machine, Target
from protocol.address import is_public
from protocol.agent import GATEWAY_USER
from protocol.signing import openssh_public_key

logger = logging.getLogger(__name__)
#: to connect and log in, and to open one stream
CONNECT_S, OPEN_S = 10.0, 10.0
KEEPALIVE_S, KEEPALIVES_MISSED = 15, 3
#: a machine that has not closed a stream so long after we did, or that many, fills our memory
LEAVE_S, LEAVING_MAX = 120.0, 4096
#: after a connection that failed, doubled each time
PAUSE_S_MIN, PAUSE_S_MAX = 0.5, 10.0
#: bytes that a replica may send ahead of our reading
WINDOW_BYTES = 1 << 20
#: a machine that takes less at once has us send a packet for each few bytes; agents take 32 KiB
PACKET_BYTES_MIN = 4096
#: what a key exchange of two such programs agrees on; these are the quickest of the safe ones
CIPHERS = ("aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "chacha20-poly1305@openssh.com")

_Opening = asyncio.Future[tuple["asyncssh.SSHReader[bytes]", "asyncssh.SSHWriter[bytes]"]]


class Unreachable(Exception):
    """No stream could be opened, so not a byte was sent; the sentence says why, for the log."""


class Crowded(Unreachable):
    """The machine has too many streams already, which says nothing about the replica."""


class Broken(Exception):
    """The stream ended while it was needed."""


class Stream:
    """Bytes to a replica's HTTP port and back."""

    def __init__(
        self,
        connection: asyncssh.SSHClientConnection,
        reader: "asyncssh.SSHReader[bytes]",
        writer: "asyncssh.SSHWriter[bytes]",
        *,
        left: Callable[[], None],
    ) -> None:
        self._connection = connection
        self._reader = reader
        self._writer = writer
        self._left = left

    async def read(self, bytes_max: int) -> bytes:
        """Return what came; empty: nothing more comes.

        :raises Broken: when the connection is gone.
        """
        try:
            content = await self._reader.read(bytes_max)
        except (OSError, asyncssh.Error) as error:
            raise Broken(str(error)) from error
        if not content and self._connection.is_closed():
            # Where we close it ourselves this looks like the end of what the replica says.
            raise Broken("The connection to the machine was closed.")
        return content

    async def write(self, content: bytes) -> None:
        """Send, no faster than the replica reads.

        :raises Broken: when the connection is gone.
        """
        try:
            self._writer.write(content)
            await self._writer.drain()
        except (OSError, asyncssh.Error) as error:
            raise Broken(str(error)) from error

    def close(self) -> None:
        """End it at once."""
        self._writer.channel.abort()
        self._left()


class Machines:
    """The connections, made when they are needed first. They belong to one event loop."""

    def __init__(self, *, key: str, public_only: bool) -> None:
        self._key = asyncssh.import_private_key(key)
        self._addresses = Addresses()
        self._public_only = public_only
        self._links: dict[Machine, _Link] = {}

    async def open(self, target: Target) -> Stream:
        """Return a stream to the replica's HTTP port.

        :raises Unreachable: when there is none.
        """
        link = self._links.get(target.machine)
        if link is None:
            link = _Link(target.machine, self._key, self._addresses, public_only=self._public_only)
            self._links[target.machine] = link
        return await link.open(str(target.placement_id), target.http_port)

    def keep(self, machines: Collection[Machine]) -> None:
        """Close the connections to all other machines."""
        for machine in set(self._links) - set(machines):
            self._links.pop(machine).close()


class _Link:
    def __init__(
        self, machine: Machine, key: asyncssh.SSHKey, addresses: Addresses, *, public_only: bool
    ) -> None:
        self._machine = machine
        self._key = key
        self._addresses = addresses
        self._public_only = public_only
        self._connection: asyncssh.SSHClientConnection | None = None
        self._lock = asyncio.Lock()
        self._is_closed = False
        #: streams that we are done with, until the machine is too
        self._leaving: set[asyncio.Task[None]] = set()
        self._pause_s = 0.0
        self._again_at = 0.0

    async def open(self, host: str, port: int) -> Stream:
        connection = await self._connected()
        opening = asyncio.ensure_future(
            connection.open_connection(host, port, encoding=None, window=WINDOW_BYTES)
        )

        def leave() -> None:
            self._leave(connection, opening)

        try:
            async with asyncio.timeout(OPEN_S):
                reader, writer = await asyncio.shield(opening)
        except asyncssh.ChannelOpenError as error:
            crowded = error.code == asyncssh.OPEN_RESOURCE_SHORTAGE
            raise (Crowded if crowded else Unreachable)(str(error)) from error
        except (OSError, TimeoutError, asyncssh.Error) as error:
            leave()
            raise Unreachable(str(error) or "The machine did not answer in time.") from error
        except asyncio.CancelledError:
            # Whoever asked is gone: a stream that opens all the same would stay for ever.
            leave()
            raise
        # A request in packets of one byte would keep the gateway busy for minutes.
        if writer.channel._send_pktsize < PACKET_BYTES_MIN:
            leave()
            raise Unreachable("The machine takes only tiny packets.")
        return Stream(connection, reader, writer, left=leave)

    def close(self) -> None:
        # A connection that is being made is closed by who makes it.
        self._is_closed = True
        if self._connection is not None:
            self._connection.abort()

    def _leave(self, connection: asyncssh.SSHClientConnection, opening: _Opening) -> None:
        leaving = asyncio.create_task(self._left(connection, opening))
        self._leaving.add(leaving)
        leaving.add_done_callback(self._leaving.discard)
        if len(self._leaving) > LEAVING_MAX:
            connection.abort()

    async def _left(self, connection: asyncssh.SSHClientConnection, opening: _Opening) -> None:
        """Wait until the machine has closed a stream too, or end all of them."""
        try:
            async with asyncio.timeout(LEAVE_S):
                with contextlib.suppress(OSError, asyncssh.Error):
                    _, writer = await opening
                    writer.channel.abort()
                    await writer.channel.wait_closed()
        except TimeoutError:
            logger.warning("Machine closes no streams", extra={"machine_key": self._machine.key})
            connection.abort()

    async def _connected(self) -> asyncssh.SSHClientConnection:
        async with self._lock:
            if self._is_closed:
                raise Unreachable("No replica runs there any more.")
            if self._connection is not None and not self._connection.is_closed():
                return self._connection
            loop = asyncio.get_running_loop()
            if loop.time() < self._again_at:
                raise Unreachable("The machine could not be reached a moment ago.")
            try:
                async with asyncio.timeout(CONNECT_S):
                    connection = await self._connect()
            except (OSError, TimeoutError, UnicodeError, asyncssh.Error) as error:
                self._pause_s = min(PAUSE_S_MAX, max(PAUSE_S_MIN, 2 * self._pause_s))
                self._again_at = loop.time() + self._pause_s
                logger.info(
                    "Machine not reached",
                    extra={"machine_key": self._machine.key, "problem": str(error)},
                )
                raise Unreachable(str(error) or "The machine did not answer in time.") from error
            if self._is_closed:
                connection.abort()
                raise Unreachable("No replica runs there any more.")
            self._pause_s, self._connection = 0.0, connection
            return connection

    async def _connect(self) -> asyncssh.SSHClientConnection:
        pinned = asyncssh.import_public_key(openssh_public_key(self._machine.key))
        return await asyncssh.connect(
            # The very address that was judged: a second look-up could find another one.
            await self._address(),
            self._machine.port,
            username=GATEWAY_USER,
            client_keys=[self._key],
            known_hosts=([pinned], [], []),
            server_host_key_algs=["ssh-ed25519"],
            encryption_algs=list(CIPHERS),
            compression_algs=None,
            preferred_auth="publickey",
            agent_path=None,
            config=None,
            login_timeout=CONNECT_S,
            keepalive_interval=KEEPALIVE_S,
            keepalive_count_max=KEEPALIVES_MISSED,
            tcp_keepalive=True,
        )

    async def _address(self) -> str:
        address = await self._addresses.find(self._machine.address)
        if self._public_only and not is_public(address):
            raise OSError(f"{address} is not a public address.")
        return address
