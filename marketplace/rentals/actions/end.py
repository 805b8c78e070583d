"""This will end a rental for good; nothing after this moment is charged."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from marketplace.domain.placement import HOSTS_DOINGS, LIVE, PlacementState
from marketplace.domain.pricing import PriceType
from marketplace.machines.actions import lock
from marketplace.metering.actions.rerate import rerate
from marketplace.metering.models import SideMeter
from marketplace.placements.actions import request_end
from marketplace.placements.models import Placement
from marketplace.rentals import queries
from marketplace.rentals.models import Rental
from protocol.agent import Want

CODE, REASON = "renter_ended", "You ended it."


def end(
    *,
    rental_id: UUID,
    renter_id: int,
    now: datetime,
    reason_code: str = CODE,
    reason: str = REASON,
) -> None:
    """Ask for the rental's end, and with it that of its files; asking twice changes nothing.

    ``reason_code``, ``reason``: where it was not its renter who asked, and yet their doing.

    A reservation that ends before its term costs what its time had cost on demand, and no more
    than the whole term.

    :raises RentalUnknown: when this renter has no such rental.
    """
    rental = queries.find(rental_id, renter_id)
    with transaction.atomic():
        lock.lock(machine_id=rental.placement.machine_id)
        loses = rental.price_type == PriceType.RESERVED and _loses_discount(rental.id, now)
        request_end.request_end(
            placement_id=rental.placement_id,
            reason_code=reason_code,
            reason=reason,
            now=now,
        )
        if loses:
            _lose_discount(rental, now)


def _loses_discount(rental_id: UUID, now: datetime) -> bool:
    """Say whether its renter ends it early; its machine is locked."""
    rental = Rental.objects.select_related("placement__machine", "offer").get(id=rental_id)
    placement = rental.placement
    is_over = placement.want == Want.END or placement.state not in LIVE
    if rental.discount_lost_at is not None or is_over or placement.funded_until <= now:
        return False
    return not _is_hosts_doing(placement) and not _is_shortened(rental)


def _lose_discount(rental: Rental, now: datetime) -> None:
    rental = Rental.objects.select_for_update().get(id=rental.id)
    rerate(
        meter_id=rental.meter_id,
        first_hour_microusd=rental.on_demand_hour_microusd,
        most_microusd=rental.worst_total_microusd - _traffic_microusd(rental),
        now=now,
    )
    rental.discount_lost_at = now
    rental.save(update_fields=["discount_lost_at"])


def _traffic_microusd(rental: Rental) -> int:
    side = SideMeter.objects.filter(meter_id=rental.meter_id).first()
    return side.traffic_microusd_max if side else 0


def _is_hosts_doing(placement: Placement) -> bool:
    """Say whether its machine can't go on with it: then its renter keeps the discount.

    A door that was shut tells nobody whose doing it was (ADR 6), so it does not count.
    """
    stopped = placement.state in (PlacementState.STOPPING, PlacementState.STOPPED)
    return not placement.machine.online or (stopped and placement.reason_code in HOSTS_DOINGS)


def _is_shortened(rental: Rental) -> bool:
    begins = rental.offer.maintenance_from
    return begins is not None and rental.started_at < begins < rental.placement.funded_until
