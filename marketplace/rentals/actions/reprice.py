"""This will let an hour of a rental cost something else from a moment on: hold, rental and meter.

Whoever changes a rental's price goes through here: a bid, a price that was accepted or lowered.
"""

from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from marketplace.domain.delivered import price
from marketplace.domain.funding import Funding
from marketplace.domain.money import MicroUsd, format_usd
from marketplace.domain.problem import Refused
from marketplace.domain.terms import repriced, worst_total
from marketplace.ledger.actions import hold as holds
from marketplace.metering.actions.change_price import change_price
from marketplace.rentals.actions.by_now import priced_by_now
from marketplace.rentals.actions.fund import fund, fund_in_parts, held_for, locked
from marketplace.rentals.models import Rental


class CapPassed(Refused):
    """At the new price it may cost more than its renter's dollar cap."""

    code = "cap_passed"
    status = 409


def reprice(
    *, rental_id: UUID, price_hour_microusd: int, at: datetime, reason: str, now: datetime
) -> Rental:
    """Return the rental, of which an hour costs this much from ``at``, or now, on.

    Its end stays. The money for a higher price is set aside at once; of a lower one what is set
    aside already is given back at the end. Its renter must have agreed to a higher one.

    :raises CapPassed: when it could cost more than its dollar cap then.
    :raises InsufficientFunds: when the wallet can't cover the new worst total.
    :raises MeterClosed: when its last charge is posted.
    """
    with transaction.atomic():
        rental = locked(rental_id)
        at = max(at, now)
        until = min(at, rental.placement.funded_until)
        priced = repriced(
            priced_by_now(rental, now=now),
            price_hour_microusd=price_hour_microusd,
            at_ms=_ms(rental, until),
        )
        worst = worst_total(priced, _ms(rental, rental.placement.funded_until))
        if rental.cap_microusd is not None and worst > max(
            rental.cap_microusd, rental.worst_total_microusd
        ):
            raise CapPassed(
                f"It could cost {format_usd(worst)} by its end, more than your cap of"
                f" {format_usd(rental.cap_microusd)}; raise the cap first."
            )
        change = change_price(
            meter_id=rental.meter_id,
            # A proof may have shown that less is delivered; what is held stays what was agreed on.
            price_hour_microusd=price(price_hour_microusd, rental.delivered_ppm),
            at=at,
            reason=reason,
        )
        cause = f"rental:{rental.id}:price:{change.pk}"
        costs_more = price_hour_microusd > rental.price_hour_microusd
        set_aside(rental, worst, cause=cause, now=now, costs_more=costs_more)
        rental.price_hour_microusd = price_hour_microusd
        rental.priced_from_ms, rental.priced_from_microusd = priced.from_ms, priced.from_microusd
        rental.save(
            update_fields=[
                *("price_hour_microusd", "priced_from_ms", "priced_from_microusd"),
                "worst_total_microusd",
            ]
        )
        return rental


def set_aside(
    rental: Rental, worst_microusd: int, *, cause: str, now: datetime, costs_more: bool = True
) -> None:
    """Let the rental cost this much at most; what its hold never had of that is added to it.

    Of one that is paid an hour ahead only the next hour is, and where it ``costs_more`` it must be.

    :raises InsufficientFunds: when the wallet can't cover it.
    """
    rental.worst_total_microusd = worst_microusd
    if rental.funding == Funding.ROLLING:
        if costs_more:
            fund(rental, now=now)
        else:
            fund_in_parts(rental, now=now)
        return
    held = held_for(rental)
    if worst_microusd > held:
        holds.increase(
            hold_id=rental.meter.hold_id,
            amount_microusd=MicroUsd(worst_microusd - held),
            cause=cause,
            now=now,
        )


def _ms(rental: Rental, at: datetime) -> int:
    return (at - rental.started_at) // timedelta(milliseconds=1)
