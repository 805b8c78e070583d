"""This will tell open pages that their rental changed, as a bare ASGI application beside Django.

By server-sent events that say no more than that; the page asks for its panel then. What the rental
uses is told by the events themselves, as each page would ask for it every ten seconds. A stream
holds no request, no thread and no connection to the database, so that thousands of pages stay open.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID

from django.core.exceptions import DisallowedHost

from marketplace.accounts import log_ins
from marketplace.accounts.log_ins import Visitor
from marketplace.domain.problem import Refused
from marketplace.gathering import Gathering
from marketplace.live import audience, queries
from marketplace.live.queries import GONE
from marketplace.rentals.queries import RentalUnknown
from marketplace.security import CONTENT_SECURITY_POLICY

PATH = re.compile(r"/rentals/(?P<rental_id>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/events")
#: then the stream ends and the browser opens the next one, so that none is held for ever
STREAM_S_MAX = 300
#: pages that come together are looked up together
GATHER_S, AT_ONCE_MAX = 0.05, 200
#: that a page's panel takes of a core: pages that are told together ask over as long a time
PANEL_MS, SPREAD_MS_MAX = 15, 30_000
HEADERS = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", CONTENT_SECURITY_POLICY.encode()),
]
ASGIScope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class LogInMissing(Refused):
    code = "unauthenticated"
    status = 403
    sentence = "Log in as somebody who may see this."


class StreamsFull(Refused):
    code = "busy"
    status = 503
    sentence = "As many pages are open as may be; this one asks every few seconds instead."


@dataclass(frozen=True, slots=True)
class _Asked:
    rental_id: UUID
    login: str


async def application(scope: ASGIScope, receive: Receive, send: Send) -> None:
    """Serve ``GET /rentals/<id>/events``, whose path was found by ``PATH``."""
    if scope["method"] != "GET":
        await _refuse(send, 405, "Only GET is answered here.", (b"allow", b"GET"))
        return
    try:
        request = log_ins.request_of(scope)
    except DisallowedHost:
        await _refuse(send, 400, "This is another site.")
        return
    rental_id = UUID(PATH.fullmatch(scope["path"])["rental_id"])  # type: ignore[index]
    try:
        visitor = await opening.put(_Asked(rental_id, log_ins.login_of(request)))
        if audience.of_this_process().is_full(visitor.person_id):
            raise StreamsFull
    except Refused as refused:
        await _refuse(send, refused.status, refused.detail)
        return
    # What the page shows already: its browser names the newest event where it comes again.
    told = parse_qs(scope.get("query_string", b"").decode("latin-1"))
    known = request.headers.get("last-event-id") or told.get("seen", [""])[0]
    await _stream(rental_id, visitor, known, receive, send)


def _open(some: Sequence[_Asked]) -> list[Visitor | Exception]:
    found = log_ins.visitors({one.login for one in some})
    allowed = log_ins.still(found.values(), audience.ASKED)
    renters = queries.renters({one.rental_id for one in some})

    def outcome(one: _Asked) -> Visitor | Exception:
        visitor = found.get(one.login)
        if visitor is None or visitor not in allowed:
            return LogInMissing()
        if renters.get(one.rental_id) != visitor.user_id:
            # As of one that is not there: nothing tells that it exists.
            return RentalUnknown()
        return visitor

    return [outcome(one) for one in some]


opening: Gathering[_Asked, Visitor] = Gathering(_open, every_s=GATHER_S, at_once_max=AT_ONCE_MAX)


async def _stream(
    rental_id: UUID, visitor: Visitor, known: str, receive: Receive, send: Send
) -> None:
    hall = audience.of_this_process()
    with hall.waiting(rental_id, visitor) as stream:
        leaving = asyncio.create_task(_until_left(receive, stream))
        try:
            await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
            await _say(send, b"retry: 1000\n\n")
            await _tell(hall, stream, known, send)
            await send({"type": "http.response.body", "body": b""})
        finally:
            leaving.cancel()


async def _tell(hall: audience.Audience, stream: audience.Stream, known: str, send: Send) -> None:
    loop = asyncio.get_running_loop()
    until, is_new, measured_at = loop.time() + STREAM_S_MAX, True, None
    while not stream.cut and loop.time() < until:
        # Cleared before it is looked at, so that a change meanwhile is not lost.
        stream.woken.clear()
        seen, measured = hall.seen(stream.rental_id), hall.measured(stream.rental_id)
        if seen is not None and seen.version == GONE:
            return
        if seen is not None and seen.version != known:
            known = seen.version
            # What others were told before this page came is no reason to wait.
            spread_ms = 0 if is_new else _spread_ms(hall)
            told = f"id: {known}\nevent: changed\ndata: {spread_ms}\n\n"
            await _say(send, told.encode())
        elif not is_new and (measured is None or measured.at == measured_at):
            await _say(send, b": still here\n\n")
        if measured is not None and measured.at != measured_at:
            measured_at = measured.at
            await _say(send, f"event: measured\ndata: {measured.told}\n\n".encode())
        if seen is not None and not seen.live:
            await _say(send, b"event: settled\ndata: \n\n")
            return
        is_new = False
        await stream.woken.wait()


def _spread_ms(hall: audience.Audience) -> int:
    return min((hall.woken - 1) * PANEL_MS, SPREAD_MS_MAX)


async def _until_left(receive: Receive, stream: audience.Stream) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    stream.end()


async def _say(send: Send, words: bytes) -> None:
    await send({"type": "http.response.body", "body": words, "more_body": True})


async def _refuse(send: Send, status: int, sentence: str, *headers: tuple[bytes, bytes]) -> None:
    told = [(b"content-type", b"text/plain; charset=utf-8"), (b"cache-control", b"no-store")]
    start = {"type": "http.response.start", "status": status, "headers": [*told, *headers]}
    await send(start)
    await send({"type": "http.response.body", "body": sentence.encode()})
