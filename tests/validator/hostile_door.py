"""This will be a machine's SSH door that does to a validator whatever it likes."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from random import Random

import asyncssh
from asyncssh.packet import Boolean, SSHPacket, String, UInt32

from protocol.signing import openssh_public_key, public_key_of
from tests.validator.machine_door import Machine, private_key_text

IGNORE, UNIMPLEMENTED, DEBUG, SERVICE_ACCEPT, KEXINIT, NEWKEYS = 2, 3, 4, 6, 20, 21
USERAUTH_SUCCESS, GLOBAL_REQUEST, REQUEST_SUCCESS = 52, 80, 81
CHANNEL_OPEN, OPEN_CONFIRMATION, WINDOW_ADJUST, DATA, EXTENDED_DATA = 90, 91, 93, 94, 95
CHANNEL_REQUEST = 98

Raw = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Visit = Callable[["Session"], Awaitable[None]]


class Session:
    """One command that the validator has started, and the connection under it."""

    def __init__(self, process: "asyncssh.SSHServerProcess[bytes]", machine: Machine) -> None:
        self.process = process
        self.machine = machine
        self.channel = process.channel
        self.connection = process.channel.get_connection()
        self._heed = self.connection.process_packet
        self.connection.process_packet = self._be_deaf

    def _be_deaf(self, kind: int, number: int, packet: SSHPacket) -> object:
        """Heed of what the validator says only what new keys need: else it would hang up itself."""
        return self._heed(kind, number, packet) if kind in (KEXINIT, NEWKEYS) else True

    async def for_ever(self, act: Callable[[], object]) -> None:
        """Do it until the validator is gone."""
        while not self.connection.is_closed():
            act()
            await asyncio.sleep(0)


# What can be done before SSH begins, or in the middle of its beginning.


async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def drip_banner(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await _drip(b"hello\r\n" * 10_000, writer)


async def drip_key_exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"SSH-2.0-slow\r\n")
    await _drip(UInt32(8_000) + b"\x04\x14" + b"a" * 8_000, writer)


async def never_exchange_keys(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"SSH-2.0-slow\r\n")
    await reader.read()


async def flood_banner_lines(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await _flood(b"\x1b[2Jhello\r\n" * 500, writer)


async def flood_one_banner(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await _flood(b"S" * 60_000, writer)


async def flood_after_version(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    # Whole, unencrypted messages to ignore.
    message = UInt32(12) + b"\x06\x02" + UInt32(0) + b"\x00" * 6
    writer.write(b"SSH-2.0-loud\r\n")
    await _flood(message * 500, writer)


def saying(content: bytes) -> Raw:
    """Return what says this and then nothing more."""

    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(content)
        await reader.read()

    return say


async def _drip(content: bytes, writer: asyncio.StreamWriter) -> None:
    for byte in content:
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(0.02)


async def _flood(content: bytes, writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(content)
        await writer.drain()


RAW = {
    "hangs up": hang_up,
    "endless banner lines": flood_banner_lines,
    "one endless banner": flood_one_banner,
    "endless messages before keys": flood_after_version,
    "old version": saying(b"SSH-1.5-old\r\n"),
    "long version": saying(b"SSH-2.0-" + b"v" * 5_000 + b"\r\n"),
    "version that is no text": saying(b"SSH-2.0-\xff\xfe\x1b\r\n"),
    "huge packet": saying(b"SSH-2.0-x\r\n" + b"\xff" * 64),
    "packet of nothing": saying(b"SSH-2.0-x\r\n" + bytes(64)),
    "key exchange of garbage": saying(b"SSH-2.0-x\r\n" + UInt32(28) + b"\x04\x14" + b"\xff" * 26),
}
SLOW_RAW = {
    "web server": saying(b"HTTP/1.1 400 Bad Request\r\n\r\n<script>\x1b[31m</script>"),
    "random bytes": saying(Random(7).randbytes(4_000)),
    "says nothing": say_nothing,
    "one byte at a time in the banner": drip_banner,
    "one byte at a time in the key exchange": drip_key_exchange,
    "never exchanges keys": never_exchange_keys,
}


# What can be done once the validator has logged in.


async def flood_output(session: Session) -> None:
    await session.for_ever(lambda: session.process.stdout.write(b"x" * 30_000))


async def flood_lines(session: Session) -> None:
    await session.for_ever(lambda: session.process.stdout.write(b"{}\n" * 10_000))


async def flood_stderr(session: Session) -> None:
    part = (UInt32(1), String(b"x" * 4_000))
    await session.for_ever(lambda: session.channel.send_packet(EXTENDED_DATA, *part))


def flooding(kind: int, *parts: bytes) -> Visit:
    """Return what sends one message of the connection again and again."""

    async def flood(session: Session) -> None:
        await session.for_ever(lambda: session.connection.send_packet(kind, *parts))

    return flood


def flooding_channel(kind: int, *parts: bytes) -> Visit:
    """Return what sends one message of the channel again and again."""

    async def flood(session: Session) -> None:
        await session.for_ever(lambda: session.channel.send_packet(kind, *parts))

    return flood


async def exchange_keys_for_ever(session: Session) -> None:
    def again() -> None:
        if session.connection._kex_complete:
            session.connection._send_kexinit()

    await session.for_ever(again)


def opening(kind: bytes, *more: bytes) -> Visit:
    """Return what opens a channel of this kind, and answers facts only if that was allowed."""

    async def open_channel(session: Session) -> None:
        numbers = UInt32(77) + UInt32(1 << 31) + UInt32(32_768)
        while not session.connection.is_closed():
            session.connection.send_packet(CHANNEL_OPEN, String(kind), numbers, *more)
            await asyncio.sleep(0)

    return open_channel


async def hang_up_in_the_middle(session: Session) -> None:
    session.process.stdout.write(session.machine.facts_line()[:100])
    session.connection.abort()


async def disconnect_with_words(session: Session) -> None:
    session.connection.disconnect(2, "\x1b[31m<b>gone</b>\u202e", "en-US")


async def end_at_once(session: Session) -> None:
    session.process.exit(0)


async def end_twice(session: Session) -> None:
    for _ in range(2):
        request = (String("exit-status"), Boolean(False), UInt32(0))
        session.channel.send_packet(CHANNEL_REQUEST, *request)
    await asyncio.sleep(0)


async def speak_past_the_window(session: Session) -> None:
    for _ in range(20):
        session.channel.send_packet(DATA, String(b"x" * 32_000))
    await asyncio.sleep(0)


async def answer_with_half_a_line(session: Session) -> None:
    session.process.stdout.write(session.machine.facts_line()[:-20])
    session.process.stdout.write_eof()


FORWARD = String(b"127.0.0.1") + UInt32(22) + String(b"127.0.0.1") + UInt32(1)
VISITS: dict[str, Visit] = {
    "endless output": flood_output,
    "endless lines": flood_lines,
    "endless stderr": flood_stderr,
    "endless messages to ignore": flooding(IGNORE, String(b"x" * 4_000)),
    "endless notes": flooding(DEBUG, Boolean(True), String("\x1b[2J"), String("")),
    "endless not understood": flooding(UNIMPLEMENTED, UInt32(1)),
    "endless requests": flooding(GLOBAL_REQUEST, String("tcpip-forward"), Boolean(True), FORWARD),
    "endless host keys": flooding(
        GLOBAL_REQUEST, String("hostkeys-00@openssh.com"), Boolean(False), String(b"x" * 999)
    ),
    "endless unknown messages": flooding(192, String(b"x" * 4_000)),
    "endless windows": flooding_channel(WINDOW_ADJUST, UInt32(0xFFFFFFFF)),
    "endless requests in the channel": flooding_channel(
        CHANNEL_REQUEST, String("signal"), Boolean(True), String("KILL" * 900)
    ),
    "endless empty data": flooding_channel(DATA, String(b"")),
    "endless key exchanges": exchange_keys_for_ever,
    "opens a session": opening(b"session"),
    "opens a forwarding": opening(b"forwarded-tcpip", FORWARD),
    "opens a way in": opening(b"direct-tcpip", FORWARD),
    "opens a socket": opening(b"forwarded-streamlocal@openssh.com", String(b"/run/x"), String("")),
    "opens a screen": opening(b"x11", String(b"127.0.0.1"), UInt32(1)),
    "opens our agent": opening(b"auth-agent@openssh.com"),
    "opens a tunnel": opening(b"tun@openssh.com", UInt32(1), UInt32(1)),
    "opens nonsense": opening(b"\xff\x1b"),
    "confirms what was not asked": flooding(OPEN_CONFIRMATION, UInt32(99) * 4),
    "answers what was not asked": flooding(REQUEST_SUCCESS),
    "lets us in again": flooding(USERAUTH_SUCCESS),
    "accepts a service again": flooding(SERVICE_ACCEPT, String("ssh-userauth")),
    "hangs up in the middle": hang_up_in_the_middle,
    "disconnects with words": disconnect_with_words,
    "ends at once": end_at_once,
    "ends twice": end_twice,
    "speaks past the window": speak_past_the_window,
    "answers half a line": answer_with_half_a_line,
}


async def never_answer(session: Session) -> None:
    await session.process.stdin.read()


async def drip_answer(session: Session) -> None:
    for byte in session.machine.facts_line():
        session.process.stdout.write(bytes([byte]))
        await asyncio.sleep(0.02)


async def answer_on_stderr(session: Session) -> None:
    session.process.stderr.write(session.machine.facts_line())
    await session.process.stdin.read()


SLOW_VISITS: dict[str, Visit] = {
    "never answers": never_answer,
    "one byte at a time in the answer": drip_answer,
    "answers on stderr": answer_on_stderr,
}


class _Waiting(asyncssh.SSHServer):
    def __init__(self) -> None:
        self.left = asyncio.Event()

    def connection_lost(self, exc: Exception | None) -> None:
        self.left.set()


class _SlowAtTheDoor(_Waiting):
    async def begin_auth(self, username: str) -> bool:
        await self.left.wait()
        return True


class _FloodsAtTheDoor(asyncssh.SSHServer):
    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = conn

    def begin_auth(self, username: str) -> bool:
        for _ in range(500):
            self._connection.send_auth_banner("\x1b[2J<script>" * 20)
        return True


class _NeverOpens(_Waiting):
    async def session_requested(self) -> bool:
        await self.left.wait()
        return False


SERVERS = {"endless words at the door": _FloodsAtTheDoor}
SLOW_SERVERS = {"slow at the door": _SlowAtTheDoor, "never opens": _NeverOpens}


@asynccontextmanager
async def opened_raw(machine: Machine, act: Raw) -> AsyncIterator[Machine]:
    """Yield the machine while ``act`` is done to whoever connects to it."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.current_task())  # type: ignore[arg-type]
        try:
            with suppress(ConnectionError):
                await act(reader, writer)
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    machine.port = server.sockets[0].getsockname()[1]
    try:
        yield machine
    finally:
        server.close()
        await _end(tasks)


@asynccontextmanager
async def opened_hostile(
    machine: Machine,
    visit: Visit | None = None,
    server_factory: type[asyncssh.SSHServer] = asyncssh.SSHServer,
) -> AsyncIterator[Machine]:
    """Yield the machine while its door lets the validator in and then does ``visit``."""
    tasks: set[asyncio.Task[None]] = set()
    connections: list[asyncssh.SSHServerConnection] = []

    async def serve(process: "asyncssh.SSHServerProcess[bytes]") -> None:
        tasks.add(asyncio.current_task())  # type: ignore[arg-type]
        session = Session(process, machine)
        with suppress(OSError, asyncssh.Error, AttributeError):
            await (visit or never_answer)(session)

    class Server(server_factory):  # type: ignore[misc, valid-type]
        def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
            connections.append(conn)
            super().connection_made(conn)

    signing = openssh_public_key(public_key_of(machine.validator_key))
    line = f'cert-authority,principals="{machine.machine_key}" {signing}'
    server = await asyncssh.listen(
        "127.0.0.1",
        0,
        server_factory=Server,
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
        for connection in connections:
            connection.abort()
        await _end(tasks)
        await asyncio.gather(*(connection.wait_closed() for connection in connections))


async def _end(tasks: set["asyncio.Task[None]"]) -> None:
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks)
