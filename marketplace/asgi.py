"""This will serve the whole site: the agents' sync and renters' terminals beside Django."""

import asyncio
import gc
import logging
import os
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "marketplace.settings")

from django.core.asgi import get_asgi_application

django_application = get_asgi_application()

from marketplace import bodies, listening, sync  # noqa: E402
from marketplace.live import application as live  # noqa: E402
from marketplace.machines import agent_bundle  # noqa: E402
from marketplace.terminals import application as terminals  # noqa: E402
from protocol import paths  # noqa: E402

logger = logging.getLogger(__name__)


async def application(
    scope: MutableMapping[str, Any],
    receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
    send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
) -> None:
    """Send the one hot path and terminals past Django, and everything else to it."""
    if scope["type"] == "lifespan":
        await _lifespan(receive, send)
    elif scope["type"] == "websocket":
        await terminals.application(scope, receive, send)
    elif scope["type"] == "http" and scope["path"] == paths.AGENT_SYNC:
        await sync.application(scope, receive, send)
    elif scope["type"] == "http" and live.PATH.fullmatch(scope["path"]):
        await live.application(scope, receive, send)
    else:
        await bodies.bounded(django_application, scope, receive, send)  # type: ignore[arg-type]


async def _lifespan(
    receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
    send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
) -> None:
    listens = None
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            try:
                listens = _start()
            except Exception:
                # What only escaped would pass for a server without a lifespan, and be served on.
                logger.exception("Startup failed")
                await send({"type": "lifespan.startup.failed"})
                return
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            if listens is not None:
                listens.cancel()
            return


def _start() -> asyncio.Task[None]:
    """Make ready, and return what runs for as long as the server does."""
    # Now, as the files are those of this release: who updates a site changes them under it.
    agent_bundle.bundle()
    # What is loaded by now stays: to look for garbage in it takes 40 ms each time.
    gc.freeze()
    # Each batch of syncs makes and drops ten thousands of objects, none of them in circles.
    gc.set_threshold(50_000, 20, 50)
    return asyncio.create_task(listening.listen())
