"""This will speak to the site as a renter's program and as a machine do."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.test import Client
from django.utils import timezone

from marketplace.accounts.actions import issue_api_key
from marketplace.accounts.models import User
from marketplace.domain.scope import Scope
from protocol import paths
from protocol.container_log import LogLine, LogReport, Stream
from protocol.signing import public_key_of, request_bytes, sign
from tests.marketplace.rentals.market import Agent


def line(text: str, number: int = 1, stream: Stream = Stream.STDOUT) -> LogLine:
    """Return one line; a greater number was said later."""
    return LogLine(at=f"2026-03-01T12:00:00.{number:09}Z", stream=stream, text=text)


def send(agent: Agent, placement_id: UUID, report: LogReport, **changed: Any) -> tuple[int, str]:
    """Send a log as the machine does; return the status, and the code of a refusal."""
    path = paths.AGENT_PLACEMENT_LOG.format(placement_id=placement_id)
    body = report.model_dump_json().encode()
    key = public_key_of(agent.private)
    sent_at_ms = int(timezone.now().timestamp() * 1000)
    signed = request_bytes(
        method="POST", path=path, sender=key, sent_at_ms=sent_at_ms, body=changed.get("over", body)
    )
    headers = {
        paths.HEADER_MACHINE: key,
        paths.HEADER_SENT_AT: str(sent_at_ms),
        paths.HEADER_SIGNATURE: sign(agent.private, signed),
    }
    reply = Client().post(path, body, "application/json", headers=headers)
    return reply.status_code, reply.json()["code"] if reply.content else ""


def key_of(user: User, scopes: Sequence[Scope] = ()) -> str:
    """Return an API key that works now."""
    return issue_api_key.issue(user_id=user.pk, name="k", scopes=scopes, now=timezone.now()).secret


def call(secret: str, method: str, rental_id: UUID, query: str = "", **body: Any) -> Any:
    """Return the site's reply to a call about a rental's log."""
    path = f"/api/v1/rentals/{rental_id}/logs{query}"
    headers = {"authorization": f"Bearer {secret}"} if secret else {}
    return Client().generic(method, path, json.dumps(body), "application/json", headers=headers)


def asked_of(agent: Agent, now: datetime) -> dict[UUID, Any]:
    """Return what the machine's next reply asks for, by placement."""
    return {one.placement_id: one for one in agent.sync(now).logs}
