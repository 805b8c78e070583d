"""This will begin to meter a placement."""

from datetime import datetime
from uuid import UUID

from marketplace.metering.models import Meter


def open_meter(
    *,
    placement_id: UUID,
    host_id: int,
    hold_id: UUID,
    price_hour_microusd: int,
    fee_ppm: int,
    now: datetime,
    proven_ms_max: int | None = None,
) -> Meter:
    """Return the meter that charges ``hold_id`` for what the placement proves."""
    return Meter.objects.create(
        placement_id=placement_id,
        host_id=host_id,
        hold_id=hold_id,
        price_hour_microusd=price_hour_microusd,
        fee_ppm=fee_ppm,
        proven_ms_max=proven_ms_max,
        opened_at=now,
    )
