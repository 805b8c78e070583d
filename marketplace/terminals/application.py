"""This will serve terminals in browsers, by WebSocket, beside Django."""

import asyncio
import contextlib
import logging
import re
from collections.abc import Coroutine, MutableMapping
from typing import Any
from uuid import UUID

from django.conf import settings
from django.utils import timezone

from marketplace.accounts.log_ins import Visitor
from marketplace.domain.problem import Refused
from marketplace.domain.terminal import END, IDLE_S_MAX, MAY_PASS, OPEN_S_MAX
from marketplace.rentals.queries import RentalUnknown
from marketplace.terminals import shell, standing
from marketplace.terminals.actions.close import close, spend_key
from marketplace.terminals.actions.open import Opened, ask, open_session
from marketplace.terminals.shell import Door, Key, Shell, ShellFailed, Size
from marketplace.terminals.socket import (
    AGAINST_THE_RULES,
    PageLeft,
    PageMalformed,
    Receive,
    Send,
    Socket,
    size_of,
)
from marketplace.terminals.visitor import visitor
from marketplace.watch import in_thread

logger = logging.getLogger(__name__)
PATH = re.compile(
    r"/rentals/(?P<rental_id>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/terminal/socket"
)
#: the page says how large it is at once
OPEN_S = 5.0
CROWDED = "Several terminals of yours are being opened. Try again in a moment."
FULL = "As many terminals are open as may be. Close one, or use ssh."


class Ended(Exception):
    """The terminal is over; ``code`` is a key of domain.terminal.END."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


async def application(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
    """Serve one WebSocket, or refuse it before it is one."""
    await receive()
    found = PATH.fullmatch(scope["path"])
    who = await in_thread(visitor)(scope) if found else None
    if found is None or who is None:
        await send({"type": "websocket.close", "code": AGAINST_THE_RULES})
        return
    await send({"type": "websocket.accept"})
    socket = Socket(receive, send)
    try:
        await _serve(socket, who, UUID(found["rental_id"]))
    except PageLeft:
        return
    finally:
        await socket.close()


async def _serve(socket: Socket, who: Visitor, rental_id: UUID) -> None:
    try:
        await _opened(socket, who, rental_id)
    except (PageMalformed, TimeoutError):
        told = {"code": "malformed", "sentence": END["malformed"]}
        await socket.tell(type="end", again=False, **told)
    except RentalUnknown:
        # As of one that is somebody else's: nothing tells that it exists.
        await socket.close(AGAINST_THE_RULES)
    except Refused as refused:
        told = {"code": refused.code, "sentence": refused.detail}
        await socket.tell(type="end", again=False, **told)


async def _opened(socket: Socket, who: Visitor, rental_id: UUID) -> None:
    hall = standing.of_this_process()
    if hall.is_crowded(who):
        await socket.tell(type="end", code="full", sentence=CROWDED, again=True)
        return
    # Whoever says nothing, has no rental or asks too often takes nobody's place in the hall.
    with hall.hearing(who):
        size = await _asked(socket)
        await in_thread(ask)(
            rental_id=rental_id,
            renter_id=who.user_id,
            person_id=who.person_id,
            now=timezone.now(),
        )
    if hall.is_full(who):
        await socket.tell(type="end", code="full", sentence=FULL, again=False)
        return
    with hall.holding(who):
        key = Key()
        opened = await in_thread(open_session)(
            rental_id=rental_id,
            renter_id=who.user_id,
            person_id=who.person_id,
            public_key=key.public,
            now=timezone.now(),
        )
        code = await _held(socket, who, opened, key, size)
        await socket.tell(type="end", code=code, sentence=END[code], again=code in MAY_PASS)


async def _asked(socket: Socket) -> Size:
    async with asyncio.timeout(OPEN_S):
        told = await socket.hear()
    if isinstance(told, bytes) or told.get("type") != "open":
        raise PageMalformed
    return size_of(told)


async def _held(socket: Socket, who: Visitor, opened: Opened, key: Key, size: Size) -> str:
    """Return why it ended: a key of domain.terminal.END."""
    code = "left"
    try:
        code = await _used(socket, standing.Held(opened.session_id, who), opened, key, size)
    except Ended as ended:
        code = ended.code
    except ShellFailed as failed:
        code = failed.code
    except PageMalformed:
        code = "malformed"
    finally:
        # Also where this process is told to stop, so that no key stays behind.
        closing = in_thread(close)(session_id=opened.session_id, code=code, now=timezone.now())
        await asyncio.shield(closing)
    return code


async def _used(socket: Socket, held: standing.Held, opened: Opened, key: Key, size: Size) -> str:
    door = Door(opened.host, opened.port, opened.user, opened.host_key)
    hall = standing.of_this_process()
    found = await shell.log_in(
        door, key, size, addresses=hall.addresses, public_only=not settings.PRIVATE_MACHINES
    )
    try:
        # It has served; who is logged in stays so.
        await in_thread(spend_key)(session_id=held.session_id)
        await socket.tell(type="state", state="open")
        typed = asyncio.Event()
        await _first(
            _show(socket, found),
            _type(socket, found, typed),
            _until_idle(typed),
            _until_over(held),
        )
    finally:
        found.close()
    return "exited"


async def _first(*ways: Coroutine[Any, Any, None]) -> None:
    """Run all of them until one ends, and raise what it raised."""
    tasks = [asyncio.create_task(way) for way in ways]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in tasks:
        if task in done:
            task.result()


async def _show(socket: Socket, found: Shell) -> None:
    while content := await found.read():
        await socket.show(content)


async def _type(socket: Socket, found: Shell, typed: asyncio.Event) -> None:
    while True:
        told = await socket.hear()
        if isinstance(told, bytes):
            typed.set()
            await found.write(told)
        elif told.get("type") == "resize":
            found.resize(size_of(told))
        elif told.get("type") == "ack":
            socket.was_shown(told)
        else:
            raise PageMalformed


async def _until_idle(typed: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    until = loop.time() + OPEN_S_MAX
    while True:
        typed.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(min(until, loop.time() + IDLE_S_MAX)):
                await typed.wait()
                continue
        raise Ended("too_long" if loop.time() >= until else "idle")


async def _until_over(held: standing.Held) -> None:
    watch = standing.of_this_process().watch
    with watch.watching(held) as changed:
        while True:
            await changed.wait()
            changed.clear()
            if why := watch.seen(held):
                raise Ended(why)
