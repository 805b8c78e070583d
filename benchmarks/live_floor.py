"""This will be the least that can push to many browsers: one event, and a line for each stream."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Any

#: as long as the one that says that a rental changed
SHORTEST = b"event: changed\ndata: \n\n"
EVENT = SHORTEST[:-2] + b"x" * (int(os.environ.get("FLOOR_BYTES", "60")) - len(SHORTEST)) + b"\n\n"
HEADERS = [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-store")]

_changed = asyncio.Event()


async def application(
    scope: dict[str, Any],
    receive: Callable[[], Awaitable[dict[str, Any]]],
    send: Callable[[dict[str, Any]], Awaitable[None]],
) -> None:
    """Stream an event at once and another after each ``/push``."""
    global _changed
    if scope["type"] != "http":
        return
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    if scope["path"] == "/push":
        _changed.set()
        _changed = asyncio.Event()
        await send({"type": "http.response.body", "body": b"pushed"})
        return
    while True:
        await send({"type": "http.response.body", "body": EVENT, "more_body": True})
        await _changed.wait()
