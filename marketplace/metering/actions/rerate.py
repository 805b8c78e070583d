"""This will charge a reservation that its renter ended early as if it had been on demand."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from marketplace.domain.metered import Priced
from marketplace.domain.money import MicroUsd, fee_of
from marketplace.domain.pricing import MS_MAX, affordable_ms
from marketplace.ledger.actions import hold as holds
from marketplace.metering.models import Meter, PriceChange

#: the reason code of the price change after which nothing more costs anything
WHOLE_TERM = "whole_term_paid"
WRITTEN = (
    *("price_hour_microusd", "priced_from_ms", "priced_from_microusd", "proven_ms_max"),
    *("charged_ms", "charged_until", "charged_microusd", "fee_microusd"),
)


def rerate(*, meter_id: UUID, first_hour_microusd: int, most_microusd: int, now: datetime) -> None:
    """Charge this much an hour from the start on instead of its first price, up to the most.

    Other prices that it had since rise by the same ratio. What was charged already is a part of
    the new cost, as the new price is no lower and the most is what was set aside; the difference
    is charged at once. Call it after the placement is locked, and once.
    """
    with transaction.atomic():
        meter = Meter.objects.select_for_update().get(id=meter_id)
        if meter.closed_at is not None:
            return
        changes = list(meter.price_changes.order_by("at", "id"))
        first = changes[0].former_price_hour_microusd if changes else None
        first = meter.price_hour_microusd if first is None else first

        def scaled(price: int) -> int:
            return price * first_hour_microusd // first if first else price

        before = Priced(0)
        for change in changes:
            if change.from_ms is not None and change.former_price_hour_microusd is not None:
                former = scaled(change.former_price_hour_microusd)
                change.former_price_hour_microusd = former
                period = Priced(former, before.from_ms, before.from_microusd)
                before = Priced(0, change.from_ms, period.cost(change.from_ms))
            change.price_hour_microusd = scaled(change.price_hour_microusd)
            change.save(update_fields=["price_hour_microusd", "former_price_hour_microusd"])
        _apply(
            meter,
            Priced(scaled(meter.price_hour_microusd), before.from_ms, before.from_microusd),
            most_microusd,
            now,
        )


def _apply(meter: Meter, priced: Priced, most_microusd: int, now: datetime) -> None:
    left = max(0, most_microusd - priced.from_microusd)
    last_ms = priced.from_ms + affordable_ms(priced.price_hour_microusd, left, at_most_ms=MS_MAX)
    if meter.proven_ms < last_ms:
        meter.proven_ms_max = last_ms
    else:
        PriceChange.objects.create(
            meter=meter,
            at=now,
            price_hour_microusd=0,
            reason=WHOLE_TERM,
            from_ms=meter.proven_ms,
            former_price_hour_microusd=priced.price_hour_microusd,
        )
        priced = Priced(0, meter.proven_ms, most_microusd)
    meter.price_hour_microusd = priced.price_hour_microusd
    meter.priced_from_ms, meter.priced_from_microusd = priced.from_ms, priced.from_microusd
    _charge(meter, priced, now)
    meter.save(update_fields=WRITTEN)


def _charge(meter: Meter, priced: Priced, now: datetime) -> None:
    """Charge the difference by itself: a usual charge is named by its time, which stayed."""
    total = priced.cost(meter.proven_ms)
    fee = fee_of(total, meter.fee_ppm)
    if total > meter.charged_microusd:
        holds.capture(
            hold_id=meter.hold_id,
            amount_microusd=MicroUsd(total - meter.charged_microusd),
            host_user_id=meter.host_id,
            machine_id=meter.placement.machine_id,
            fee_microusd=MicroUsd(fee - meter.fee_microusd),
            cause=f"meter:{meter.id}:rerated",
            note="Its reservation ended early, so its time costs what it had on demand",
            now=now,
        )
    meter.charged_ms, meter.charged_until = meter.proven_ms, meter.proven_until
    meter.charged_microusd, meter.fee_microusd = total, fee
