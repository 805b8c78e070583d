from datetime import timedelta

import pytest

from marketplace.domain.opening import OfferClosed, Opening
from tests.marketplace.scene import NOW, after

HOUR = timedelta(hours=1)
WORK = Opening(maintenance_from=NOW + HOUR, maintenance_until=NOW + 2 * HOUR)


def longest(opening: Opening, *, at: float = 0, begins: float = 0) -> int:
    return opening.longest_s(7200, begins_at=after(begins), now=after(at))


def test_without_an_end_the_longest_term_bounds_a_rental() -> None:
    Opening().check_open(NOW)
    assert Opening().closes_at(NOW) is None
    assert longest(Opening()) == 7200


def test_an_end_date_and_a_maintenance_bound_it_sooner_and_the_first_counts() -> None:
    assert longest(Opening(ends_at=NOW + HOUR)) == 3600
    assert longest(WORK) == 3600
    assert longest(WORK, begins=600, at=900) == 3000
    both = Opening(NOW + HOUR / 2, WORK.maintenance_from, WORK.maintenance_until)
    assert longest(both) == 1800


def test_what_began_after_a_maintenance_runs_on() -> None:
    assert longest(WORK, at=7200, begins=7200) == 7200
    WORK.check_open(NOW + 2 * HOUR)


@pytest.mark.parametrize(
    ("opening", "words"),
    [(Opening(ends_at=NOW + HOUR), "no longer"), (WORK, "until 2026-03-01 14:00 UTC")],
)
def test_nothing_begins_after_the_end_or_amid_the_maintenance(opening: Opening, words: str) -> None:
    opening.check_open(after(3599))
    for second in (3600, 7199):
        with pytest.raises(OfferClosed, match=words):
            opening.check_open(after(second))
    assert longest(opening, at=3600, begins=3600) == 0
