"""This will give a running rental more time or a higher cap, and hold the money for it."""

import hashlib
from dataclasses import astuple, dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from marketplace.domain import pricing
from marketplace.domain.money import format_usd
from marketplace.domain.placement import LIVE
from marketplace.domain.price_proposal import WAITING
from marketplace.domain.problem import Refused
from marketplace.domain.terms import worst_total
from marketplace.metering.actions.begin import IdempotencyConflict
from marketplace.placements.actions.extend_funding import extend_funding
from marketplace.placements.models import Placement
from marketplace.rentals import queries
from marketplace.rentals.actions.fund import locked
from marketplace.rentals.actions.reprice import set_aside
from marketplace.rentals.models import Extension, Rental
from protocol.agent import Want


class RentalOver(Refused):
    """It ended, its end was asked for, or its paid time is over."""

    code = "rental_over"
    status = 409
    sentence = "This rental is ending or has ended; start a new one."


class PriceWaits(Refused):
    """Its host asks a higher price, which holds for any time that is added."""

    code = "price_waits"
    status = 409


def check_goes_on(placement: Placement, now: datetime) -> None:
    """Accept a rental whose paid time is not over, and whose end nobody asked for.

    :raises RentalOver: when it is ending or has ended, or its paid time is over.
    """
    over = placement.want == Want.END or placement.funded_until <= now
    if over or placement.state not in LIVE:
        raise RentalOver


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
    :raises PriceWaits: when its host asks a higher price that its renter did not accept.
    :raises NotLonger: when the rental would end no later than now.
    :raises LimitMissing: when nothing is asked for.
    :raises TermTooLong: when the lease is longer than the offer's longest term.
    :raises InsufficientFunds: when the wallet can't cover the new worst total.
    :raises IdempotencyConflict: when the key was used with another request.
    """
    queries.find(rental_id, renter_id)
    with transaction.atomic():
        # Whoever asked the same at the same moment is done once we hold this.
        rental = locked(rental_id)
        known = rental.extensions.filter(idempotency_key=idempotency_key).first()
        if known is not None and known.request_digest != asked.digest:
            raise IdempotencyConflict
        if known is None:
            _extend(rental, asked, idempotency_key, now)
        return rental


def _extend(rental: Rental, asked: Asked, idempotency_key: str, now: datetime) -> None:
    placement = rental.placement
    check_goes_on(placement, now)
    waiting = rental.proposals.filter(state__in=WAITING).first()
    if waiting is not None:
        more = format_usd(waiting.price_hour_microusd)
        raise PriceWaits(f"Its host asks {more} an hour for longer; accept that price first.")
    price, priced = rental.price_hour_microusd, rental.priced
    base = {"from_ms": priced.from_ms, "from_microusd": priced.from_microusd}
    lease_s = pricing.raised(rental.lease_s, _lease_s(rental, asked))
    cap_microusd = pricing.raised(rental.cap_microusd, asked.cap_microusd)
    term_ms = pricing.term_ms(
        price_hour_microusd=price,
        lease_s=lease_s,
        cap_microusd=cap_microusd,
        longest_term_s=rental.offer.opening.longest_s(
            rental.offer.longest_term_s, begins_at=rental.started_at, now=now
        ),
        **base,
    )
    funded_until = rental.started_at + timedelta(milliseconds=term_ms)
    if funded_until <= placement.funded_until:
        if (lease_s, cap_microusd) == (rental.lease_s, rental.cap_microusd):
            raise pricing.NotLonger
        bound = pricing.bound_by(
            price_hour_microusd=price,
            lease_s=lease_s,
            cap_microusd=cap_microusd,
            term_ms=term_ms,
            **base,
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
    rental.placement = extend_funding(placement_id=placement.id, funded_until=funded_until, now=now)
    cause = f"rental:{rental.id}:extension:{extension.pk}"
    set_aside(rental, worst_total(priced, term_ms), cause=cause, now=now)
    rental.lease_s, rental.cap_microusd = lease_s, cap_microusd
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
