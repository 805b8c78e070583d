"""This will count how long stopped placements' disks are kept, where their hosts charge for it."""

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, OuterRef, Subquery

from marketplace import many_rows
from marketplace.domain.placement import PlacementState
from marketplace.metering.actions.charge_side import charge_side, is_due
from marketplace.metering.models import SideMeter
from marketplace.placements.models import PlacementEvent

#: that one pass looks at, the longest not looked at first; the next pass goes on
ROWS_MAX = 10_000
#: of a longer time in which nobody counted, only the last of it counts: nobody knows of the rest
GAP = timedelta(seconds=300)


def count_storage(*, now: datetime) -> int:
    """Return how many stopped placements' disks were looked at.

    What counts lies after the machine said that it stopped, before the end of the paid time, and
    while the machine was in touch. What lies between the newest pass and a start is free.
    """
    stopped = PlacementEvent.objects.filter(
        placement_id=OuterRef("meter__placement_id"), new_state=PlacementState.STOPPED
    )
    with transaction.atomic():
        kept = SideMeter.objects.select_for_update(of=("self",)).filter(
            storage_price_microusd__gt=0,
            meter__closed_at=None,
            meter__placement__state=PlacementState.STOPPED,
        )
        rows = list(
            kept.annotate(stopped_at=Subquery(stopped.order_by("-at", "-id").values("at")[:1]))
            .select_related("meter__placement__machine")
            .order_by(F("stored_until").asc(nulls_first=True), "id")[:ROWS_MAX]
        )
        for side in rows:
            side.stored_ms += _kept_ms(side, side.stopped_at, now)
            side.stored_until = now
        columns = ("stored_ms", "stored_until")
        many_rows.update(
            SideMeter, {side.pk: {name: getattr(side, name) for name in columns} for side in rows}
        )
    for side in rows:
        if is_due(side):
            charge_side(meter_id=side.meter_id, now=now)
    return len(rows)


def _kept_ms(side: SideMeter, stopped_at: datetime | None, now: datetime) -> int:
    placement = side.meter.placement
    if stopped_at is None or not placement.machine.online:
        return 0
    since = max(stopped_at, side.stored_until or stopped_at, now - GAP)
    return max(0, (min(now, placement.funded_until) - since) // timedelta(milliseconds=1))
