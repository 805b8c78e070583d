"""This will begin to meter what a placement costs beside its time."""

from marketplace.domain.terms import Terms
from marketplace.metering.models import Meter, SideMeter


def open_side_meter(*, meter: Meter, terms: Terms, disk_bytes: int) -> SideMeter | None:
    """Return the side meter at the prices of now; None: its host charges for nothing of it."""
    if not terms.storage_price_microusd and not terms.network_price_microusd:
        return None
    return SideMeter.objects.create(
        meter=meter,
        storage_price_microusd=terms.storage_price_microusd,
        disk_bytes=disk_bytes,
        network_price_microusd=terms.network_price_microusd,
        traffic_microusd_max=terms.traffic_microusd_max,
    )
