"""A gateway served over loopback, the agents' real doors behind it, and small HTTP programs."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from uuid import UUID, uuid4

import asyncssh
import httpx

from marketplace.endpoints import key as keys
from marketplace.endpoints.gateway import serving
from marketplace.endpoints.gateway.application import Gateway
from marketplace.endpoints.gateway.machines import Machines
from marketplace.endpoints.gateway.pool import Pool
from marketplace.endpoints.gateway.routes import Machine, Route, Target
from miner_agent.access.door import Answers, NoAnswer, open_door
from miner_agent.access.gateway import Gateways
from miner_agent.keys import make_private_key
from protocol.signing import machine_key_of

HTTP_PORT = 8080
KEY = keys.generate()
Program = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class House:
    """A machine: the agent's own door, and replicas behind it."""

    key: str
    port: int
    gateways: Gateways
    #: where each replica listens
    running: dict[str, tuple[str, int]] = field(default_factory=dict)
    #: who may come in
    let_in: list[str] = field(default_factory=list)
    #: replicas that it never says anything about
    hanging: set[str] = field(default_factory=set)

    @property
    def machine(self) -> Machine:
        return Machine(key=self.key, address="127.0.0.1", port=self.port)


@dataclass
class Way:
    """The whole way from a caller to replicas."""

    folder: Path
    gateway_key: asyncssh.SSHKey
    pool: Pool
    client: httpx.AsyncClient
    port: int = 0
    endpoint_id: UUID = field(default_factory=uuid4)
    renter_id: int = 1
    targets: list[Target] = field(default_factory=list)
    houses: list[House] = field(default_factory=list)
    servers: list[asyncio.Server] = field(default_factory=list)
    doors: list[asyncssh.SSHAcceptor] = field(default_factory=list)

    async def house(self) -> House:
        """Return one more machine."""
        file = self.folder / f"door-{len(self.houses)}"
        make_private_key(file)
        running: dict[str, tuple[str, int]] = {}
        hanging: set[str] = set()
        let_in = [self.gateway_key.export_public_key().decode()]

        async def replica(placement: str, port: int) -> tuple[str, int] | None:
            if placement in hanging:
                await asyncio.Event().wait()
            return running.get(placement) if port == HTTP_PORT else None

        async def facts() -> str:
            raise NoAnswer

        async def proof(process: asyncssh.SSHServerProcess[bytes]) -> int:
            return 0

        gateways = Gateways(keys=lambda: let_in, replica=replica)
        door = await open_door(
            host="127.0.0.1",
            port=0,
            host_key=file,
            answers=Answers(keys=lambda: (), facts=facts, proof=proof),
            gateways=gateways,
        )
        self.doors.append(door)
        line = asyncssh.read_private_key(str(file)).export_public_key().decode()
        house = House(machine_key_of(line), door.get_port(), gateways, running, let_in, hanging)
        self.houses.append(house)
        return house

    async def replica(self, program: Program, *, house: House | None = None) -> Target:
        """Return a replica that runs this for each connection, with a door of its own or not."""
        house = house or await self.house()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                await program(reader, writer)
            except (asyncio.IncompleteReadError, ConnectionError):
                # A look hangs up at once.
                pass
            finally:
                writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        self.servers.append(server)
        target = Target(uuid4(), HTTP_PORT, house.machine)
        house.running[str(target.placement_id)] = server.sockets[0].getsockname()
        self.targets.append(target)
        self.follow()
        return target

    def follow(self) -> None:
        """Let the gateway know what there is."""
        route = Route(self.endpoint_id, self.renter_id, keys.digest(KEY), tuple(self.targets))
        self.pool.follow({self.endpoint_id: route})

    async def look(self) -> None:
        """Look until every replica was looked at."""
        await until(self._was_looked_at)

    def _was_looked_at(self) -> bool:
        self.pool.look()
        return {look.placement_id for look in self.pool.news()} == {
            target.placement_id for target in self.targets
        }

    async def ask(self, path: str = "/", method: str = "GET", **more: object) -> httpx.Response:
        """Return the answer to a caller with the endpoint's key."""
        headers = {"authorization": f"Bearer {KEY}"} | dict(more.pop("headers", {}))  # type: ignore[call-overload]
        return await self.client.request(
            method,
            f"/{self.endpoint_id}{path}",
            headers=headers,
            **more,  # type: ignore[arg-type]
        )

    def head(self, method: str, *headers: str) -> bytes:
        """Return a caller's request without its body."""
        start = f"{method} /{self.endpoint_id}/ HTTP/1.1"
        lines = (start, "host: x", f"authorization: Bearer {KEY}", *headers, "", "")
        return "\r\n".join(lines).encode()

    async def raw(self, request: bytes, *, ends: bool = False) -> bytes:
        """Return everything that is answered to bytes. ``ends``: nothing more comes of them."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(request)
        if ends:
            writer.write_eof()
        async with asyncio.timeout(10):
            answer = await reader.read()
        writer.close()
        return answer


@asynccontextmanager
async def open_way(folder: Path) -> AsyncIterator[Way]:
    """Yield a gateway that serves callers, without any replica."""
    gateway_key = asyncssh.generate_private_key("ssh-ed25519")
    machines = Machines(key=gateway_key.export_private_key().decode(), public_only=False)
    pool = Pool(machines, chance=Random(1), clock=lambda: datetime.now(tz=UTC))
    server = serving.server(Gateway(pool), host="127.0.0.1", port=0)
    task = asyncio.create_task(server.serve())
    await until(lambda: server.started)
    port = server.servers[0].sockets[0].getsockname()[1]
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
        way = Way(folder, gateway_key, pool, client, port)
        way.follow()
        yield way
    pool.follow({})
    server.should_exit = True
    await task
    for listening in (*way.doors, *way.servers):
        listening.close()


async def until(condition: Callable[[], bool]) -> None:
    """Wait until it is so."""
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)


async def head_of(reader: asyncio.StreamReader) -> bytes:
    """Return a request's first line and headers."""
    return await reader.readuntil(b"\r\n\r\n")


def saying(content: bytes, *headers: bytes) -> Program:
    """Return a program that says this to every request."""

    async def program(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head_of(reader)
        more = b"".join(header + b"\r\n" for header in headers)
        length = b"content-length: %d\r\n" % len(content)
        writer.write(b"HTTP/1.1 200 OK\r\n" + more + length + b"\r\n" + content)
        await writer.drain()

    return program


@dataclass
class Echo:
    """A program that says what it was asked: its head, then its body, once it has all."""

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await head_of(reader)
        length = 0
        for line in head.split(b"\r\n"):
            if line.startswith(b"content-length: "):
                length = int(line.split(b" ")[1])
        body = await reader.readexactly(length)
        if b"transfer-encoding: chunked" in head:
            body = await reader.readuntil(b"0\r\n\r\n")
        writer.write(b"HTTP/1.0 200 OK\r\n\r\n" + head + body)
        await writer.drain()
