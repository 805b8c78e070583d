"""A second counts only where the machine's word and the marketplace's clock agree."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from marketplace.domain import nonce
from marketplace.domain.intervals import Bounds, Stretch
from tests.marketplace.domain.billing import billable

T = datetime(2026, 3, 1, 12, tzinfo=UTC)


def seconds(count: float) -> timedelta:
    return timedelta(seconds=count)


#: seen from T on, and again much later
SEEN = Stretch(T, T + timedelta(hours=1))
OPEN = Bounds(door=SEEN, proven_until=None, stop_requested_at=None, funded_until=T + seconds(3600))


def test_an_interval_after_the_door_answered_counts_up_to_the_nonce() -> None:
    # The container began at T-2; the interval is its first 12 s; the newest nonce is of T+9.
    stretch = billable(
        from_age_ms=0,
        to_age_ms=12_000,
        age_ms=12_500,
        received_at=T + seconds(10.5),
        nonce_at=T + seconds(9),
        bounds=OPEN,
    )
    assert stretch is not None
    assert (stretch.start, stretch.end) == (T, T + seconds(9))


def test_nothing_counts_before_the_door_answered() -> None:
    shut = Bounds(
        door=None, proven_until=None, stop_requested_at=None, funded_until=T + seconds(99)
    )
    assert (
        billable(
            from_age_ms=0,
            to_age_ms=5_000,
            age_ms=5_000,
            received_at=T + seconds(5),
            nonce_at=T + seconds(5),
            bounds=shut,
        )
        is None
    )


def test_nothing_counts_after_the_newest_look_at_the_door() -> None:
    stretch = billable(
        from_age_ms=0,
        to_age_ms=12_000,
        age_ms=12_000,
        received_at=T + seconds(10),
        nonce_at=T + seconds(10),
        bounds=replace(OPEN, door=Stretch(T, T + seconds(4))),
    )
    assert stretch == Stretch(T, T + seconds(4))


def test_nothing_counts_after_the_stop_request() -> None:
    bounds = Bounds(
        door=SEEN,
        proven_until=T + seconds(10),
        stop_requested_at=T + seconds(12),
        funded_until=T + seconds(3600),
    )
    stretch = billable(
        from_age_ms=10_000,
        to_age_ms=20_000,
        age_ms=20_000,
        received_at=T + seconds(20),
        nonce_at=T + seconds(19),
        bounds=bounds,
    )
    assert stretch is not None
    assert (stretch.start, stretch.end) == (T + seconds(10), T + seconds(12))


@given(
    began=st.integers(-100_000, 100_000),
    from_age=st.integers(0, 100_000),
    length=st.integers(1, 600_000),
    sent_after=st.integers(0, 60_000),
    travel=st.integers(0, 60_000),
    nonce_before_close=st.integers(0, 60_000),
    reachable=st.integers(-100_000, 100_000),
)
def test_every_counted_second_of_an_honest_machine_was_running(
    began: int,
    from_age: int,
    length: int,
    sent_after: int,
    travel: int,
    nonce_before_close: int,
    reachable: int,
) -> None:
    """Whatever the delays: what counts lies inside [began + from, began + to]."""
    closed = began + from_age + length
    stretch = billable(
        from_age_ms=from_age,
        to_age_ms=from_age + length,
        age_ms=from_age + length + sent_after,
        received_at=T + timedelta(milliseconds=closed + sent_after + travel),
        nonce_at=T + timedelta(milliseconds=closed - nonce_before_close),
        bounds=Bounds(
            door=Stretch(T + timedelta(milliseconds=reachable), T + seconds(10_000)),
            proven_until=None,
            stop_requested_at=None,
            funded_until=T + seconds(10_000),
        ),
    )
    if stretch is not None:
        assert stretch.start >= T + timedelta(milliseconds=began + from_age)
        assert stretch.end <= T + timedelta(milliseconds=closed)
        assert stretch.ms <= length


def test_a_nonce_tells_its_time_to_its_own_machine_alone() -> None:
    made = nonce.issue(secret=b"s", machine_id="m", now=T)
    assert nonce.issued_at(made, secret=b"s", machine_id="m") == T
    assert nonce.issued_at(made, secret=b"s", machine_id="other") is None
    assert nonce.issued_at(made, secret=b"t", machine_id="m") is None
    assert nonce.issued_at("9" + made, secret=b"s", machine_id="m") is None
    for broken in ("", ".", "x.y", "²." + "0" * 32, "1" * 400):
        assert nonce.issued_at(broken, secret=b"s", machine_id="m") is None
