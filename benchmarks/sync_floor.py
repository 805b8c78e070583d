"""This will be the least that can take in signed syncs: verify, and write every 50 ms.

It writes what the marketplace must write for the same syncs, each table by one statement, and does
nothing else: it knows no states, replays, limits or money, and its answer is always the same.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from datetime import UTC, datetime
from typing import Any

import psycopg

from marketplace.domain.usage import slot_of
from protocol import paths
from protocol.agent import SyncRequest
from protocol.message import canonical_bytes
from protocol.signing import request_bytes, verify

EVERY_S = 0.05
ANSWER = b'{"nonce":"","revision":0,"desired":[]}'
HEARTBEATS = (
    "UPDATE machines_machine SET sent_at_ms = told.sent_at_ms, agent_version = told.version,"
    " boot_id = told.boot_id, last_seen_at = %s, online = true"
    " FROM unnest(%s::text[], %s::bigint[], %s::text[], %s::text[])"
    " AS told (key, sent_at_ms, version, boot_id)"
    " WHERE machine_key = told.key AND machines_machine.sent_at_ms < told.sent_at_ms"
)
INTERVALS = (
    "INSERT INTO metering_signedintervalrow"
    " (placement_id, sequence, signed, unbroken_from_age_ms, received_at)"
    " SELECT told.placement_id, told.sequence, told.signed, 0, %s"
    " FROM unnest(%s::uuid[], %s::int[], %s::jsonb[]) AS told (placement_id, sequence, signed)"
)
READINGS = (
    "INSERT INTO telemetry_reading (machine_id, slot, at, content)"
    " SELECT machine.id, %s, %s, told.content FROM unnest(%s::text[], %s::jsonb[])"
    " AS told (key, content) JOIN machines_machine machine ON machine_key = told.key"
    " ON CONFLICT (machine_id, slot) DO UPDATE SET at = excluded.at, content = excluded.content"
)

HEADERS = [
    name.lower().encode()
    for name in (paths.HEADER_MACHINE, paths.HEADER_SENT_AT, paths.HEADER_SIGNATURE)
]
#: whose it is, when it was sent, and what it says
Sync = tuple[str, int, SyncRequest]

_waiting: list[tuple[Sync, asyncio.Future[None]]] = []
_database: list[psycopg.Connection[Any]] = []
_tasks: list[asyncio.Task[None]] = []


async def application(
    scope: MutableMapping[str, Any],
    receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
    send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
) -> None:
    """Serve ``POST /api/agent/v1/sync`` and nothing else."""
    if scope["type"] == "lifespan":
        await receive()
        _database.append(psycopg.connect(os.environ["FLOOR_DATABASE"], autocommit=True))
        _tasks.append(asyncio.create_task(_write_every()))
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    message = await receive()
    body = message["body"]
    while message["more_body"]:
        message = await receive()
        body += message["body"]
    try:
        status, sync = 200, _verified(dict(scope["headers"]), body)
        written = asyncio.get_running_loop().create_future()
        _waiting.append((sync, written))
        await written
    except ValueError:
        status = 401
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(ANSWER))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": ANSWER})


def _verified(headers: Mapping[bytes, bytes], body: bytes) -> Sync:
    key, sent_at, signature = (headers[name].decode() for name in HEADERS)
    content = request_bytes(
        method="POST", path=paths.AGENT_SYNC, sender=key, sent_at_ms=int(sent_at), body=body
    )
    if not verify(key, content, signature):
        raise ValueError
    request = SyncRequest.model_validate_json(body)
    for one in request.intervals:
        if not verify(key, canonical_bytes(one.interval), one.signature):
            raise ValueError
    return key, int(sent_at), request


async def _write_every() -> None:
    while True:
        await asyncio.sleep(EVERY_S)
        some = _waiting[:]
        _waiting.clear()
        if some:
            await asyncio.to_thread(_write, [sync for sync, _ in some])
            for _, written in some:
                written.set_result(None)


def _write(some: Sequence[Sync]) -> None:
    now, database = datetime.now(UTC), _database[0]
    with database.transaction():
        keys, sent_at_ms, requests = zip(*some, strict=True)
        versions = [request.agent_version for request in requests]
        boots = [request.boot_id for request in requests]
        database.execute(HEARTBEATS, [now, list(keys), list(sent_at_ms), versions, boots])
        intervals = [one for request in requests for one in request.intervals]
        if intervals:
            placements = [one.interval.placement_id for one in intervals]
            sequences = [one.interval.sequence for one in intervals]
            texts = [one.model_dump_json() for one in intervals]
            database.execute(INTERVALS, [now, placements, sequences, texts])
        used = [(key, request.usage) for key, _, request in some if request.usage]
        if used:
            contents = [usage.model_dump_json(exclude_defaults=True) for _, usage in used]
            database.execute(READINGS, [slot_of(now), now, [key for key, _ in used], contents])
