"""This will be the caller's side of one request: who asks what, its body, and the answer to it."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any
from uuid import UUID

from marketplace.domain.problem import Refused
from marketplace.endpoints import key as keys
from marketplace.endpoints.gateway.headers import Header, has_body
from protocol.agent import ProblemReply

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
BODY_BYTES_MAX = 64 << 20
#: between two parts of a body, and until a caller takes a part of an answer
BODY_S, TAKE_S = 60.0, 60.0
PATH = re.compile(rb"/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(/[^#]*)?", re.IGNORECASE)
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class EndpointNotFound(Refused):
    """The address names no endpoint."""

    code = "not_found"
    status = 404
    sentence = "There is no endpoint at this address."


class CallerUnknown(Refused):
    """The endpoint's key is missing or wrong."""

    code = "unauthenticated"
    status = 401
    sentence = "Send the endpoint's own key as a Bearer token."


class MethodRefused(Refused):
    """No endpoint takes that method."""

    code = "invalid"
    status = 405
    sentence = "An endpoint takes GET, HEAD, POST, PUT, PATCH, DELETE and OPTIONS."


class BodyTooLarge(Refused):
    """The request is longer than a gateway passes on."""

    code = "too_large"
    status = 413
    sentence = "A request to an endpoint is at most 64 MiB."


class BodyTooSlow(Refused):
    """The request did not go on."""

    code = "too_slow"
    status = 408
    sentence = "The request did not go on for 60 seconds."


class CallerLeft(Exception):
    """Nobody waits for the answer any more."""


class Caller:
    """One request, as the server below gives it."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.method: str = scope["method"]
        self.headers: list[Header] = list(scope["headers"])
        self.has_body = has_body(self.headers)
        #: the answer has begun: nothing else can be answered
        self.begun = False
        self._receive = receive
        self._send = send
        found = PATH.fullmatch(scope["raw_path"])
        self._endpoint = None if found is None else UUID(found[1].decode())
        query = scope["query_string"]
        path = (found[2] if found else b"") or b"/"
        #: what the replica is asked for
        self.target: bytes = path + (b"?" + query if query else b"")

    @property
    def endpoint_id(self) -> UUID:
        """Return whom it asks.

        :raises EndpointNotFound: when its address names nobody.
        """
        if self._endpoint is None:
            raise EndpointNotFound
        return self._endpoint

    def check(self) -> None:
        """Accept what may be passed on.

        :raises Refused: when its method or its length is out of bounds.
        """
        if self.method not in METHODS:
            raise MethodRefused
        lengths = [value for name, value in self.headers if name == b"content-length"]
        if any(int(length) > BODY_BYTES_MAX for length in lengths):
            raise BodyTooLarge

    def key_digest(self) -> str:
        """Return what is stored of the key that it shows; empty: it shows none, or several."""
        shown = [value for name, value in self.headers if name == b"authorization"]
        scheme, _, raw = (shown[0] if len(shown) == 1 else b"").partition(b" ")
        if scheme.lower() != b"bearer":
            return ""
        return keys.digest(raw.strip().decode("latin-1"))

    async def body(self) -> AsyncIterator[bytes]:
        """Yield the body as it comes.

        :raises BodyTooLarge: when it is longer than it may be.
        :raises BodyTooSlow: when it does not go on.
        :raises CallerLeft: when the caller hung up.
        """
        length, more = 0, True
        while more:
            try:
                async with asyncio.timeout(BODY_S):
                    message = await self._receive()
            except TimeoutError:
                raise BodyTooSlow from None
            if message["type"] == "http.disconnect":
                raise CallerLeft
            content = message.get("body", b"")
            more = message.get("more_body", False)
            length += len(content)
            if length > BODY_BYTES_MAX:
                raise BodyTooLarge
            if content:
                yield content

    async def leave(self) -> None:
        """Return once the caller hung up."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def start(self, status: int, headers: list[Header]) -> None:
        """Begin the answer."""
        self.begun = True
        await self._tell({"type": "http.response.start", "status": status, "headers": headers})

    async def give(self, content: bytes, *, more: bool = True) -> None:
        """Send a part of the answer.

        :raises CallerLeft: when the caller takes nothing any more.
        """
        await self._tell({"type": "http.response.body", "body": content, "more_body": more})

    async def refuse(self, refused: Refused) -> None:
        """Answer why not."""
        reply = ProblemReply(status=refused.status, code=refused.code, detail=refused.detail)
        body = reply.model_dump_json().encode()
        headers = [
            (b"content-type", b"application/problem+json"),
            (b"content-length", str(len(body)).encode()),
            # What is left of the request is not read.
            (b"connection", b"close"),
        ]
        if refused.status == 401:
            headers.append((b"www-authenticate", b"Bearer"))
        if refused.retry_after_s is not None:
            headers.append((b"retry-after", str(refused.retry_after_s).encode()))
        await self.start(refused.status, headers)
        await self.give(body, more=False)

    async def _tell(self, message: MutableMapping[str, Any]) -> None:
        try:
            async with asyncio.timeout(TAKE_S):
                await self._send(message)
        except TimeoutError:
            raise CallerLeft from None
