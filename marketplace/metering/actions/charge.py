"""This will charge what was proven since the last charge, and settle what has ended."""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import OperationalError, connection, transaction
from django.db.models import F, Q

from marketplace.domain.placement import LIVE, Blame, PlacementState
from marketplace.ledger.actions import hold as holds
from marketplace.ledger.actions.capture_many import capture_many
from marketplace.metering.actions.charge_side import charge_side
from marketplace.metering.charge_sql import ANY, CHARGES, COUNT, LOCK, NOT_A_JOB, WORDS
from marketplace.metering.models import Meter
from marketplace.one_by_one import one_by_one
from marketplace.placements.models import Placement
from protocol.workload import PlacementKind

logger = logging.getLogger(__name__)
#: meters of ended placements that one tick looks at; the next tick goes on
ENDED_MAX = 1000
#: meters of running placements that one tick charges; the next tick goes on
METERS_MAX = 50_000
#: meters charged in one transaction, which holds their locks for that long: below 100 ms
METERS_AT_ONCE = 300
#: A job costs when it is over: then it is known whether its machine broke it off.
JOBS = Q(placement__kind=PlacementKind.JOB)
#: how long after the end a machine that did not say GONE may still send what it signed
LAST_INTERVALS_S = 120


def charge_all(*, now: datetime) -> int:
    """Charge every meter that is due or whose placement ended; return how many."""
    return _charge_running(now) + _settle_ended(now)


def charge(*, meter_id: UUID, now: datetime) -> None:
    """Charge one meter up to what is proven; close it and free its hold once nothing more comes.

    Charges are cumulative: the cause names the milliseconds reached, so that a repeat posts nothing
    and rounding never drifts.
    """
    with transaction.atomic():
        rows = Meter.objects.select_for_update(of=("self",)).select_related("placement")
        meter = rows.filter(id=meter_id, closed_at=None).first()
        if meter is None:
            return
        if not _is_broken_off(meter.placement):
            _charge_between(meter_id, meter_id, now, which=ANY)
        if _is_complete(meter.placement, now):
            charge_side(meter_id=meter_id, now=now)
            holds.release(hold_id=meter.hold_id, cause=f"meter:{meter.id}:close", now=now)
            Meter.objects.filter(id=meter_id).update(closed_at=now)


def _charge_running(now: datetime) -> int:
    running = Meter.objects.filter(closed_at=None, placement__state__in=LIVE).exclude(JOBS)
    due = _is_due() & Q(proven_ms__gt=F("charged_ms"))
    found = list(running.filter(due).order_by("id").values_list("id", flat=True)[:METERS_MAX])
    for first in range(0, len(found), METERS_AT_ONCE):
        _charge_some(found[first : first + METERS_AT_ONCE], now)
    return len(found)


def _settle_ended(now: datetime) -> int:
    ended = Meter.objects.filter(closed_at=None).exclude(placement__state__in=LIVE)
    charged = one_by_one(
        ended.order_by("opened_at", "id").values_list("id", flat=True),
        lambda meter_id: charge(meter_id=meter_id, now=now),
        failed="Meter not charged",
        most=ENDED_MAX,
    )
    return len(charged)


def _is_due() -> Q:
    """Say which running meters are charged now: the first seconds, then as much time at once."""
    uncharged_ms = F("charged_ms") + settings.CHARGE_EVERY_S * 1000
    resting = ~Q(placement__state=PlacementState.RUNNING)
    return Q(charged_until=None) | Q(proven_ms__gte=uncharged_ms) | resting


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
    """Charge the running meters from the first to the last of these; a broken one is left out."""
    try:
        _charge_between(meter_ids[0], meter_ids[-1], now, which=NOT_A_JOB)
    except OperationalError:
        # It is the database that fails, not a meter: the next tick goes on.
        raise
    except Exception:
        if len(meter_ids) == 1:
            # The others must not wait for who mends this one; the next pass tries it again.
            logger.exception("Meter not charged", extra={"meter": meter_ids[0]})
            return
        # One of them is broken: the half without it is charged, and so on down to itself.
        half = len(meter_ids) // 2
        _charge_some(meter_ids[:half], now)
        _charge_some(meter_ids[half:], now)


def _charge_between(first: UUID, last: UUID, now: datetime, *, which: str) -> None:
    """Post what the meters have proven and not charged, and count it in them, in one transaction.

    Killed before its end it did nothing, and after it the same call finds nothing to charge.
    """
    words = WORDS[connection.vendor]
    some = [Meter._meta.pk.get_db_prep_value(one, connection) for one in (first, last)]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(LOCK.format(**words), some)
        capture_many(charges=CHARGES.format(which=which, **words), parameters=some, now=now)
        cursor.execute(COUNT.format(which=which), some)


def _is_broken_off(placement: Placement) -> bool:
    """Say whether a job came to nothing by its machine's fault, and so costs nothing.

    Its renter has what it left once that is told, whatever goes wrong after it.
    """
    broken = placement.kind == PlacementKind.JOB and placement.blame == Blame.MACHINE
    return broken and not placement.outputs
