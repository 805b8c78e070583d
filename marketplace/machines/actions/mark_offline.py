"""This will take machines that fell silent off the market."""

import logging
from datetime import datetime

from django.db import transaction

from marketplace.domain.machine import silent_since
from marketplace.machines.actions.attend import attend, hears
from marketplace.machines.actions.heartbeat import count_uptime
from marketplace.machines.models import Machine

logger = logging.getLogger(__name__)
BATCH_ROWS = 500


def mark_offline(*, now: datetime) -> int:
    """Return how many machines went offline in this pass.

    None does for the marketplace's own silence: each has its whole time to be heard again.
    """
    if not hears(now=now):
        return 0
    presence = attend(name="offline", now=now)
    if presence.back_at is not None and presence.back_at > silent_since(now):
        return 0
    silent = Machine.objects.filter(online=True, last_seen_at__lt=silent_since(now))
    found = list(
        silent.order_by("last_seen_at", "id").values_list(
            "id", "last_seen_at", "uptime_counted_at"
        )[:BATCH_ROWS]
    )
    gone = 0
    for machine_id, last_seen_at, counted_at in found:
        with transaction.atomic():
            if not silent.filter(id=machine_id).update(online=False):
                continue
            count_uptime(machine_id=machine_id, counted_at=counted_at, until=last_seen_at)
        gone += 1
        logger.warning("Machine offline", extra={"machine_id": machine_id})
    return gone
