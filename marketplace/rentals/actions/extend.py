"""This will give a running rental more time or a higher cap, and hold the money for it."""

from datetime import datetime, timedelta
from uuid import UUID, uuid4

from django.db import transaction

from marketplace.domain import money, pricing
from marketplace.domain.placement import LIVE
from marketplace.domain.problem import Refused
from marketplace.ledger.actions import hold as holds
from marketplace.machines.actions import lock
from marketplace.placements.actions.extend_funding import extend_funding
from marketplace.rentals import queries
from marketplace.rentals.models import Rental


class RentalOver(Refused):
    """It ended, or its end was asked for."""

    code = "rental_over"
    status = 409
    sentence = "This rental is ending or has ended; start a new one."


class NotLonger(Refused):
    """The new limit is not above the old one."""

    code = "invalid"
    status = 422
    sentence = "The new limit must be above the present one."


def extend(
    *,
    rental_id: UUID,
    renter_id: int,
    lease_s: int | None,
    cap_microusd: int | None,
    now: datetime,
) -> Rental:
    """Return the rental with its lease (from its start) or its dollar cap raised to this.

    :raises RentalUnknown: when this renter has no such rental.
    :raises RentalOver: when it is ending or has ended.
    :raises NotLonger: when neither limit rises.
    :raises InsufficientFunds: when the wallet can't cover the new worst total.
    """
    machine_id = queries.find(rental_id, renter_id).placement.machine_id
    with transaction.atomic():
        lock.lock(machine_id=machine_id)
        rental = (
            Rental.objects.select_for_update(of=("self",))
            .select_related("placement", "meter", "offer")
            .get(id=rental_id)
        )
        placement, meter = rental.placement, rental.meter
        if placement.state not in LIVE or placement.stop_requested_at is not None:
            raise RentalOver
        term_ms = pricing.term_ms(
            price_hour_microusd=meter.price_hour_microusd,
            lease_s=lease_s,
            cap_microusd=cap_microusd,
            longest_term_s=rental.offer.longest_term_s,
        )
        funded_until = rental.started_at + timedelta(milliseconds=term_ms)
        worst = money.charge(meter.price_hour_microusd, term_ms)
        if funded_until <= placement.funded_until:
            raise NotLonger
        if worst > rental.worst_total_microusd:
            holds.increase(
                hold_id=meter.hold_id,
                amount_microusd=money.MicroUsd(worst - rental.worst_total_microusd),
                cause=f"rental:{rental_id}:extend:{uuid4()}",
                now=now,
            )
        extend_funding(placement_id=placement.id, funded_until=funded_until, now=now)
        rental.lease_s, rental.cap_microusd = lease_s, cap_microusd
        rental.worst_total_microusd = worst
        rental.save(update_fields=["lease_s", "cap_microusd", "worst_total_microusd"])
        return rental
