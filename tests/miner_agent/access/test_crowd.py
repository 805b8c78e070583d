"""Strangers in front of the validators' door: they wait among themselves and are shown out."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import asyncssh
import pytest

from miner_agent.access.door import Answers, open_door
from miner_agent.access.gateway import Gateways
from miner_agent.domain.crowd import VISITS_MOST, WAITING_MOST
from miner_agent.keys import make_private_key
from protocol.signing import machine_key_of, openssh_public_key, public_key_of
from protocol.validator import SSH_USER
from tests.miner_agent.access.visitors import certified
from tests.ports import free_port

#: how long a test waits for the door to close a connection
CLOSED_S = 30


@dataclass
class Site:
    port: int
    host_key: str
    keys: list[asyncssh.SSHKey]

    def connect(self, number: int = 0, *, address: str = "127.0.0.1"):
        known = asyncssh.import_known_hosts(f"[127.0.0.1]:{self.port} {self.host_key}\n")
        return asyncssh.connect(
            "127.0.0.1",
            self.port,
            local_addr=(address, 0),
            username=SSH_USER,
            client_keys=[certified(self.keys[number], machine_key_of(self.host_key))],
            known_hosts=known,
            config=None,
            agent_path=None,
        )

    async def ping(self, number: int = 0) -> str:
        async with self.connect(number) as connection:
            return str((await connection.run("ping", timeout=60)).stdout)


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    keys = [asyncssh.generate_private_key("ssh-ed25519") for _ in range(2)]
    lines = [key.export_public_key().decode() for key in keys]

    async def nothing(*_: object) -> int:
        return 0

    async def facts() -> str:
        return "{}"

    async def no_replica(_placement: str, _port: int) -> None:
        return None

    key = make_private_key(tmp_path / "key")
    port = free_port()
    answers = Answers(keys=lambda: lines, facts=facts, proof=nothing)
    opened = await open_door(
        host="127.0.0.1",
        port=port,
        host_key=tmp_path / "key",
        answers=answers,
        gateways=Gateways(keys=tuple, replica=no_replica),
    )
    yield Site(port, openssh_public_key(public_key_of(key)), keys)
    opened.close()
    await opened.wait_closed()


@pytest.fixture
def strangers() -> Iterator[list[socket.socket]]:
    comers: list[socket.socket] = []
    yield comers
    for comer in comers:
        comer.close()


async def crowd(site: Site, strangers: list[socket.socket], *addresses: str) -> None:
    """Connect from each address and wait until the door has said something or hung up."""
    loop = asyncio.get_running_loop()
    for address in addresses:
        comer = socket.socket()
        comer.setblocking(False)
        comer.bind((address, 0))
        strangers.append(comer)
        await loop.sock_connect(comer, ("127.0.0.1", site.port))
        with contextlib.suppress(ConnectionError):
            await loop.sock_recv(comer, 1)


async def test_one_stranger_with_many_connections_keeps_nobody_out(
    site: Site, strangers: list[socket.socket]
) -> None:
    await crowd(site, strangers, *["127.0.0.2"] * 100)
    assert await site.ping() == "pong\n"


async def test_many_strangers_keep_nobody_out(site: Site, strangers: list[socket.socket]) -> None:
    addresses = [f"127.0.0.{number}" for number in range(2, 2 + WAITING_MOST // 2)]
    await crowd(site, strangers, *addresses * 4)
    assert await site.ping() == "pong\n"


async def test_who_does_not_log_in_is_shown_out(site: Site, strangers: list[socket.socket]) -> None:
    await crowd(site, strangers, "127.0.0.2")
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(CLOSED_S):
        with contextlib.suppress(ConnectionError):
            while await loop.sock_recv(strangers[0], 4096):
                pass


async def test_a_validator_that_stays_keeps_no_other_out(site: Site) -> None:
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(VISITS_MOST):
            await stack.enter_async_context(site.connect(0))
        with pytest.raises((asyncssh.Error, ConnectionError)):
            await site.ping(0)
        assert await site.ping(1) == "pong\n"
    assert await site.ping(0) == "pong\n"
