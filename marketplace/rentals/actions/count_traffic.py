"""This will count rentals' traffic where their hosts charge for it, and stop what used it up."""

from datetime import datetime
from functools import partial

from django.db.models import F

from marketplace.domain.placement import PlacementState
from marketplace.domain.upkeep import traffic_bytes
from marketplace.metering.actions.charge_side import charge_side, is_due
from marketplace.metering.models import SideMeter
from marketplace.one_by_one import one_by_one
from marketplace.placements.actions import request_stop
from marketplace.placements.models import Placement
from marketplace.telemetry.queries import TrafficReading, traffic

#: that one pass looks at, the longest not looked at first; the next pass goes on
ROWS_MAX = 1000
USED_UP = "traffic_used_up"
SENTENCE = (
    "Its traffic has reached the most that you pay for. Its files are kept; allow more traffic and"
    " start it again."
)


def count_traffic(*, now: datetime) -> int:
    """Return how many rentals' readings were looked at.

    A machine's own counters tell the bytes, so no more than its renter allowed ever counts. What
    went through before the door was seen, or after a stop was asked for, costs nothing.
    """
    metered = SideMeter.objects.filter(
        network_price_microusd__gt=0,
        meter__closed_at=None,
        meter__placement__state__in=(PlacementState.RUNNING, PlacementState.STOPPING),
    ).select_related("meter__placement")
    rows = metered.order_by(F("read_at").asc(nulls_first=True), "id")
    counted = one_by_one(
        rows,
        partial(_count, now=now),
        failed="Traffic not counted",
        most=ROWS_MAX,
    )
    return len(counted)


def _count(side: SideMeter, *, now: datetime) -> None:
    placement = side.meter.placement
    read_at = side.read_at
    since = read_at or side.meter.opened_at
    for reading in traffic(
        machine_id=placement.machine_id, placement_id=placement.id, since=since, until=now
    ):
        before = side.read_bytes if reading.run == side.read_run else 0
        if _counts(reading, placement):
            # A counter that fell began anew: nobody knows what it had reached.
            side.traffic_bytes += max(0, reading.bytes - before)
        side.read_at, side.read_run, side.read_bytes = reading.at, reading.run, reading.bytes
    most = traffic_bytes(side.traffic_microusd_max, side.network_price_microusd)
    side.traffic_bytes = min(side.traffic_bytes, most)
    columns = ("traffic_bytes", "read_at", "read_run", "read_bytes")
    # Whoever allowed more meanwhile moved another column; nobody else counts beside this pass.
    SideMeter.objects.filter(id=side.pk, read_at=read_at).update(
        **{name: getattr(side, name) for name in columns}
    )
    if is_due(side):
        charge_side(meter_id=side.meter_id, now=now)
    if side.traffic_bytes >= most and placement.state == PlacementState.RUNNING:
        request_stop.request_stop(
            placement_id=placement.id, reason_code=USED_UP, reason=SENTENCE, now=now
        )


def _counts(reading: TrafficReading, placement: Placement) -> bool:
    seen_at, stop_at = placement.reachable_at, placement.stop_requested_at
    if seen_at is None or reading.at <= seen_at:
        return False
    return stop_at is None or reading.at <= stop_at
