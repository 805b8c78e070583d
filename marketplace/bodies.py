"""This will bound what of a request is read before anybody looks at it.

Django keeps a body whole, in memory and then on disk, before it asks who sends it. So here a small
one is read for everybody, and more only for who may send it and only as much as they may: that is
known from the headers.
"""

import asyncio
import re
import tempfile
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from django.utils import timezone
from django.utils.http import parse_header_parameters

from marketplace.accounts.bearer import HEADER, let_in
from marketplace.api import KeyNeeded
from marketplace.domain.problem import Refused
from marketplace.jobs import storage
from marketplace.jobs.actions import keep_output, upload
from marketplace.machines.actions.authenticate import authenticate_digest
from marketplace.sync_limits import LargeBodies
from marketplace.watch import in_thread
from protocol import paths
from protocol.agent import ProblemReply

#: of a form, and of what a program sends: the longest is a validator's scores
FORM_BYTES_MAX, API_BYTES_MAX = 256 << 10, 2_621_440
#: a body has to come at this pace, with some time beside it
BODY_S_MIN, SLOWEST_BYTES_S = 20.0, 50_000
UPLOAD = f"{paths.API}/blobs"
OUTPUT = re.compile(
    paths.AGENT_PLACEMENT_BLOB.format(
        placement_id=r"(?P<placement_id>[0-9a-f-]{36})", digest="(?P<digest>[0-9a-f]{64})"
    )
)
BEARER = "Bearer "
#: encodings that read any bytes; Django would take a request apart with whichever is named, and
#: Python has some that fail or take no text
CHARSETS = frozenset({"utf-8", "utf8", "us-ascii", "ascii", "iso-8859-1", "latin1", "latin-1"})
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[dict[str, Any], Receive, Send], Awaitable[None]]


class BodyTooLarge(Refused):
    code = "too_large"
    status = 413


class BodyTooSlow(Refused):
    code = "too_slow"
    status = 408
    sentence = "The request came too slowly; send it again over a better line."


class CharsetUnknown(Refused):
    code = "charset_unknown"
    status = 415
    sentence = "Send texts in UTF-8, and name no other charset in Content-Type."


@dataclass(frozen=True, slots=True)
class _Allowed:
    """Who may send a large body, and how large."""

    sender: str
    bytes_max: int


large_bodies = LargeBodies()


async def bounded(application: Application, scope: Scope, receive: Receive, send: Send) -> None:
    """Serve a request with ``application``, or refuse it before the rest of its body is read."""
    with ExitStack() as while_served:
        body = _Body(scope, receive, while_served)
        try:
            _check_charset(scope)
            await body.check_length()
            await application(dict(scope), body.receive, send)
        except Refused as refused:
            # Raised by the body alone: what the application refuses it answers itself, and it says
            # nothing before it has the whole body.
            await _refuse(send, refused)


class _Body:
    def __init__(self, scope: Scope, receive: Receive, while_served: ExitStack) -> None:
        self._scope = scope
        self._receive = receive
        self._while_served = while_served
        form = not scope["path"].startswith(f"{paths.API.rsplit('/', 1)[0]}/")
        self._bytes_max = FORM_BYTES_MAX if form else API_BYTES_MAX
        self._asked = self._is_large = self._whole = False
        self._bytes = 0
        self._begun = asyncio.get_running_loop().time()

    async def check_length(self) -> None:
        """Refuse by what is announced, so that nothing of it need be read."""
        told = _headers(self._scope).get("content-length", "")
        if told.isascii() and told.isdigit() and len(told) <= 18:
            await self._check(int(told))

    async def receive(self) -> MutableMapping[str, Any]:
        """Return what the server received, as long as it is no more than may be."""
        if self._whole:
            return await self._receive()
        due = self._begun + BODY_S_MIN + self._bytes / SLOWEST_BYTES_S
        try:
            async with asyncio.timeout_at(due):
                message = await self._receive()
        except TimeoutError:
            raise BodyTooSlow from None
        if self._is_large:
            # Django writes it there, before it is stored.
            storage.check_room(Path(tempfile.gettempdir()))
        self._bytes += len(message.get("body", b""))
        self._whole = not message.get("more_body", False)
        await self._check(self._bytes)
        return message

    async def _check(self, length: int) -> None:
        if length > self._bytes_max and not self._asked:
            self._asked = True
            allowed = await in_thread(_allowed)(self._scope, timezone.now())
            if allowed is not None and allowed.bytes_max > self._bytes_max:
                self._while_served.enter_context(large_bodies.reading(allowed.sender))
                self._bytes_max, self._is_large = allowed.bytes_max, True
        if length > self._bytes_max:
            raise BodyTooLarge(f"The request is larger than {self._bytes_max} bytes; send less.")


def _allowed(scope: Scope, now: datetime) -> _Allowed | None:
    """Return who sends more than everybody may, and how much; None: nobody may there."""
    headers, method, path = _headers(scope), str(scope["method"]), str(scope["path"])
    if (method, path) == ("POST", UPLOAD):
        token = headers.get("authorization", "")
        team = headers.get(HEADER.lower(), "")
        found = let_in(token.removeprefix(BEARER), method, path, now, team=team)
        if found is None or not token.startswith(BEARER):
            raise KeyNeeded
        return _Allowed(f"user {found.user.pk}", upload.room(found.user.pk))
    output = OUTPUT.fullmatch(path)
    if method == "PUT" and output is not None:
        digest, placement_id = output["digest"], UUID(output["placement_id"])
        sender = authenticate_digest(
            headers=headers, method=method, path=path, digest=digest, now=now
        )
        room = keep_output.room(
            machine_id=sender.machine_id, placement_id=placement_id, digest=digest
        )
        return _Allowed(f"placement {placement_id}", room)
    return None


def _check_charset(scope: Scope) -> None:
    try:
        _, named = parse_header_parameters(_headers(scope).get("content-type", ""))
    except ValueError:
        raise CharsetUnknown from None
    if named.get("charset", "utf-8").lower() not in CHARSETS:
        raise CharsetUnknown


def _headers(scope: Scope) -> Mapping[str, str]:
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}


async def _refuse(send: Send, refused: Refused) -> None:
    reply = ProblemReply(status=refused.status, code=refused.code, detail=refused.detail)
    body = reply.model_dump_json().encode()
    headers = [
        (b"content-type", b"application/problem+json"),
        (b"content-length", str(len(body)).encode()),
        # The rest of the body may still come; it is not read.
        (b"connection", b"close"),
    ]
    if refused.retry_after_s is not None:
        headers.append((b"retry-after", str(refused.retry_after_s).encode()))
    start = {"type": "http.response.start", "status": refused.status, "headers": headers}
    await send(start)
    await send({"type": "http.response.body", "body": body})
