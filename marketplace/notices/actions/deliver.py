"""This will send people's notices to their web hooks."""

import asyncio
import json
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F

from marketplace.domain.notices import HOOK_FAILING_MAX, hook_due, signature
from marketplace.notices import queries, secret, sending
from marketplace.notices.actions.notify import notify
from marketplace.notices.models import Delivery, WebHook

#: hooks that are sent to at the same time
HOOKS_MAX = 50
#: of one hook in one pass, one after the other until one fails
EVENTS_MAX = 10
KIND_OFF = "web_hook_off"

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Attempt:
    """An event as it is sent; nothing here reads the database."""

    delivery_id: UUID
    #: counted from 1
    number: int
    url: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Outcome:
    attempt: Attempt
    #: why it did not arrive; empty: it did
    problem: str


def deliver(*, now: datetime) -> int:
    """Return how many events arrived. Call it outside a transaction: it waits for the network.

    A hook that answers slowly holds up its own events alone, but for the one deadline of a pass.
    """
    hooks = queries.due_hooks(now, rows_max=HOOKS_MAX)
    claimed = {hook.pk: attempts for hook in hooks if (attempts := _claim(hook, now))}
    if not claimed:
        return 0
    outcomes = asyncio.run(_send_all(list(claimed.values())))
    arrived = 0
    for hook, of_hook in zip(claimed, outcomes, strict=True):
        _note(hook, of_hook, now)
        _put_back(claimed[hook][len(of_hook) :], now)
        arrived += sum(not outcome.problem for outcome in of_hook)
    return arrived


def _claim(hook: WebHook, now: datetime) -> list[Attempt]:
    """Count the attempts before they are made: who is killed on the way makes no endless many."""
    with transaction.atomic():
        due = queries.due_deliveries(hook.pk, now, rows_max=EVENTS_MAX)
        for delivery in due:
            delivery.attempts += 1
            delivery.next_at = hook_due(attempts=delivery.attempts, now=now)
        Delivery.objects.bulk_update(due, ["attempts", "next_at"])
        WebHook.objects.filter(pk=hook.pk).update(tried_at=now)
    return [_attempt(hook, delivery, now) for delivery in due]


def _attempt(hook: WebHook, delivery: Delivery, now: datetime) -> Attempt:
    notice, timestamp = delivery.notice, int(now.timestamp())
    told = {
        "id": str(delivery.pk),
        "attempt": delivery.attempts,
        "kind": notice.kind,
        "at": notice.at.isoformat(),
        "title": notice.title,
        "text": notice.text,
        "data": notice.data,
        "url": queries.address_of(notice),
    }
    body = json.dumps(told, separators=(",", ":")).encode()
    signed = signature(*secret.valid(hook, now), timestamp=timestamp, body=body)
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "Berth",
        "Berth-Event": str(delivery.pk),
        "Berth-Attempt": str(delivery.attempts),
        "Berth-Timestamp": str(timestamp),
        "Berth-Signature": signed,
    }
    return Attempt(delivery.pk, delivery.attempts, hook.url, headers, body)


async def _send_all(of_hooks: Sequence[Sequence[Attempt]]) -> list[list[Outcome]]:
    # A look-up of a strange name may take half a minute, which nothing waits for.
    threads = ThreadPoolExecutor(HOOKS_MAX, thread_name_prefix="look-up")
    try:
        return list(await asyncio.gather(*(_send(each, threads) for each in of_hooks)))
    finally:
        threads.shutdown(wait=False, cancel_futures=True)


async def _send(attempts: Sequence[Attempt], threads: ThreadPoolExecutor) -> list[Outcome]:
    """Send one after the other until one fails: then the others would only wait for the same."""
    outcomes: list[Outcome] = []
    until = asyncio.get_running_loop().time() + sending.DEADLINE_S
    for attempt in attempts:
        left_s = until - asyncio.get_running_loop().time()
        try:
            await sending.send(
                attempt.url,
                headers=attempt.headers,
                body=attempt.body,
                threads=threads,
                public_only=not settings.PRIVATE_HOOKS,
                deadline_s=left_s if outcomes else sending.DEADLINE_S,
            )
        except sending.NotDelivered as problem:
            outcomes.append(Outcome(attempt, str(problem)[:200]))
            break
        outcomes.append(Outcome(attempt, ""))
    return outcomes


def _note(hook_id: UUID, outcomes: Sequence[Outcome], now: datetime) -> None:
    with transaction.atomic():
        hook = WebHook.objects.select_for_update().filter(pk=hook_id).first()
        if hook is None:
            return
        for outcome in outcomes:
            mine = Delivery.objects.filter(pk=outcome.attempt.delivery_id)
            if outcome.problem:
                mine.update(problem=outcome.problem)
            else:
                mine.update(problem="", next_at=None, delivered_at=now)
        newest = outcomes[-1].problem
        if newest:
            _note_failure(hook, newest, now)
        else:
            hook.failures, hook.failing_since, hook.problem = 0, None, ""
        hook.save(update_fields=["failures", "failing_since", "problem", "off_at"])
        if newest and hook.off_at is not None:
            _tell_off(hook, now)


def _put_back(unsent: Sequence[Attempt], now: datetime) -> None:
    """Uncount attempts that were not made, as one before them failed."""
    ids = [attempt.delivery_id for attempt in unsent]
    Delivery.objects.filter(pk__in=ids, next_at__isnull=False).update(
        attempts=F("attempts") - 1, next_at=hook_due(attempts=1, now=now)
    )


def _note_failure(hook: WebHook, problem: str, now: datetime) -> None:
    hook.failures += 1
    hook.failing_since = hook.failing_since or now
    hook.problem = problem
    logger.info("web hook failed", extra={"web_hook_id": hook.pk, "problem": problem})
    if hook.failing_since <= now - HOOK_FAILING_MAX:
        hook.off_at = now


def _tell_off(hook: WebHook, now: datetime) -> None:
    """Drop what is on its way to a hook that is off now, and tell its owner elsewhere."""
    Delivery.objects.filter(hook=hook, next_at__isnull=False).update(next_at=None)
    notify(
        user_id=hook.user_id,
        kind=KIND_OFF,
        cause=f"web-hook:{hook.pk}:off:{now.isoformat()}",
        title="Your web hook was turned off",
        text=f"Nothing arrived at {hook.url} for three days: {hook.problem} Turn it on again once"
        " it answers; what happened meanwhile is among your notices.",
        data={"url": "/web-hooks/", "web_hook_id": str(hook.pk)},
        now=now,
    )
