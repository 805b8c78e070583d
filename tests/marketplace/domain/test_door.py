"""Only seconds between two good looks from outside count; who was not looked at loses nothing."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.domain import door as doors
from marketplace.domain.door import JITTER_S, LOOK_S, LOOKS_KEPT, MISSES_MAX, TAIL_S
from marketplace.domain.intervals import Bounds, Stretch
from tests.marketplace.domain.billing import billable

T = datetime(2026, 3, 1, 12, tzinfo=UTC)
#: what may happen, and after how many seconds
HAPPENINGS = st.lists(
    st.tuples(st.integers(1, 2 * TAIL_S), st.sampled_from(["good", "miss", "interval"])),
    max_size=40,
)


def at(second: int) -> datetime:
    return T + timedelta(seconds=second)


class Life:
    """A placement that runs and signs all the time; its door was first seen at second 0."""

    def __init__(self) -> None:
        self.door = doors.first_seen(T)
        self.billed: set[int] = set()
        self._proven_until: datetime | None = None

    def happen(self, what: str, second: int) -> None:
        if what == "good":
            self.door = doors.seen(self.door, at=at(second))
        elif what == "miss":
            self.door = doors.missed(self.door, at=at(second), tells=True)
        else:
            self.sign(second, stop=None)

    def sign(self, second: int, *, stop: int | None) -> None:
        """Send one interval over its whole life, which proves whatever was left open before."""
        stop_at = None if stop is None else at(stop)
        found = billable(
            from_age_ms=0,
            to_age_ms=second * 1000 + 1000,
            age_ms=second * 1000 + 1000,
            received_at=at(second),
            nonce_at=at(second),
            bounds=Bounds(
                door=doors.proven(self.door, stop_at=stop_at),
                proven_until=self._proven_until,
                stop_requested_at=stop_at,
                funded_until=at(10**6),
            ),
        )
        if found is None:
            return
        seconds = range((found.start - T).seconds, (found.end - T).seconds)
        assert not self.billed & set(seconds)
        self.billed |= set(seconds)
        self._proven_until = found.end


@given(happenings=HAPPENINGS, stops_after=st.integers(1, 2 * TAIL_S))
def test_a_billed_second_lies_between_two_good_looks_or_shortly_before_the_stop(
    happenings: list[tuple[int, str]], stops_after: int
) -> None:
    life, now = Life(), 0
    looks = [(0, "good")]
    for gap, what in happenings:
        now += gap
        life.happen(what, now)
        looks += [(now, what)] if what != "interval" else []
    stop = now + stops_after
    life.sign(stop + 5, stop=stop)
    allowed = {
        second
        for (start, one), (end, other) in pairwise(looks)
        if one == other == "good"
        for second in range(max(start, end - TAIL_S) if end - start > TAIL_S else start, end)
    }
    newest, what = looks[-1]
    if what == "good":
        allowed |= set(range(newest, min(stop, newest + TAIL_S)))
    assert life.billed <= allowed
    if [kind for _, kind in looks] == ["good"] * len(looks) and all(
        end - start <= TAIL_S for (start, _), (end, _) in pairwise(looks)
    ):
        assert life.billed == allowed


@given(gaps=st.lists(st.integers(1, TAIL_S), max_size=10), tail=st.integers(1, TAIL_S))
def test_an_open_door_is_paid_in_full(gaps: list[int], tail: int) -> None:
    life, now = Life(), 0
    for gap in gaps:
        now += gap
        life.happen("good", now)
    life.sign(now + tail + 1, stop=now + tail)
    assert life.billed == set(range(now + tail))


def test_a_gap_without_looks_proves_no_more_than_the_tail() -> None:
    life = Life()
    for what, second in (("good", 60), ("interval", 60), ("good", 4000)):
        life.happen(what, second)
    life.sign(4001, stop=4000)
    assert life.billed == set(range(60)) | set(range(4000 - TAIL_S, 4000))


def test_a_door_that_shuts_while_its_machine_goes_on_signing_earns_nothing_more() -> None:
    life = Life()
    life.happen("good", 60)
    for second in range(61, 4000):
        life.happen("miss" if second % 60 == 0 else "interval", second)
    life.sign(4000, stop=3999)
    assert life.billed == set(range(60))


def test_a_door_that_opens_again_is_paid_from_the_look_that_saw_it() -> None:
    life = Life()
    for what, second in (("good", 60), ("interval", 65), ("miss", 120), ("good", 180)):
        life.happen(what, second)
    life.sign(200, stop=190)
    assert life.billed == set(range(60)) | set(range(180, 190))


def test_an_old_look_proves_no_more_than_the_tail() -> None:
    proven = doors.proven(doors.first_seen(T), stop_at=at(10_000))
    assert proven == Stretch(T, at(TAIL_S))


def test_a_stop_before_the_newest_look_takes_nothing_from_the_looks() -> None:
    door = doors.seen(doors.first_seen(T), at=at(60))
    assert doors.proven(door, stop_at=at(30)) == Stretch(T, at(60))


@given(looks=st.lists(st.sampled_from(["good", "miss", "tells nothing"]), max_size=200))
def test_a_door_is_lost_by_misses_among_the_newest_looks_that_tell_anything(
    looks: list[str],
) -> None:
    door = doors.first_seen(T)
    for number, look in enumerate(looks):
        if look == "good":
            door = doors.seen(door, at=at(60 * number))
        else:
            door = doors.missed(door, at=at(60 * number), tells=look == "miss")
    told = [look for look in looks if look != "tells nothing"]
    assert door.misses == told[-LOOKS_KEPT:].count("miss")
    assert doors.is_lost(door) == (door.misses >= MISSES_MAX)


def test_a_door_that_opens_to_one_look_in_six_is_soon_lost() -> None:
    door = doors.first_seen(T)
    looks = 0
    while not doors.is_lost(door):
        looks += 1
        if looks % 6 == 0:
            door = doors.seen(door, at=at(60 * looks))
        else:
            door = doors.missed(door, at=at(60 * looks), tells=True)
    assert looks == MISSES_MAX + 1


def test_misses_are_forgotten_with_the_looks_that_push_them_out() -> None:
    door = doors.missed(doors.first_seen(T), at=at(60), tells=True)
    for number in range(LOOKS_KEPT):
        assert door.misses == 1
        door = doors.seen(door, at=at(120 + 60 * number))
    assert door.misses == 0


@pytest.mark.parametrize(
    ("chance", "after_s"), [(0.0, LOOK_S - JITTER_S), (0.5, LOOK_S), (0.999, LOOK_S + JITTER_S)]
)
def test_the_next_look_comes_at_a_moment_nobody_can_tell(chance: float, after_s: int) -> None:
    due = doors.next_look(now=T, chance=chance)
    assert (due - at(after_s)) / timedelta(seconds=1) == pytest.approx(0, abs=0.1)
