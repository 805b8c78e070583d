"""This will answer the agents' one call, as a bare ASGI application beside Django."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from marketplace import reports
from marketplace.domain.problem import Refused
from marketplace.gathering import Gathering
from marketplace.held_syncs import HeldSyncs
from marketplace.machines import queries as machine_queries
from marketplace.machines.actions.authenticate import (
    Sender,
    Signed,
    authenticate_digest,
    check_signature,
)
from marketplace.sync_limits import LargeBodies
from marketplace.watch import in_thread
from protocol import paths
from protocol.agent import ProblemReply, SyncRequest

BODY_BYTES_MAX = 4 << 20
#: a sync that no enrolled machine signed is read no further; most others are smaller anyway
BODY_BYTES_UNKNOWN_MAX = 64 << 10
BODY_S_MAX = 20.0
#: what comes within so long is written down together, and so many syncs at most: their machines
#: are locked as long as that takes
GATHER_S, AT_ONCE_MAX = 0.05, 100
#: what held calls are told when something changed is read for all that are woken together
ANSWER_S = 0.01
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class BodyTooLarge(Refused):
    code = "too_large"
    status = 413
    sentence = "A sync is at most 4 MiB; send fewer intervals at once."


class BodyTooSlow(Refused):
    code = "too_slow"
    status = 408
    sentence = "The sync did not arrive within 20 seconds."


class MethodWrong(Refused):
    code = "invalid"
    status = 405
    sentence = "A sync is a POST."


@dataclass(frozen=True, slots=True)
class _Held:
    """A sync that was taken in and waits for something new."""

    machine_id: UUID
    request: SyncRequest


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """Serve ``POST /api/agent/v1/sync``: take the report in, hold the call, say what is desired."""
    try:
        if scope["method"] != "POST":
            raise MethodWrong
        headers = _headers(scope)
        body = await _body(receive, headers)
        taken = await taking_in.put(await _signed(headers, body))
        if isinstance(taken, _Held):
            await _hold(taken, receive)
            taken = await answering.put(taken.machine_id)
        await _respond(send, 200, taken)
    except Refused as refused:
        await _respond(send, refused.status, problem(refused))
    except ConnectionAbortedError:
        return


async def _signed(headers: Mapping[str, str], body: bytes) -> reports.Report:
    def check() -> Signed:
        return check_signature(
            headers=headers, method="POST", path=paths.AGENT_SYNC, body=body, now=_now()
        )

    # A small one is checked sooner than a thread is asked to.
    large = len(body) > BODY_BYTES_UNKNOWN_MAX
    return reports.Report(signed=await in_thread(check)() if large else check(), body=body)


def _take_in(some: Sequence[reports.Report]) -> list[_Held | bytes | Exception]:
    now = _now()
    outcomes = reports.take_in(reports=some, now=now)
    taken = [one for one in outcomes if isinstance(one, reports.Taken)]
    replies = reports.answer(
        machine_ids={one.machine_id for one in taken if not one.request.hold_s}, now=now
    )
    return [
        one
        if isinstance(one, Exception)
        else _Held(one.machine_id, one.request)
        if one.request.hold_s
        else _written(replies[one.machine_id])
        for one in outcomes
    ]


def _answer(machine_ids: Sequence[UUID]) -> list[bytes | Exception]:
    replies = reports.answer(machine_ids=set(machine_ids), now=_now())
    return [_written(replies[machine_id]) for machine_id in machine_ids]


def _written(answer: reports.Answer) -> bytes | Refused:
    if isinstance(answer, Refused):
        return answer
    # An agent that never hears of a field needs not know it (protocol.container_log.ANSWERS_SINCE).
    return answer.model_dump_json(exclude=None if answer.logs else {"logs"}).encode()


held_syncs = HeldSyncs(machine_queries.changed_revisions)
large_bodies = LargeBodies()
taking_in: Gathering[reports.Report, _Held | bytes] = Gathering(
    _take_in, every_s=GATHER_S, at_once_max=AT_ONCE_MAX
)
answering: Gathering[UUID, bytes] = Gathering(_answer, every_s=ANSWER_S, at_once_max=AT_ONCE_MAX)


def problem(refused: Refused) -> bytes:
    """Return the body of a refused request."""
    reply = ProblemReply(status=refused.status, code=refused.code, detail=refused.detail)
    return reply.model_dump_json().encode()


async def _hold(held: _Held, receive: Receive) -> None:
    above, at_most_s = held.request.revision, held.request.hold_s
    waiting = asyncio.ensure_future(
        held_syncs.wait(held.machine_id, above=above, at_most_s=at_most_s)
    )
    leaving = asyncio.ensure_future(_left(receive))
    try:
        await asyncio.wait({waiting, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if leaving.done():
            raise ConnectionAbortedError
    finally:
        waiting.cancel()
        leaving.cancel()


def _headers(scope: Scope) -> dict[str, str]:
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _body(receive: Receive, headers: Mapping[str, str]) -> bytes:
    try:
        async with asyncio.timeout(BODY_S_MAX):
            with ExitStack() as while_read:
                return await _read(receive, headers, while_read)
    except TimeoutError:
        raise BodyTooSlow from None


async def _read(receive: Receive, headers: Mapping[str, str], while_read: ExitStack) -> bytes:
    body = bytearray()
    bytes_max = BODY_BYTES_UNKNOWN_MAX
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionAbortedError
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > bytes_max and bytes_max < BODY_BYTES_MAX:
            # Signed by then: who knows no more than a machine's public key takes none of its room.
            sender = await in_thread(_sender)(headers)
            while_read.enter_context(large_bodies.reading(str(sender.machine_id)))
            bytes_max = BODY_BYTES_MAX
        if len(body) > bytes_max:
            raise BodyTooLarge
    return bytes(body)


def _sender(headers: Mapping[str, str]) -> Sender:
    digest = headers.get(paths.HEADER_DIGEST.lower(), "")
    return authenticate_digest(
        headers=headers, method="POST", path=paths.AGENT_SYNC, digest=digest, now=_now()
    )


def _now() -> datetime:
    return datetime.now(tz=UTC)


async def _respond(send: Send, status: int, body: bytes) -> None:
    kind = b"application/json" if status == 200 else b"application/problem+json"
    headers = [(b"content-type", kind), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
