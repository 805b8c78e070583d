"""This will take machines that fell silent off the market."""

import logging
from datetime import datetime

from django.db import transaction
from django.db.models.functions import Greatest

from marketplace.domain.machine import silent_since
from marketplace.machines.actions.attend import attend, hears
from marketplace.machines.actions.heartbeat import add_uptime
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
    with transaction.atomic():
        # Whoever holds a machine's lock hears from it now, or asks for it in another order.
        rows = Machine.objects.select_for_update(no_key=True, skip_locked=True)
        silent = rows.filter(online=True, last_seen_at__lt=silent_since(now))
        columns = ("id", "uptime_counted_at", "last_seen_at")
        found = list(silent.order_by("last_seen_at", "id").values_list(*columns)[:BATCH_ROWS])
        Machine.objects.filter(id__in=[machine_id for machine_id, *_ in found]).update(
            online=False, uptime_counted_at=Greatest("uptime_counted_at", "last_seen_at")
        )
        add_uptime(stretch for stretch in found if stretch[1] < stretch[2])
    for machine_id, *_ in found:
        logger.warning("Machine offline", extra={"machine_id": machine_id})
    return len(found)
