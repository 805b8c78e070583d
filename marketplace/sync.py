"""This will answer the agents' one call, as a bare ASGI application beside Django."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from pydantic import ValidationError

from marketplace.domain import nonce
from marketplace.domain.problem import Refused
from marketplace.held_syncs import HeldSyncs
from marketplace.machines import queries as machine_queries
from marketplace.machines.actions.authenticate import MachineUnknown, authenticate
from marketplace.machines.actions.heartbeat import heartbeat
from marketplace.metering.actions.record import record
from marketplace.offers.actions.refresh import refresh
from marketplace.placements import queries as placement_queries
from marketplace.placements.actions.observe import observe
from marketplace.sync_limits import LargeBodies, SyncRate
from marketplace.telemetry.actions import record as telemetry
from marketplace.verification.queries import validator_keys
from marketplace.watch import in_thread
from protocol import paths
from protocol.agent import ProblemReply, SyncReply, SyncRequest
from protocol.message import holds_nul

logger = logging.getLogger(__name__)

BODY_BYTES_MAX = 4 << 20
#: a sync of a machine that is not enrolled is read no further; most others are smaller anyway
BODY_BYTES_UNKNOWN_MAX = 64 << 10
BODY_S_MAX = 20.0
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


class SyncMalformed(Refused):
    code = "invalid"
    status = 422


class MethodWrong(Refused):
    code = "invalid"
    status = 405
    sentence = "A sync is a POST."


held_syncs = HeldSyncs(machine_queries.changed_revisions)
sync_rate = SyncRate()
large_bodies = LargeBodies()


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """Serve ``POST /api/agent/v1/sync``: take the report in, hold the call, say what is desired."""
    try:
        if scope["method"] != "POST":
            raise MethodWrong
        headers = _headers(scope)
        body = await _body(receive, headers)
        machine_id, request = await in_thread(
            lambda: take_in(headers=headers, body=body, now=_now())
        )()
        await _hold(machine_id, request, receive)
        reply = await in_thread(lambda: answer(machine_id=machine_id, now=_now()))()
        await _respond(send, 200, reply.model_dump_json().encode())
    except Refused as refused:
        await _respond(send, refused.status, problem(refused))
    except ConnectionAbortedError:
        return


def take_in(*, headers: Mapping[str, str], body: bytes, now: datetime) -> tuple[UUID, SyncRequest]:
    """Accept a signed report: heartbeat, intervals, observed placements; return who sent what.

    :raises Refused: when it is not signed by an enrolled machine, malformed or one too many.
    """
    sender = authenticate(headers=headers, method="POST", path=paths.AGENT_SYNC, body=body, now=now)
    machine_id = sender.machine_id
    sync_rate.take(machine_id, now)
    if holds_nul(body):
        raise SyncMalformed("The sync is malformed: a text may hold no NUL character.")
    try:
        request = SyncRequest.model_validate_json(body)
    except ValidationError as error:
        raise SyncMalformed(f"The sync is malformed: {error.errors()[0]['msg']}.") from None
    with transaction.atomic():
        # First: it refuses what was taken in before, and locks the machine (actions/lock.py).
        heartbeat(
            machine_id=machine_id, request=request, sent_at_ms=sender.signed.sent_at_ms, now=now
        )
        if request.intervals:
            # Before the states: a placement that ends with this report is charged in full.
            record(
                machine_id=machine_id,
                machine_key=sender.signed.machine_key,
                observed=request.placements,
                intervals=request.intervals,
                now=now,
            )
        if request.placements:
            observe(machine_id=machine_id, observed=request.placements, now=now)
        if request.hardware is not None:
            refresh(machine_id=machine_id, now=now)
        telemetry.record(
            machine_id=machine_id, usage=request.usage, incidents=request.incidents, now=now
        )
    return machine_id, request


def answer(*, machine_id: UUID, now: datetime) -> SyncReply:
    """Return what the machine shall do now, with a nonce that dates its next word."""
    revision = placement_queries.revision(machine_id)
    return SyncReply(
        nonce=nonce.issue(secret=settings.SECRET_KEY.encode(), machine_id=str(machine_id), now=now),
        server_time_ms=int(now.timestamp() * 1000),
        revision=revision,
        desired=placement_queries.desired(machine_id, now),
        validators=tuple(validator_keys()),
    )


def problem(refused: Refused) -> bytes:
    """Return the body of a refused request."""
    reply = ProblemReply(status=refused.status, code=refused.code, detail=refused.detail)
    return reply.model_dump_json().encode()


async def _hold(machine_id: UUID, request: SyncRequest, receive: Receive) -> None:
    if request.hold_s == 0:
        return
    waiting = asyncio.ensure_future(
        held_syncs.wait(machine_id, above=request.revision, at_most_s=request.hold_s)
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
                key = headers.get(paths.HEADER_MACHINE.lower(), "")
                return await _read(receive, key, while_read)
    except TimeoutError:
        raise BodyTooSlow from None


async def _read(receive: Receive, machine_key: str, while_read: ExitStack) -> bytes:
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
            if not await in_thread(machine_queries.is_enrolled)(machine_key):
                raise MachineUnknown
            while_read.enter_context(large_bodies.reading(machine_key))
            bytes_max = BODY_BYTES_MAX
        if len(body) > bytes_max:
            raise BodyTooLarge
    return bytes(body)


def _now() -> datetime:
    return datetime.now(tz=UTC)


async def _respond(send: Send, status: int, body: bytes) -> None:
    kind = b"application/json" if status == 200 else b"application/problem+json"
    headers = [(b"content-type", kind), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
