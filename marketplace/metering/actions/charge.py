"""This will charge what was proven since the last charge, and settle what has ended."""

from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import F, Q

from marketplace.domain import money
from marketplace.domain.placement import LIVE
from marketplace.ledger.actions import hold as holds
from marketplace.metering.models import Meter

#: meters that one tick looks at; the next tick goes on
METERS_MAX = 1000
PPM = 1_000_000


def charge_all(*, now: datetime) -> int:
    """Charge every meter that has proven seconds or whose placement ended; return how many."""
    due = (
        Meter.objects.filter(closed_at=None)
        .filter(Q(proven_ms__gt=F("charged_ms")) | ~Q(placement__state__in=LIVE))
        .order_by("opened_at", "id")
        .values_list("id", flat=True)[:METERS_MAX]
    )
    done = 0
    for meter_id in list(due):
        charge(meter_id=meter_id, now=now)
        done += 1
    return done


def charge(*, meter_id: UUID, now: datetime) -> None:
    """Charge one meter up to what is proven; close it and free its hold once its placement ended.

    Charges are cumulative: the cause names the milliseconds reached, so that a repeat posts nothing
    and rounding never drifts.
    """
    with transaction.atomic():
        meter = (
            Meter.objects.select_for_update(of=("self",))
            .select_related("placement")
            .get(id=meter_id)
        )
        if meter.closed_at is not None:
            return
        _charge_proven(meter, now)
        if meter.placement.state not in LIVE:
            holds.release(hold_id=meter.hold_id, cause=f"meter:{meter.id}:close", now=now)
            meter.closed_at = now
        meter.save()


def _charge_proven(meter: Meter, now: datetime) -> None:
    if meter.proven_ms == meter.charged_ms:
        return
    total = money.charge(meter.price_hour_microusd, meter.proven_ms)
    fee = total * meter.fee_ppm // PPM
    amount = money.MicroUsd(total - meter.charged_microusd)
    if amount > 0:
        holds.capture(
            hold_id=meter.hold_id,
            amount_microusd=amount,
            host_user_id=meter.host_id,
            fee_microusd=money.MicroUsd(fee - meter.fee_microusd),
            cause=f"meter:{meter.id}:{meter.proven_ms}",
            note=f"Placement {str(meter.placement_id)[:8]} at "
            f"{money.format_usd(meter.price_hour_microusd)}/h",
            now=now,
        )
    meter.charged_ms = meter.proven_ms
    meter.charged_microusd = total
    meter.fee_microusd = fee
