"""This will let an hour of a metered placement cost something else from a moment on."""

import logging
from datetime import datetime
from uuid import UUID

from django.db import transaction

from marketplace.domain.problem import Refused
from marketplace.metering.models import Meter, PriceChange

logger = logging.getLogger(__name__)


class MeterClosed(Refused):
    """Its last charge is posted, so no second of it will ever cost anything."""

    code = "meter_closed"
    status = 409
    sentence = "This has ended and is charged already; its price can't change any more."


def change_price(
    *, meter_id: UUID, price_hour_microusd: int, at: datetime, reason: str
) -> PriceChange:
    """Return the change: what is proven of server time from ``at`` on costs this much an hour.

    A second that is counted already keeps its price, so a moment that lies before those takes hold
    after them. Of changes at the same moment the one made last holds. A change that waits for a
    later moment stays. ``reason``: a stable code, 32 characters at most.

    The caller sees to it that the hold covers a higher price, and that its renter agreed to it.
    Call it after machine and placement are locked, where these are, and before the money.

    :raises MeterClosed: when the last charge is posted.
    """
    with transaction.atomic():
        meter = Meter.objects.select_for_update().get(id=meter_id)
        if meter.closed_at is not None:
            raise MeterClosed
        at = max(at, meter.proven_until or at)
        change = PriceChange.objects.create(
            meter=meter, at=at, price_hour_microusd=price_hour_microusd, reason=reason
        )
        if meter.next_price_at is None or at < meter.next_price_at:
            meter.next_price_at = at
            meter.save(update_fields=["next_price_at"])
    logger.info("Price changes", extra={"meter": meter_id, "reason": reason})
    return change
