"""This will charge what was proven since the last charge, and settle what has ended."""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import F, Q

from marketplace.domain import money
from marketplace.domain.placement import LIVE, Blame
from marketplace.ledger.actions import hold as holds
from marketplace.metering.models import Meter
from marketplace.placements.models import Placement
from protocol.workload import PlacementKind

logger = logging.getLogger(__name__)
#: meters that one tick looks at; the next tick goes on
METERS_MAX = 1000
#: meters charged in one transaction, which holds their locks for that long
METERS_AT_ONCE = 50
PPM = 1_000_000
#: the columns that a charge moves
CHARGED = ("charged_ms", "charged_until", "charged_microusd", "fee_microusd")
#: A job costs when it is over: then it is known whether its machine broke it off.
JOBS = Q(placement__kind=PlacementKind.JOB)
#: as much of an image's name as a statement shows
IMAGE_LENGTH_MAX = 120
#: how long after the end a machine that did not say GONE may still send what it signed
LAST_INTERVALS_S = 120


def charge_all(*, now: datetime) -> int:
    """Charge every meter that has proven seconds or whose placement ended; return how many."""
    due = (
        Meter.objects.filter(closed_at=None)
        .filter(Q(proven_ms__gt=F("charged_ms")) & ~JOBS | ~Q(placement__state__in=LIVE))
        .order_by("opened_at", "id")
        .values_list("id", "placement__state")[:METERS_MAX]
    )
    found = list(due)
    running = [meter_id for meter_id, state in found if state in LIVE]
    for first in range(0, len(running), METERS_AT_ONCE):
        _charge_some(running[first : first + METERS_AT_ONCE], now)
    for meter_id, state in found:
        if state not in LIVE:
            _charge_alone(meter_id, now)
    return len(found)


def charge(*, meter_id: UUID, now: datetime) -> None:
    """Charge one meter up to what is proven; close it and free its hold once nothing more comes.

    Charges are cumulative: the cause names the milliseconds reached, so that a repeat posts nothing
    and rounding never drifts.
    """
    with transaction.atomic():
        for meter in _locked([meter_id]):
            _post([meter], now)
            if _is_complete(meter.placement, now):
                holds.release(hold_id=meter.hold_id, cause=f"meter:{meter.id}:close", now=now)
                meter.closed_at = now
            meter.save()


def _is_complete(placement: Placement, now: datetime) -> bool:
    """Say whether no interval can come any more that counts.

    GONE is a machine's last word, said after its last interval. One that ended badly without it
    has a short while for both; without a door that was ever seen, nothing of it counts anyway.
    """
    if placement.ended_at is None:
        return False
    if placement.gone_at is not None or placement.reachable_at is None:
        return True
    return now >= placement.ended_at + timedelta(seconds=LAST_INTERVALS_S)


def _charge_some(meter_ids: Sequence[UUID], now: datetime) -> None:
    """Charge the meters of running placements together; what only one of them lacks is its own."""
    try:
        with transaction.atomic():
            meters = _locked(meter_ids)
            _post(meters, now)
            Meter.objects.bulk_update(meters, CHARGED)
    except Exception:
        # One of them is broken; alone, each of them says so or is charged.
        logger.info("Meters charged one by one", extra={"meters": len(meter_ids)})
        for meter_id in meter_ids:
            _charge_alone(meter_id, now)


def _charge_alone(meter_id: UUID, now: datetime) -> None:
    try:
        charge(meter_id=meter_id, now=now)
    except Exception:
        # The others must not wait for who mends this one; the next pass tries it again.
        logger.exception("Meter not charged", extra={"meter": meter_id})


def _locked(meter_ids: Sequence[UUID]) -> list[Meter]:
    rows = Meter.objects.select_for_update(of=("self",)).select_related("placement")
    return list(rows.filter(id__in=meter_ids, closed_at=None).order_by("id"))


def _post(meters: Sequence[Meter], now: datetime) -> None:
    """Post what the meters have proven and not charged, and count it in them."""
    charges = []
    for meter in meters:
        if _is_broken_off(meter.placement):
            continue
        total = money.charge(meter.price_hour_microusd, meter.proven_ms)
        fee = total * meter.fee_ppm // PPM
        if total > meter.charged_microusd:
            charges.append(_charge_of(meter, total, fee))
        meter.charged_ms = meter.proven_ms
        meter.charged_until = meter.proven_until
        meter.charged_microusd = total
        meter.fee_microusd = fee
    if charges:
        holds.capture_all(charges=charges, now=now)


def _is_broken_off(placement: Placement) -> bool:
    """Say whether a job came to nothing by its machine's fault, and so costs nothing.

    Its renter has what it left once that is told, whatever goes wrong after it.
    """
    broken = placement.kind == PlacementKind.JOB and placement.blame == Blame.MACHINE
    return broken and not placement.outputs


def _charge_of(meter: Meter, total_microusd: int, fee_microusd: int) -> holds.Charge:
    price = money.format_usd(meter.price_hour_microusd)
    return holds.Charge(
        hold_id=meter.hold_id,
        amount_microusd=money.MicroUsd(total_microusd - meter.charged_microusd),
        host_user_id=meter.host_id,
        fee_microusd=money.MicroUsd(fee_microusd - meter.fee_microusd),
        cause=f"meter:{meter.id}:{meter.proven_ms}",
        note=f"{meter.placement.workload['image'][:IMAGE_LENGTH_MAX]} at {price} an hour",
    )
