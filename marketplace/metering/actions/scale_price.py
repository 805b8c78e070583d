"""This will let metered time cost another share of the prices that were agreed on."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from marketplace.domain import delivered
from marketplace.metering.actions.change_price import MeterClosed, change_price
from marketplace.metering.models import Meter, PriceChange


def scale_price(
    *,
    meter_id: UUID,
    from_ppm: int,
    to_ppm: int,
    agreed_hour_microusd: int,
    at: datetime,
    reason: str,
) -> None:
    """Let what is proven of server time from ``at`` on cost so many millionths of what is agreed.

    Changes that wait for a later moment are scaled with it. ``agreed_hour_microusd``: the price
    that was agreed on last, to which the last of these belongs. One whose last charge is posted is
    left as it is. Call it as change_price.

    ``from_ppm``: the share that it costs so far.
    """
    with transaction.atomic():
        meter = Meter.objects.select_for_update().get(id=meter_id)
        at = max(at, meter.proven_until or at)
        prices, held = [], meter.price_hour_microusd
        for change in PriceChange.objects.filter(meter=meter, from_ms=None).order_by("at", "id"):
            if change.at <= at:
                held = change.price_hour_microusd
            else:
                prices.append((change.at, change.price_hour_microusd))
        scaled = [
            (moment, delivered.price(delivered.agreed(price, from_ppm), to_ppm))
            for moment, price in [(at, held), *prices]
        ]
        scaled[-1] = scaled[-1][0], delivered.price(agreed_hour_microusd, to_ppm)
        try:
            for moment, price in scaled:
                change_price(meter_id=meter_id, price_hour_microusd=price, at=moment, reason=reason)
        except MeterClosed:
            return
