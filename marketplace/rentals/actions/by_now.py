"""This will say what a rental may have cost at most up to now, by what was proven of it.

A rental that waited long for its bid to win has proven little: its renter may bid that much more.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from marketplace.domain.intervals import Stretch
from marketplace.domain.metered import Priced, counted
from marketplace.domain.upkeep import storage_cost
from marketplace.metering.models import Meter, SideMeter
from marketplace.placements.models import Placement
from marketplace.rentals.models import Rental


def priced_by_now(rental: Rental, *, now: datetime) -> Priced:
    """Return the rental's price, and what all before now may have cost instead of all that time.

    Call it in the transaction that changes the rental, behind its machine's lock.
    """
    priced, now_ms = rental.priced, _ms(now - rental.started_at)
    if priced.from_ms > now_ms:
        # Its newest price holds from a later moment on.
        return priced
    most = _most_by_now(rental, now)
    return replace(priced, from_ms=now_ms, from_microusd=min(most, priced.cost(now_ms)))


def _most_by_now(rental: Rental, now: datetime) -> int:
    # A change that is passed between two reads would be missed by both.
    meter = Meter.objects.select_for_update().get(id=rental.meter_id)
    unproven = _unproven(rental, meter, now)
    changes = list(meter.price_changes.filter(from_ms=None).order_by("at", "id"))
    priced, _ = counted(meter.priced, changes, stretch=unproven, proven_ms=meter.proven_ms)
    most = priced.cost(meter.proven_ms + unproven.ms)
    side = SideMeter.objects.filter(meter=meter).first()
    if side is None:
        return most
    # What is proven was not stopped, and its disk cost nothing then.
    stopped_ms = max(0, _ms(now - rental.started_at) - meter.proven_ms)
    storage = storage_cost(side.storage_price_microusd, side.disk_bytes, stopped_ms)
    return most + side.traffic_microusd_max + storage


def _unproven(rental: Rental, meter: Meter, now: datetime) -> Stretch:
    """Return what may still be proven: of its newest run, behind its door, up to its stop."""
    placement: Placement = rental.placement
    began = placement.door_open_since or placement.running_at
    if began is None:
        return Stretch(now, now)
    start = max(began, rental.started_at, meter.proven_until or began)
    return Stretch(start, max(start, min(now, placement.stop_requested_at or now)))


def _ms(length: timedelta) -> int:
    return length // timedelta(milliseconds=1)
