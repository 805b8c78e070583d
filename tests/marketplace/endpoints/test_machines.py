"""Machines that move, hang, or do not let go, and what they leave behind at the gateway."""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from uuid import uuid4

import asyncssh
import pytest

from marketplace.endpoints.gateway import machines
from marketplace.endpoints.gateway.addresses import THREADS
from marketplace.endpoints.gateway.machines import Broken, Crowded, Machines, Unreachable
from marketplace.endpoints.gateway.routes import Machine, Target
from marketplace.watch import in_thread
from miner_agent.access import gateway as agents_gateway
from protocol.signing import machine_key_of
from tests.marketplace.endpoints.way import HTTP_PORT, Way, open_way, saying, until


@pytest.fixture
async def way(tmp_path: Path) -> AsyncIterator[Way]:
    async with open_way(tmp_path) as way:
        yield way


@dataclass
class Detour:
    """Another address of a machine, where nothing passes before it is let through."""

    target: Target
    opened: asyncio.Event = field(default_factory=asyncio.Event)
    visits: int = 0
    ended: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.visits += 1
        await self.opened.wait()
        machine = self.target.machine
        there, to_there = await asyncio.open_connection(machine.address, machine.port)
        await asyncio.gather(carry(reader, to_there), carry(there, writer))
        self.ended += 1


async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while content := await reader.read(1 << 16):
            writer.write(content)
    except ConnectionError:
        pass
    finally:
        writer.close()


async def detour(way: Way, target: Target) -> tuple[Detour, Target]:
    found = Detour(target)
    server = await asyncio.start_server(found.serve, "127.0.0.1", 0)
    way.servers.append(server)
    port = server.sockets[0].getsockname()[1]
    return found, replace(target, machine=replace(target.machine, port=port))


def to_machines(way: Way) -> Machines:
    return Machines(key=way.gateway_key.export_private_key().decode(), public_only=False)


async def test_a_machine_that_moved_is_visited_where_it_is_now(way: Way) -> None:
    target = await way.replica(saying(b"here"))
    await way.look()
    assert (await way.ask()).text == "here"
    way.pool.was_told(way.pool.news())
    there, moved = await detour(way, target)
    there.opened.set()
    way.targets[:] = [moved]
    way.follow()
    # It was seen at the former address only.
    assert (await way.ask()).status_code == 503
    way.pool.look()
    await until(lambda: bool(there.visits))
    await until(lambda: not way.pool._looks._under_way)
    assert (await way.ask()).text == "here"


async def test_a_connection_that_nobody_needs_any_more_is_not_kept_once_it_is_made(
    way: Way,
) -> None:
    there, target = await detour(way, await way.replica(saying(b"x")))
    to = to_machines(way)
    opening = asyncio.create_task(to.open(target))
    await until(lambda: bool(there.visits))
    to.keep(())
    there.opened.set()
    with pytest.raises(Unreachable):
        await opening
    await until(lambda: there.ended == there.visits == 1)


async def test_a_machine_that_leaves_streams_open_loses_the_connection(
    way: Way, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = await way.replica(saying(b"x"))
    hanging = await way.replica(saying(b"x"), house=way.houses[0])
    to = to_machines(way)
    stream = await to.open(good)
    monkeypatch.setattr(machines, "OPEN_S", 0.02)
    monkeypatch.setattr(machines, "LEAVE_S", 0.02)
    way.houses[0].hanging.add(str(hanging.placement_id))
    with pytest.raises(Unreachable):
        await to.open(hanging)
    # Not the end of an answer, as it would look otherwise.
    with pytest.raises(Broken):
        async with asyncio.timeout(5):
            await stream.read(1)
    monkeypatch.undo()
    (await to.open(good)).close()


async def test_a_machine_that_takes_only_tiny_packets_gets_none(way: Way) -> None:
    class Door(asyncssh.SSHServer):
        def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
            self.connection = conn

        def begin_auth(self, username: str) -> bool:
            return False

        def connection_requested(self, *_: object) -> object:
            channel = self.connection.create_tcp_channel(None, "strict", 1 << 20, 1)
            return channel, asyncssh.SSHTCPSession()

    key = asyncssh.generate_private_key("ssh-ed25519")
    door = await asyncssh.create_server(Door, "127.0.0.1", 0, server_host_keys=[key])
    way.doors.append(door)
    public = machine_key_of(key.export_public_key().decode())
    machine = Machine(public, "127.0.0.1", door.get_port())
    with pytest.raises(Unreachable, match="tiny packets"):
        await to_machines(way).open(Target(uuid4(), HTTP_PORT, machine))


async def test_streams_that_are_closed_on_both_sides_leave_nothing(way: Way) -> None:
    target = await way.replica(saying(b"x"))
    to = to_machines(way)
    for stream in [await to.open(target) for _ in range(3)]:
        stream.close()
    link = to._links[target.machine]
    assert len(link._leaving) == 3
    await until(lambda: not link._leaving)


async def test_a_machine_that_takes_no_more_streams_is_not_missed(
    way: Way, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = await way.replica(saying(b"x"))
    await way.look()
    way.pool.was_told(way.pool.news())
    monkeypatch.setattr(agents_gateway, "STREAMS_MOST_EACH", 0)
    with pytest.raises(Crowded):
        await to_machines(way).open(target)
    assert (await way.ask()).status_code == 503
    assert not way.pool.news()
    monkeypatch.undo()
    assert (await way.ask()).text == "x"


async def test_names_whose_servers_never_answer_keep_nobody_else_waiting(
    way: Way, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = await way.replica(saying(b"x"))
    monkeypatch.setattr(machines, "CONNECT_S", 0.02)
    let_go, asked, look_up = threading.Event(), [], socket.getaddrinfo

    def hang(host: str, *more: object, **named: object) -> object:
        if not host.endswith(".example"):
            return look_up(host, *more, **named)  # type: ignore[arg-type]
        asked.append(host)
        let_go.wait(20)
        raise OSError

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    to = to_machines(way)
    names = [f"{number}.example" for number in range(THREADS)]
    try:
        for name in (*names, names[0]):
            with pytest.raises(Unreachable):
                await to.open(replace(target, machine=replace(target.machine, address=name)))
        assert sorted(asked) == sorted(names)
        async with asyncio.timeout(5):
            assert await in_thread(lambda: "read")() == "read"
        monkeypatch.setattr(machines, "CONNECT_S", 10.0)
        (await to.open(target)).close()
    finally:
        let_go.set()
