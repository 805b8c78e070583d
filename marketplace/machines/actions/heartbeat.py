"""This will note that a machine was heard from, and count the time that it is there."""

import logging
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F

from marketplace.domain.machine import uptime_by_day, uptime_is_due
from marketplace.domain.problem import Refused
from marketplace.machines.actions import describe
from marketplace.machines.models import Machine, UptimeDay
from protocol.agent import SyncRequest

logger = logging.getLogger(__name__)


class SyncReplayed(Refused):
    """Its signature proves who made it, not who sent it: anybody on the way may send it again."""

    code = "replayed"
    status = 401
    sentence = "This sync, or a newer one of the machine, was taken in before."


def heartbeat(*, machine_id: UUID, request: SyncRequest, sent_at_ms: int, now: datetime) -> None:
    """Write down what a sync says about the machine itself; usually this is one UPDATE.

    ``sent_at_ms`` is what the machine signed as its time.

    :raises SyncReplayed: when it is not above that of every sync taken in before.
    """
    changes: dict[str, Any] = {
        "sent_at_ms": sent_at_ms,
        "agent_version": request.agent_version,
        "boot_id": request.boot_id,
        "last_seen_at": now,
        # One that can start nothing is heard from, and yet not for rent.
        "online": request.problem is None,
    }
    with transaction.atomic():
        online, counted_at = (
            Machine.objects.filter(id=machine_id).values_list("online", "uptime_counted_at").get()
        )
        if not online:
            changes["uptime_counted_at"] = now
            if request.problem is None:
                logger.info("Machine online", extra={"machine_id": machine_id})
        elif uptime_is_due(counted_at, now=now):
            count_uptime(machine_id=machine_id, counted_at=counted_at, until=now)
        # The guard decides between two processes that got the same sync at once.
        newest = Machine.objects.filter(id=machine_id, sent_at_ms__lt=sent_at_ms)
        if not newest.update(**changes):
            raise SyncReplayed
        if online and request.problem is not None:
            logger.warning(
                "Machine cannot work",
                extra={"machine_id": machine_id, "code": request.problem.code},
            )
        if request.hardware is not None:
            describe.describe(machine_id=machine_id, hardware=request.hardware)


def count_uptime(*, machine_id: UUID, counted_at: datetime, until: datetime) -> None:
    """Add the time from ``counted_at`` until ``until`` to the machine's days, once."""
    # Two syncs may race; the guard lets one of them count each stretch.
    counted = Machine.objects.filter(
        id=machine_id, uptime_counted_at=counted_at, uptime_counted_at__lt=until
    ).update(uptime_counted_at=until)
    if not counted:
        return
    for midnight, up_ms in uptime_by_day(counted_at, until):
        day, _ = UptimeDay.objects.get_or_create(machine_id=machine_id, day=midnight.date())
        UptimeDay.objects.filter(id=day.id).update(up_ms=F("up_ms") + up_ms)
