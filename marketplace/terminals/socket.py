"""This will read and write a terminal's WebSocket: what a page may say, and how much of it.

Bytes are what is typed and what is shown. Text is JSON: the page says ``open`` and ``resize`` with
``columns`` and ``rows``, and ``ack`` with the ``bytes`` that it has shown by now; the site says
``state`` once the shell is there, and ``end`` with why there is none any more.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from marketplace.domain.terminal import COLUMNS_MAX, ROWS_MAX
from marketplace.terminals.shell import Size

#: of one message: what is pasted comes in several
TYPED_BYTES_MAX, TOLD_CHARS_MAX = 1 << 16, 1000
#: shown by no page yet; a page that shows none has the shell wait
UNSHOWN_BYTES_MAX = 1 << 19
#: of close frames: done, and against the rules. Source: RFC 6455, section 7.4.1
DONE, AGAINST_THE_RULES = 1000, 1008

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class PageLeft(Exception):
    """The page is closed, or the connection to it is lost."""


class PageMalformed(Exception):
    """The page said what none of ours says."""


class Socket:
    """One page's WebSocket, accepted."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._unshown = 0
        self._shown = asyncio.Event()

    async def hear(self) -> bytes | Mapping[str, Any]:
        """Return the next of what is typed or told.

        :raises PageLeft: when nothing comes any more.
        :raises PageMalformed: when it is not what a page says.
        """
        message = await self._receive()
        if message["type"] == "websocket.disconnect":
            raise PageLeft
        typed, told = message.get("bytes"), message.get("text")
        if typed is not None and len(typed) <= TYPED_BYTES_MAX:
            return bytes(typed)
        if told is None or len(told) > TOLD_CHARS_MAX:
            raise PageMalformed
        try:
            found = json.loads(told)
        # Deeply nested, it ends in the other one.
        except (ValueError, RecursionError):
            raise PageMalformed from None
        if not isinstance(found, dict):
            raise PageMalformed
        return found

    def was_shown(self, told: Mapping[str, Any]) -> None:
        """Let more be sent.

        :raises PageMalformed: when it is more than was sent.
        """
        shown = _number(told, "bytes", most=self._unshown)
        self._unshown -= shown
        self._shown.set()

    async def show(self, content: bytes) -> None:
        """Send what the shell says, once the page has shown what was sent before.

        :raises PageLeft: when it is closed.
        """
        while self._unshown > UNSHOWN_BYTES_MAX:
            self._shown.clear()
            await self._shown.wait()
        self._unshown += len(content)
        await self._say({"bytes": content})

    async def tell(self, **told: object) -> None:
        """Send a word about the terminal.

        :raises PageLeft: when it is closed.
        """
        await self._say({"text": json.dumps(told)})

    async def close(self, code: int = DONE) -> None:
        """Close it; closed ones are fine."""
        try:
            await self._send({"type": "websocket.close", "code": code})
        except (OSError, RuntimeError):
            # uvicorn's word for one that is closed already is a RuntimeError.
            return

    async def _say(self, content: Mapping[str, object]) -> None:
        try:
            await self._send({"type": "websocket.send", **content})
        except (OSError, RuntimeError):
            raise PageLeft from None


def size_of(told: Mapping[str, Any]) -> Size:
    """Return the size of the window.

    :raises PageMalformed: when it is none.
    """
    return Size(
        columns=_number(told, "columns", most=COLUMNS_MAX, least=1),
        rows=_number(told, "rows", most=ROWS_MAX, least=1),
    )


def _number(told: Mapping[str, Any], name: str, *, most: int, least: int = 0) -> int:
    found = told.get(name)
    # A bool is an int to Python.
    if type(found) is not int or not least <= found <= most:
        raise PageMalformed
    return found
