"""What a placement used, from counters that only rise until a run ends."""

from datetime import timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from marketplace.domain.usage import SLOTS, points, slot_of
from protocol.usage import USAGE_EVERY_S, PlacementUsage
from tests.marketplace.scene import NOW, after


def used(cpu_ms: int, *, run: int = 0, received: int | None = 0) -> PlacementUsage:
    return PlacementUsage(
        placement_id=UUID(int=1),
        run=run,
        cpu_ms=cpu_ms,
        memory_bytes=5,
        received_bytes=received,
        sent_bytes=received,
    )


def test_the_first_reading_tells_no_pace() -> None:
    (point,) = points([(NOW, used(7))])
    assert (point.cpu_milli, point.received_bytes_s, point.memory_bytes) == (None, None, 5)


def test_two_busy_cores_are_2000_thousandths() -> None:
    _, point = points([(NOW, used(1000)), (after(10), used(21_000, received=5000))])
    assert (point.cpu_milli, point.received_bytes_s, point.sent_bytes_s) == (2000, 500, 500)


def test_a_new_run_and_a_counter_that_fell_tell_no_pace() -> None:
    readings = [(NOW, used(900)), (after(10), used(950, run=1)), (after(20), used(10, run=1))]
    assert [point.cpu_milli for point in points(readings)] == [None, None, None]


def test_without_a_network_there_is_no_pace_of_it() -> None:
    readings = [(NOW, used(0, received=None)), (after(10), used(10, received=None))]
    assert points(readings)[1].received_bytes_s is None


def test_two_readings_of_one_moment_tell_no_pace() -> None:
    assert points([(NOW, used(0)), (NOW, used(5))])[1].cpu_milli is None


@given(st.integers(0, 10**6))
def test_an_hour_later_the_same_row_is_taken(seconds: int) -> None:
    at = NOW + timedelta(seconds=seconds)
    assert slot_of(at) == slot_of(at + timedelta(hours=1))
    assert slot_of(at) != slot_of(at + timedelta(seconds=USAGE_EVERY_S))
    assert 0 <= slot_of(at) < SLOTS
