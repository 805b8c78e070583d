"""Averages and peaks of use, of readings and of summaries of them."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from marketplace.domain.usage import Point
from marketplace.domain.usage_summary import (
    FIGURES,
    Figure,
    Span,
    begin_of,
    begins_of,
    joined,
    of_point,
    read,
    summed_up,
)
from protocol.usage import GpuUsage
from tests.marketplace.scene import NOW

number = st.integers(0, 1 << 40)
maybe = st.none() | number
gpu = st.builds(
    GpuUsage,
    uuid=st.just("GPU-1"),
    busy_percent=st.none() | st.integers(0, 100),
    memory_bytes=maybe,
)
point = st.builds(
    Point,
    at=st.just(NOW),
    cpu_milli=maybe,
    memory_bytes=number,
    disk_used_bytes=maybe,
    disk_bytes=maybe,
    received_bytes_s=maybe,
    sent_bytes_s=maybe,
    gpus=st.lists(gpu, max_size=3).map(tuple),
)
some = st.lists(point, min_size=1, max_size=6)


@given(points=some)
def test_a_summary_says_the_average_and_the_most_of_what_is_known(points: list[Point]) -> None:
    told = read(NOW, summed_up(points))
    for name in FIGURES:
        known = [one for one in (getattr(each, name) for each in points) if one is not None]
        wanted = Figure(sum(known) // len(known), max(known)) if known else None
        assert getattr(told, name) == wanted
    assert len(told.gpus) == max(len(each.gpus) for each in points)


@given(parts=st.lists(some, min_size=1, max_size=4))
def test_a_summary_of_summaries_has_the_same_peaks_and_counts_each_reading(
    parts: list[list[Point]],
) -> None:
    every = [one for part in parts for one in part]
    whole, told = summed_up(every), joined([summed_up(part) for part in parts])
    assert told["n"] == whole["n"] == len(every)
    assert len(told["gpus"]) == len(whole["gpus"])
    for name in FIGURES:
        assert (name in told) == (name in whole)
        if name in whole:
            assert told[name][1] == whole[name][1]
    # Always known, so that no reading weighs more than another but for what each rounds away.
    assert abs(told["memory_bytes"][0] - whole["memory_bytes"][0]) <= len(parts)


@given(told=point)
def test_one_reading_is_its_own_average(told: Point) -> None:
    memory = of_point(told).memory_bytes
    assert memory == Figure(told.memory_bytes, told.memory_bytes)


def test_steps_begin_where_the_clock_says() -> None:
    start = begin_of(NOW + timedelta(seconds=301), step_s=300)
    assert start == NOW + timedelta(seconds=300)
    begins = begins_of(start, start + timedelta(seconds=899), step_s=300)
    assert list(begins) == [start, start + timedelta(seconds=300)]
    assert Span.DAY.length // timedelta(seconds=Span.DAY.step_s) == 288
    assert Span.MONTH.length // timedelta(seconds=Span.MONTH.step_s) == 720
