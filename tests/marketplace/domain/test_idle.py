"""Since when a rental is idle."""

from datetime import datetime, timedelta

from marketplace.domain.idle import GAP_MAX, idle_since
from marketplace.domain.usage import Point
from protocol.usage import GpuUsage


def point(at: datetime, cpu_milli: int | None = 0, busy: tuple[int | None, ...] = ()) -> Point:
    gpus = tuple(GpuUsage(uuid=f"GPU-{n}", busy_percent=one) for n, one in enumerate(busy))
    return Point(at, cpu_milli, 0, None, None, None, None, gpus)


def found(points: list[Point], now: datetime, before: datetime | None = None) -> datetime | None:
    gpus = len(points[0].gpus) if points else 0
    return idle_since(points, before=before, below_percent=5, cpus=2, gpus=gpus, now=now)


def test_a_stretch_below_counts_from_its_first_reading(now: datetime) -> None:
    at = [now - timedelta(seconds=10 * left) for left in range(6, -1, -1)]
    assert found([point(one, 99) for one in at], now) == at[0]
    assert found([point(one, 100) for one in at], now) is None
    busy = [point(one, 900 if one == at[3] else 0) for one in at]
    assert found(busy, now) == at[4]
    unknown = [point(one, None if one == at[3] else 0) for one in at]
    assert found(unknown, now) == at[4]
    assert found([point(at[0], None), *(point(one) for one in at[1:])], now) == at[1]


def test_missing_readings_are_no_idleness(now: datetime) -> None:
    old = now - GAP_MAX - timedelta(seconds=1)
    assert found([point(old)], now) is None
    assert found([], now) is None
    assert found([point(old - timedelta(seconds=9)), point(now)], now) == now


def test_one_busy_card_of_two_is_use_and_a_silent_card_is_unknown(now: datetime) -> None:
    assert found([point(now, busy=(0, 4))], now) == now
    assert found([point(now, busy=(0, 5))], now) is None
    assert (
        found([point(now - timedelta(seconds=9), busy=(0, 0)), point(now, busy=(0, None))], now)
        is None
    )


def test_it_goes_on_from_what_was_found_before(now: datetime) -> None:
    points = [point(now - timedelta(seconds=10 * left)) for left in range(6, -1, -1)]
    earlier = points[0].at - GAP_MAX
    assert found(points, now, earlier) == earlier
    assert found(points, now, earlier - timedelta(seconds=1)) == points[0].at
    busy = [*points[:3], point(points[3].at, 900), *points[4:]]
    assert found(busy, now, earlier) == points[4].at
