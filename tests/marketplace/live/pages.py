"""Open pages, as a server sees them: each asks for its rental's events and waits."""

import asyncio
from collections.abc import AsyncIterator, MutableMapping
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

from django.test import Client

from marketplace.asgi import application

#: of everything that a test waits for; it fails after that
PATIENCE_S = 60


class Page:
    """One page; ``browser``: who is logged in there. None: nobody is."""

    def __init__(
        self,
        rental_id: UUID,
        browser: Client | None,
        *,
        method: str = "GET",
        seen: str = "",
        **headers: str,
    ) -> None:
        told = {"host": "localhost"} | {
            name.replace("_", "-"): one for name, one in headers.items()
        }
        if browser is not None:
            told["cookie"] = f"sessionid={browser.cookies['sessionid'].value}"
        self.scope = {
            "type": "http",
            "method": method,
            "path": f"/rentals/{rental_id}/events",
            "query_string": f"seen={seen}".encode(),
            "headers": [(name.encode(), one.encode()) for name, one in told.items()],
        }
        self.left = asyncio.Event()
        self._sent: asyncio.Queue[MutableMapping[str, Any]] = asyncio.Queue()
        self._asked = False
        self.headers: dict[bytes, bytes] = {}

    async def receive(self) -> MutableMapping[str, Any]:
        """Say what the browser does: it asks, and leaves some day."""
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def status(self) -> int:
        """Return whether it may wait."""
        start = await self._next()
        self.headers = dict(start["headers"])
        return int(start["status"])

    async def said(self) -> str:
        """Return what it is told next; empty: the stream is over."""
        message = await self._next()
        return str(message["body"].decode())

    async def event(self) -> dict[str, str]:
        """Return the fields of the next event; none: the stream ended before."""
        while (said := await self.said()).startswith((":", "retry")):
            pass
        return dict(line.split(": ", 1) for line in said.strip("\n").split("\n") if line)

    async def _next(self) -> MutableMapping[str, Any]:
        async with asyncio.timeout(PATIENCE_S):
            return await self._sent.get()

    @asynccontextmanager
    async def open(self) -> AsyncIterator["Page"]:
        """Ask for the events; the page is closed at the end."""
        call = asyncio.create_task(application(self.scope, self.receive, self._sent.put))
        try:
            yield self
        finally:
            self.left.set()
            async with asyncio.timeout(PATIENCE_S):
                await call


async def refused(page: Page) -> int:
    """Return the status of a page that is told nothing."""
    async with page.open():
        return await page.status()
