"""A rental's SSH door that admits whom its machine is told to, and a page before the site."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, MutableMapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import asyncssh
from django.test import Client
from django.utils import timezone

from marketplace.accounts.models import User
from marketplace.placements import queries
from marketplace.placements.models import Placement
from marketplace.rentals.models import Rental
from marketplace.terminals.application import application
from marketplace.watch import in_thread
from protocol.signing import machine_key_of, openssh_public_key

#: of everything that a test waits for; it fails after that
PATIENCE_S = 60
#: in a colour of the 16, of the 256, and of all of them
PAINTED = b"\x1b[31mred\x1b[38;5;208mlate\x1b[0m\x1b[48;2;10;120;40mpainted\x1b[0m\r\n"


@dataclass
class House:
    """What answers at the door, and what it saw."""

    placement_id: UUID
    port: int = 0
    key: asyncssh.SSHKey = field(
        default_factory=lambda: asyncssh.generate_private_key("ssh-ed25519")
    )
    #: log-ins that were tried
    tried: int = 0
    #: as of each shell
    sizes: list[tuple[int, int]] = field(default_factory=list)
    users: list[str] = field(default_factory=list)
    #: who is there
    visitors: list[asyncssh.SSHServerConnection] = field(default_factory=list)
    #: the machine has heard of nothing yet
    deaf: bool = False

    @property
    def host_key(self) -> str:
        """As its machine tells it."""
        line = self.key.export_public_key("openssh").decode()
        return openssh_public_key(machine_key_of(line))

    def admitted(self) -> list[str]:
        """Return the lines of authorized_keys, as the machine is told them."""
        machine_id = Placement.objects.values_list("machine_id", flat=True).get(
            id=self.placement_id
        )
        for one in queries.desired(machine_id, timezone.now()):
            if one.placement_id == self.placement_id:
                return [] if self.deaf else list(one.authorized_keys)
        return []

    async def shell(self, process: "asyncssh.SSHServerProcess[bytes]") -> None:
        """Say hello and repeat what is typed, line by line; "exit" ends it."""
        columns, rows, _, _ = process.get_terminal_size()
        self.sizes.append((columns, rows))
        self.users.append(str(process.get_extra_info("username")))
        process.stdout.write(b"hello\r\n")
        async for line in self._lines(process):
            if line == b"exit":
                break
            if line == b"colours":
                process.stdout.write(PAINTED)
            process.stdout.write(b"<" + line + b">\r\n")
        process.exit(0)

    async def _lines(self, process: "asyncssh.SSHServerProcess[bytes]") -> AsyncIterator[bytes]:
        kept = b""
        while True:
            try:
                got = await process.stdin.read(4096)
            except asyncssh.TerminalSizeChanged as changed:
                self.sizes.append((changed.width, changed.height))
                continue
            except (asyncssh.Error, OSError):
                return
            if not got:
                return
            *lines, kept = (kept + got.replace(b"\n", b"\r")).split(b"\r")
            for line in lines:
                yield line


@asynccontextmanager
async def open_house(rental: Rental) -> AsyncIterator[House]:
    """Yield the rental's door, where its placement says that it is."""
    house = House(rental.placement_id)

    class Keys(asyncssh.SSHServer):
        def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
            house.visitors.append(conn)

        def begin_auth(self, username: str) -> bool:
            return True

        def public_key_auth_supported(self) -> bool:
            return True

        async def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:  # type: ignore[override]
            house.tried += 1
            offered = key.export_public_key("openssh").decode().split()[1]
            lines = await in_thread(house.admitted)()
            return any(offered in line.split() for line in lines)

    server = await asyncssh.create_server(
        Keys,
        "127.0.0.1",
        0,
        server_host_keys=[house.key],
        process_factory=house.shell,
        encoding=None,
        line_editor=False,
    )
    house.port = server.sockets[0].getsockname()[1]
    await in_thread(Placement.objects.filter(id=rental.placement_id).update)(
        ssh_host="127.0.0.1", ssh_port=house.port, ssh_host_key=house.host_key
    )
    try:
        yield house
    finally:
        server.close()
        for visitor in house.visitors:
            visitor.abort()
            await visitor.wait_closed()


def session_of(user: User) -> str:
    """Return the cookie of a new log-in."""
    client = Client()
    client.force_login(user, backend="allauth.account.auth_backends.AuthenticationBackend")
    return client.cookies["sessionid"].value


@dataclass
class Page:
    """A browser's side of the WebSocket, without the network."""

    path: str
    headers: dict[str, str]
    heard: "asyncio.Queue[MutableMapping[str, Any]]" = field(default_factory=asyncio.Queue)
    told: "asyncio.Queue[MutableMapping[str, Any]]" = field(default_factory=asyncio.Queue)
    shown: bytes = b""
    is_open: bool = False
    serving: "asyncio.Task[None] | None" = None

    @classmethod
    def of(cls, rental_id: object, session: str, **headers: str) -> "Page":
        """Return a page of the site that somebody is logged in to."""
        sent = {"host": "localhost", "origin": "http://localhost", "cookie": f"sessionid={session}"}
        return cls(f"/rentals/{rental_id}/terminal/socket", sent | headers)

    async def knock(self) -> str:
        """Ask for the WebSocket and return the type of the answer."""
        scope = {
            "type": "websocket",
            "path": self.path,
            "scheme": "ws",
            "query_string": b"",
            "headers": [
                (name.encode(), value.encode()) for name, value in self.headers.items() if value
            ],
        }
        self.heard.put_nowait({"type": "websocket.connect"})
        self.serving = asyncio.create_task(application(scope, self.heard.get, self.told.put))
        return str((await self._next())["type"])

    async def open(self) -> None:
        """Ask for a terminal and wait until its shell says hello."""
        assert await self.knock() == "websocket.accept"
        self.tell(type="open", columns=100, rows=30)
        await self.until(lambda: b"hello" in self.shown)

    def tell(self, **told: object) -> None:
        """Send a word."""
        self.heard.put_nowait({"type": "websocket.receive", "text": json.dumps(told)})

    def type(self, content: bytes) -> None:
        """Type."""
        self.heard.put_nowait({"type": "websocket.receive", "bytes": content})

    async def until(self, seen: Callable[[], bool]) -> None:
        """Read until this is seen."""
        while not seen():
            message = await self._next()
            told = json.loads(message.get("text") or "{}")
            assert message["type"] == "websocket.send", message
            assert "bytes" in message or told == {"type": "state", "state": "open"}, message
            self.is_open = self.is_open or bool(told)
            self.shown += message.get("bytes", b"")

    async def end(self) -> str:
        """Return the code of the end, once the terminal has closed."""
        code = ""
        while (message := await self._next())["type"] != "websocket.close":
            code = json.loads(message.get("text") or "{}").get("code", code)
        await self.done()
        return code

    async def leave(self) -> None:
        """Close the window, and see the site let go."""
        self.heard.put_nowait({"type": "websocket.disconnect", "code": 1001})
        await self.done()

    async def done(self) -> None:
        """Wait until the site has nothing more to do."""
        assert self.serving is not None
        await asyncio.wait_for(self.serving, PATIENCE_S)

    async def _next(self) -> MutableMapping[str, Any]:
        return await asyncio.wait_for(self.told.get(), PATIENCE_S)
