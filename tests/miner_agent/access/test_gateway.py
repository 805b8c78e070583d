"""The door for gateways: streams to running replicas, and nothing else."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import asyncssh
import pytest

from miner_agent.access import door as door_module
from miner_agent.access import gateway as gateway_module
from miner_agent.access.door import Answers, Hall, NoAnswer, open_door
from miner_agent.access.gateway import Gateways
from miner_agent.domain import crowd
from miner_agent.keys import make_private_key
from protocol.agent import GATEWAY_USER
from protocol.signing import public_key_of
from protocol.validator import SSH_USER
from tests.miner_agent.access.visitors import certified

REPLICA, HTTP_PORT = "5f0c4b7e-3f54-4f0e-9f1c-3c1f6a0c9d11", 8080


@dataclass
class House:
    """A door, one replica behind it, and who may come in."""

    validator: asyncssh.SSHKey
    gateway: asyncssh.SSHKey
    port: int = 0
    machine_key: str = ""
    #: what the replica does with each connection
    replica: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]] | None = None
    keys: dict[str, list[str]] = field(default_factory=dict)
    #: where the replica listens; empty: it does not run
    running: dict[tuple[str, int], tuple[str, int]] = field(default_factory=dict)
    gateways: Gateways | None = None
    slow: asyncio.Event | None = None
    hall: Hall = field(default_factory=Hall)

    def connect(self, *, user: str = GATEWAY_USER, key: object = None):
        if key is None:
            key = self.certificate() if user == SSH_USER else self.gateway
        return asyncssh.connect(
            "127.0.0.1",
            self.port,
            username=user,
            client_keys=[key],
            known_hosts=None,
            config=None,
            agent_path=None,
        )

    def certificate(self, signing: asyncssh.SSHKey | None = None) -> object:
        return certified(signing or self.validator, self.machine_key)

    async def look_up(self, placement: str, port: int) -> tuple[str, int] | None:
        if self.slow is not None:
            await self.slow.wait()
        return self.running.get((placement, port))


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Say at once that somebody is here, and what was said when they are done."""
    writer.write(b"hello\n")
    said = await reader.read()
    writer.write(said[::-1])
    writer.close()


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    house = House(
        asyncssh.generate_private_key("ssh-ed25519"), asyncssh.generate_private_key("ssh-ed25519")
    )
    house.replica = answer
    house.keys = {
        SSH_USER: [house.validator.export_public_key().decode()],
        GATEWAY_USER: ["ssh-ed25519 broken", house.gateway.export_public_key().decode()],
    }

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert house.replica is not None
        await house.replica(reader, writer)

    async def facts() -> str:
        raise NoAnswer

    async def proof(process: asyncssh.SSHServerProcess[bytes]) -> int:
        return 0

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    house.running[(REPLICA, HTTP_PORT)] = listening.sockets[0].getsockname()
    house.gateways = Gateways(keys=lambda: house.keys[GATEWAY_USER], replica=house.look_up)
    house.machine_key = public_key_of(make_private_key(tmp_path / "key"))
    answers = Answers(keys=lambda: house.keys[SSH_USER], facts=facts, proof=proof)
    door = await open_door(
        host="127.0.0.1",
        port=0,
        host_key=tmp_path / "key",
        answers=answers,
        gateways=house.gateways,
        hall=house.hall,
    )
    house.port = door.get_port()
    yield house
    door.close()
    await door.wait_closed()
    listening.close()


@asynccontextmanager
async def stream(
    connection: asyncssh.SSHClientConnection, host: str = REPLICA, port: int = HTTP_PORT
) -> AsyncIterator[tuple[asyncssh.SSHReader[bytes], asyncssh.SSHWriter[bytes]]]:
    reader, writer = await connection.open_connection(host, port)
    try:
        yield reader, writer
    finally:
        writer.close()


async def refused(
    connection: asyncssh.SSHClientConnection, host: str = REPLICA, port: int = HTTP_PORT
) -> str:
    with pytest.raises(asyncssh.ChannelOpenError) as error:
        await connection.open_connection(host, port)
    return error.value.reason


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.01)


async def test_what_is_said_passes_at_once_and_also_after_one_side_is_done(house: House) -> None:
    async with house.connect() as connection, stream(connection) as (reader, writer):
        assert await reader.readline() == b"hello\n"
        writer.write(b"abc" * 100_000)
        writer.write_eof()
        assert await reader.read() == b"cba" * 100_000


async def test_many_streams_pass_side_by_side(house: House) -> None:
    async def one(connection: asyncssh.SSHClientConnection, text: bytes) -> bytes:
        async with stream(connection) as (reader, writer):
            writer.write(text)
            writer.write_eof()
            return await reader.read()

    async with house.connect() as connection:
        texts = [str(number).encode() for number in range(100)]
        heard = await asyncio.gather(*(one(connection, text) for text in texts))
    assert heard == [b"hello\n" + text[::-1] for text in texts]
    await until(lambda: not house.gateways.streams)


@pytest.mark.parametrize(
    ("host", "port"),
    [
        ("127.0.0.1", HTTP_PORT),
        ("localhost", 22),
        ("", HTTP_PORT),
        (REPLICA, HTTP_PORT + 1),
        (REPLICA.upper() + "0", HTTP_PORT),
        ("169.254.169.254", 80),
    ],
)
async def test_nothing_but_a_replicas_own_port_is_reached(
    house: House, host: str, port: int
) -> None:
    async with house.connect() as connection:
        assert await refused(connection, host, port) == "There is no such replica."


async def test_a_replica_that_does_not_run_is_not_reached(house: House) -> None:
    async with house.connect() as connection:
        del house.running[(REPLICA, HTTP_PORT)]
        assert await refused(connection) == "There is no such replica."
        # It was seen running, and its program has ended.
        house.running[(REPLICA, HTTP_PORT)] = ("127.0.0.1", 1)
        assert await refused(connection) == "The replica does not answer."
        await until(lambda: not house.gateways.streams)


async def test_a_gateway_gets_no_word_no_terminal_no_files_and_no_other_forwarding(
    house: House,
) -> None:
    async with house.connect() as connection:
        for word in ("ping", "facts", "proof", "sh", ""):
            result = await connection.run(word, timeout=60)
            assert (result.exit_status, result.stdout) == (126, "")
        with pytest.raises(asyncssh.ChannelOpenError):
            await connection.create_process("sh", term_type="xterm", request_pty="force")
        with pytest.raises((asyncssh.ChannelOpenError, asyncssh.SFTPError)):
            await connection.start_sftp_client()
        with pytest.raises(asyncssh.ChannelListenError):
            await connection.forward_remote_port("127.0.0.1", 0, "127.0.0.1", 1)
        with pytest.raises(asyncssh.ChannelListenError):
            await connection.forward_remote_path("/tmp/x", "/tmp/y")
        with pytest.raises(asyncssh.ChannelOpenError):
            await connection.open_unix_connection("/var/run/docker.sock")


async def test_validators_and_gateways_do_not_pass_for_each_other(house: House) -> None:
    passes = (house.certificate(house.gateway), house.certificate())
    for user, key in (
        *((GATEWAY_USER, one) for one in (house.validator, *passes)),
        *((SSH_USER, one) for one in (house.gateway, house.validator, passes[0])),
    ):
        with pytest.raises(asyncssh.PermissionDenied):
            await house.connect(user=user, key=key)
    async with house.connect(user=SSH_USER) as connection:
        assert await refused(connection) == "Connection refused"
        assert (await connection.run("ping")).stdout == "pong\n"


async def test_a_gateway_that_is_dismissed_is_shown_out(house: House) -> None:
    async with house.connect() as connection, stream(connection):
        house.keys[GATEWAY_USER] = []
        await refused(connection)
        async with asyncio.timeout(60):
            await connection.wait_closed()
    with pytest.raises(asyncssh.PermissionDenied):
        await house.connect()


async def test_a_gateway_that_is_dismissed_keeps_no_stream_and_others_keep_theirs(
    house: House,
) -> None:
    async with house.connect(user=SSH_USER) as validator:
        async with house.connect() as connection, stream(connection) as (reader, _):
            assert await reader.readline() == b"hello\n"
            house.hall.show_out()
            async with stream(connection) as (other, _):
                assert await other.readline() == b"hello\n"
            house.keys[GATEWAY_USER] = house.keys[GATEWAY_USER][:1]
            house.hall.show_out()
            async with asyncio.timeout(60):
                await connection.wait_closed()
        assert (await validator.run("ping")).stdout == "pong\n"
    assert house.gateways is not None
    assert not house.gateways.streams


async def test_streams_to_one_replica_leave_room_for_those_to_others(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway_module, "STREAMS_MOST_EACH", 2)
    house.running[("other", HTTP_PORT)] = house.running[(REPLICA, HTTP_PORT)]
    async with house.connect() as connection:
        for _ in range(2):
            await connection.open_connection(REPLICA, HTTP_PORT)
        assert await refused(connection) == "This gateway has too many streams open."
        async with stream(connection, "other") as (reader, _):
            assert await reader.readline() == b"hello\n"


async def test_a_gateway_has_so_many_connections_and_streams(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway_module, "STREAMS_MOST", 3)
    connections = [await house.connect() for _ in range(crowd.VISITS_MOST)]
    extra = await house.connect()
    async with asyncio.timeout(60):
        await extra.wait_closed()
    streams = [await connections[number].open_connection(REPLICA, HTTP_PORT) for number in range(3)]
    assert await refused(connections[0]) == "This gateway has too many streams open."
    streams[0][1].close()
    await until(lambda: house.gateways.streams.total() == 2)
    await connections[3].open_connection(REPLICA, HTTP_PORT)
    for connection in connections:
        connection.abort()
    await until(lambda: not house.gateways.streams)


async def test_a_gateway_may_stay_longer_than_a_validator(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door_module, "CONNECTION_S", 0.5)
    async with house.connect() as gateway, stream(gateway) as (reader, writer):
        async with house.connect(user=SSH_USER) as validator:
            async with asyncio.timeout(60):
                await validator.wait_closed()
        writer.write_eof()
        assert await reader.read() == b"hello\n"


async def test_a_gateway_that_hangs_up_while_it_is_connected_leaves_nothing(house: House) -> None:
    ended = asyncio.Event()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        ended.set()

    house.replica, house.slow = listen, asyncio.Event()
    connection = await house.connect()
    opening = asyncio.create_task(connection.open_connection(REPLICA, HTTP_PORT))
    await until(lambda: house.gateways.streams.total() == 1)
    connection.abort()
    await connection.wait_closed()
    await asyncio.gather(opening, return_exceptions=True)
    house.slow.set()
    async with asyncio.timeout(60):
        await ended.wait()
    await until(lambda: not house.gateways.streams)
