"""What a page may say to a terminal, and how much it is sent before it has shown what came."""

import asyncio
import json
from collections.abc import MutableMapping
from typing import Any

import pytest

from marketplace.domain.terminal import COLUMNS_MAX
from marketplace.terminals.shell import Size
from marketplace.terminals.socket import (
    TYPED_BYTES_MAX,
    UNSHOWN_BYTES_MAX,
    PageLeft,
    PageMalformed,
    Socket,
    size_of,
)


class Browser:
    """The other side of the socket."""

    def __init__(self, *messages: MutableMapping[str, Any]) -> None:
        self.messages = list(messages)
        self.got: list[MutableMapping[str, Any]] = []
        self.is_closed = False

    async def receive(self) -> MutableMapping[str, Any]:
        return self.messages.pop(0)

    async def send(self, message: MutableMapping[str, Any]) -> None:
        if self.is_closed:
            raise RuntimeError
        self.got.append(message)


def socket_of(*messages: MutableMapping[str, Any]) -> Socket:
    browser = Browser(*messages)
    return Socket(browser.receive, browser.send)


def text(content: str) -> dict[str, object]:
    return {"type": "websocket.receive", "text": content}


@pytest.mark.parametrize(
    "message",
    [
        text(""),
        text("[]"),
        text("7"),
        text("{"),
        text("[" * 900),
        text('{"type": "' + "x" * 1000 + '"}'),
        {"type": "websocket.receive"},
        {"type": "websocket.receive", "bytes": b"x" * (TYPED_BYTES_MAX + 1)},
    ],
    ids=str,
)
async def test_what_no_page_says_is_not_heard(message: dict[str, object]) -> None:
    with pytest.raises(PageMalformed):
        await socket_of(message).hear()


async def test_typed_and_told_are_heard_as_they_are() -> None:
    socket = socket_of({"type": "websocket.receive", "bytes": b"\x03"}, text('{"type": "ack"}'))
    assert [await socket.hear(), await socket.hear()] == [b"\x03", {"type": "ack"}]


async def test_a_closed_page_is_seen_both_ways() -> None:
    with pytest.raises(PageLeft):
        await socket_of({"type": "websocket.disconnect"}).hear()
    browser = Browser()
    browser.is_closed = True
    socket = Socket(browser.receive, browser.send)
    with pytest.raises(PageLeft):
        await socket.show(b"x")
    await socket.close()


@pytest.mark.parametrize(
    ("columns", "rows"),
    [(0, 24), (-1, 24), (COLUMNS_MAX + 1, 24), (80, 0), (80, True), (80, "24"), (80, None)],
)
def test_no_window_is_that_large_or_small(columns: object, rows: object) -> None:
    with pytest.raises(PageMalformed):
        size_of({"columns": columns, "rows": rows})


def test_a_window_has_a_size() -> None:
    assert size_of(json.loads('{"columns": 80, "rows": 24}')) == Size(80, 24)


async def test_no_more_is_sent_than_a_page_may_hold_before_it_has_shown_some() -> None:
    browser = Browser()
    socket = Socket(browser.receive, browser.send)
    await socket.show(b"x" * (UNSHOWN_BYTES_MAX + 1))
    more = asyncio.create_task(socket.show(b"y"))
    for _ in range(10):
        await asyncio.sleep(0)
    assert len(browser.got) == 1
    socket.was_shown({"bytes": 1})
    await more
    assert len(browser.got) == 2


async def test_a_page_has_shown_no_more_than_it_was_sent() -> None:
    socket = socket_of()
    await socket.show(b"xyz")
    with pytest.raises(PageMalformed):
        socket.was_shown({"bytes": 4})
