"""This will say what meters earned their host: time, kept disks and traffic, less the fee and the
host's part of what was given back to renters.

What comes back of a hold is not told apart, so all that was charged to it counts.
"""

from collections.abc import Mapping
from typing import Any

from django.db.models import F, Sum, Value
from django.db.models.functions import Coalesce

from marketplace.domain.money import PPM
from marketplace.metering.models import Meter, SideMeter


def sums() -> dict[str, Sum]:
    """Return what ``earned`` reads of meters that are added up."""
    beside = F("side__storage_microusd") + F("side__traffic_microusd") - F("side__fee_microusd")
    back = F("hold__returned_microusd") - F("hold__site_returned_microusd")
    return {
        "after_fee": Sum(
            F("charged_microusd") - F("fee_microusd") + Coalesce(beside, Value(0)),
        ),
        "returned": Sum(back * (PPM - F("fee_ppm"))),
    }


def earned(row: Mapping[str, Any]) -> int:
    """Return what the meters of one row of ``sums`` earned, in micro-USD."""
    return int(row["after_fee"]) - int(row["returned"]) // PPM


def earned_within(meter: Meter, *, charged_ms: int, stored_ms: int) -> int:
    """Return the share of what a meter earned that falls on so much of its time and of its disk's.

    Its traffic is taken for as old as its time. The meter is loaded with its hold and ``side``.
    """
    side: SideMeter | None = getattr(meter, "side", None)
    storage, traffic, side_fee = 0, 0, 0
    if side is not None:
        storage, traffic = side.storage_microusd, side.traffic_microusd
        side_fee = side.fee_microusd
    all_of_it = meter.charged_microusd + storage + traffic
    within = (meter.charged_microusd + traffic) * charged_ms // max(1, meter.charged_ms)
    if side is not None:
        within += storage * stored_ms // max(1, side.stored_ms)
    back = meter.hold.returned_microusd - meter.hold.site_returned_microusd
    net = all_of_it - meter.fee_microusd - side_fee - back * (PPM - meter.fee_ppm) // PPM
    return net * within // max(1, all_of_it)
