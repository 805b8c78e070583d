"""This will give a running rental more time or a higher cap, and hold the money for it."""

import hashlib
from dataclasses import astuple, dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from marketplace.domain import pricing
from marketplace.domain.money import MicroUsd
from marketplace.domain.placement import LIVE
from marketplace.domain.problem import Refused
from marketplace.ledger.actions import hold as holds
from marketplace.machines.actions import lock
from marketplace.metering.actions.begin import IdempotencyConflict
from marketplace.placements.actions.extend_funding import extend_funding
from marketplace.rentals import queries
from marketplace.rentals.models import Extension, Rental
from protocol.agent import Want


class RentalOver(Refused):
    """It ended, its end was asked for, or its paid time is over."""

    code = "rental_over"
    status = 409
    sentence = "This rental is ending or has ended; start a new one."


@dataclass(frozen=True, slots=True)
class Asked:
    """What the renter wants to be higher. None: it stays as it is."""

    #: from the rental's start
    lease_s: int | None = None
    #: on top of the present lease, or of the present end where there is no lease
    more_s: int | None = None
    cap_microusd: int | None = None

    @property
    def digest(self) -> str:
        """Return what tells this request from another."""
        return hashlib.sha256(repr(astuple(self)).encode()).hexdigest()


def extend(
    *, rental_id: UUID, renter_id: int, asked: Asked, idempotency_key: str, now: datetime
) -> Rental:
    """Return the rental with its limits raised; the same key raises them once.

    A limit that is not asked about stays, and ends the rental where it is reached first.

    :raises RentalUnknown: when this renter has no such rental.
    :raises RentalOver: when it is ending or has ended, or its paid time is over.
    :raises NotLonger: when the rental would end no later than now.
    :raises LimitMissing: when nothing is asked for.
    :raises TermTooLong: when the lease is longer than the offer's longest term.
    :raises InsufficientFunds: when the wallet can't cover the new worst total.
    :raises IdempotencyConflict: when the key was used with another request.
    """
    machine_id = queries.find(rental_id, renter_id).placement.machine_id
    with transaction.atomic():
        # Whoever asked the same at the same moment is done once we hold this.
        lock.lock(machine_id=machine_id)
        rental = (
            Rental.objects.select_for_update(of=("self",))
            .select_related("placement", "meter", "offer")
            .get(id=rental_id)
        )
        known = rental.extensions.filter(idempotency_key=idempotency_key).first()
        if known is not None and known.request_digest != asked.digest:
            raise IdempotencyConflict
        if known is None:
            _extend(rental, asked, idempotency_key, now)
        return rental


def _extend(rental: Rental, asked: Asked, idempotency_key: str, now: datetime) -> None:
    placement, meter = rental.placement, rental.meter
    over = placement.want == Want.END or placement.funded_until <= now
    if over or placement.state not in LIVE:
        raise RentalOver
    price = meter.price_hour_microusd
    lease_s = pricing.raised(rental.lease_s, _lease_s(rental, asked))
    cap_microusd = pricing.raised(rental.cap_microusd, asked.cap_microusd)
    term_ms = pricing.term_ms(
        price_hour_microusd=price,
        lease_s=lease_s,
        cap_microusd=cap_microusd,
        longest_term_s=rental.offer.opening.longest_s(
            rental.offer.longest_term_s, begins_at=rental.started_at, now=now
        ),
    )
    funded_until = rental.started_at + timedelta(milliseconds=term_ms)
    if funded_until <= placement.funded_until:
        if (lease_s, cap_microusd) == (rental.lease_s, rental.cap_microusd):
            raise pricing.NotLonger
        bound = pricing.bound_by(
            price_hour_microusd=price, lease_s=lease_s, cap_microusd=cap_microusd, term_ms=term_ms
        )
        raise pricing.NotLonger(pricing.ENDS_FIRST[bound])
    extension = Extension.objects.create(
        rental=rental,
        idempotency_key=idempotency_key,
        request_digest=asked.digest,
        lease_s=lease_s,
        cap_microusd=cap_microusd,
        at=now,
    )
    # The placement before the money, as everybody locks them.
    extend_funding(placement_id=placement.id, funded_until=funded_until, now=now)
    worst = pricing.worst_of_term(price, term_ms)
    if worst > rental.worst_total_microusd:
        holds.increase(
            hold_id=meter.hold_id,
            amount_microusd=MicroUsd(worst - rental.worst_total_microusd),
            cause=f"rental:{rental.id}:extension:{extension.pk}",
            now=now,
        )
    rental.lease_s, rental.cap_microusd = lease_s, cap_microusd
    rental.worst_total_microusd = worst
    rental.save(update_fields=["lease_s", "cap_microusd", "worst_total_microusd"])


def _lease_s(rental: Rental, asked: Asked) -> int | None:
    """Return the lease that is asked for.

    :raises LimitMissing: when nothing is asked for at all.
    """
    if asked.lease_s is None and asked.more_s is None:
        if asked.cap_microusd is None:
            raise pricing.LimitMissing
        return None
    if asked.more_s is None:
        return asked.lease_s
    present = rental.placement.funded_until - rental.started_at
    return (rental.lease_s or int(present.total_seconds())) + asked.more_s
