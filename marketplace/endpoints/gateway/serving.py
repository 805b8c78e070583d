"""This will serve a gateway over HTTP, where no caller's burst holds up the others."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, cast

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from marketplace.endpoints.gateway.caller import Receive, Scope, Send

#: requests under way end by themselves for so long when the gateway is to end
GRACE_S = 30
#: of a request: its first line and headers
HEAD_BYTES_MAX = 32 << 10
CONNECTIONS_MAX = 4096
#: of what a connection brings, before anybody else has a turn: at first, after which whoever shows
#: no key is refused, and from then on. In chunks of one byte each these are 5 and 20 ms of work.
FIRST_BYTES, READ_BYTES = 4 << 10, 16 << 10
#: a caller that was refused may go on for so long to send what nobody reads
LINGER_S = 2.0

Application = Callable[[Scope, Receive, Send], Awaitable[None]]


def server(application: Application, *, host: str, port: int) -> uvicorn.Server:
    """Return the server, not begun."""
    return uvicorn.Server(
        uvicorn.Config(
            application,
            host=host,
            port=port,
            http=cast(type[asyncio.Protocol], partial(Reading, Turns())),
            h11_max_incomplete_event_size=HEAD_BYTES_MAX,
            ws="none",
            lifespan="off",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            log_config=None,
            limit_concurrency=CONNECTIONS_MAX,
            timeout_graceful_shutdown=GRACE_S,
        )
    )


class Turns:
    """Those who have more to read: one after another, and everybody else in between."""

    def __init__(self) -> None:
        self._waiting: deque[Callable[[], None]] = deque()

    def wait(self, go_on: Callable[[], None]) -> None:
        """Call this when its turn comes."""
        self._waiting.append(go_on)
        if len(self._waiting) == 1:
            asyncio.get_running_loop().call_soon(self._next)

    def _next(self) -> None:
        go_on = self._waiting.popleft()
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._next)
        go_on()


class Reading(asyncio.BufferedProtocol):
    """One connection, read a little at a time.

    By itself the loop reads 250 KiB at once, and the server takes all that it was given apart
    before it does anything else.
    """

    def __init__(self, turns: Turns, **told: Any) -> None:
        # The strictest reader of requests that there is here: no two ways to read one.
        self._requests = H11Protocol(**told)
        self._turns = turns
        self._bytes_max = FIRST_BYTES
        self._buffer = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = Transport(cast(asyncio.Transport, transport), self._requests)
        self._requests.connection_made(cast(asyncio.Transport, self._transport))

    def get_buffer(self, sizehint: int) -> bytearray:
        """Return where to read to."""
        self._buffer = bytearray(self._bytes_max)
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Take what was read, and read no more before it is our turn."""
        self._bytes_max = READ_BYTES
        content, self._buffer = bytes(self._buffer[:nbytes]), bytearray()
        if not self._transport.is_closing():
            self._requests.data_received(content)
        if self._transport.may_read:
            self._transport.pause_reading()
            self._turns.wait(self._read)

    def eof_received(self) -> None:
        """Take that nothing more comes."""
        self._requests.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._requests.connection_lost(exc)

    def pause_writing(self) -> None:
        """Send no more for now."""
        self._requests.pause_writing()

    def resume_writing(self) -> None:
        """Send again."""
        self._requests.resume_writing()

    def _read(self) -> None:
        if self._transport.may_read:
            self._transport.resume_reading()


class Transport:
    """What the server below sees of a connection.

    Where it closes one before it has read all, the rest is heard for a while and thrown away: the
    system would take a connection with something unread for broken, and an answer with it.
    """

    def __init__(self, transport: asyncio.Transport, requests: H11Protocol) -> None:
        self._transport = transport
        self._requests = requests
        self._is_closing = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    @property
    def may_read(self) -> bool:
        """Whether more is read; where the server stopped to, it begins again by itself."""
        is_paused = self._requests.flow.read_paused and not self._is_closing
        return not (is_paused or self._transport.is_closing())

    def is_closing(self) -> bool:
        """Say whether nothing more is answered."""
        return self._is_closing or self._transport.is_closing()

    def close(self) -> None:
        """Close once all is answered, and read or too late."""
        if self.is_closing():
            return
        self._is_closing = True
        if self._requests.conn.their_state not in (h11.SEND_BODY, h11.ERROR):
            self._transport.close()
            return
        self._transport.write_eof()
        self._transport.resume_reading()
        asyncio.get_running_loop().call_later(LINGER_S, self._transport.close)
