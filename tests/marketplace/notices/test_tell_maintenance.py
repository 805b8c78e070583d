"""Renters hear of their host's maintenance, of each change of it, and only once."""

from collections.abc import Callable
from datetime import datetime

import pytest

from marketplace.accounts.models import User
from marketplace.notices.actions.tell_maintenance import tell_maintenance
from marketplace.notices.models import Notice
from marketplace.offers.actions.set_terms import set_terms
from marketplace.rentals.actions import end
from marketplace.rentals.models import Rental
from tests.marketplace.rentals.market import Market, give_key
from tests.marketplace.scene import NOW, after

HOUR = 3600


@pytest.fixture
def market(charlie: User) -> Market:
    return Market.open(charlie)


@pytest.fixture
def rental(market: Market, alice: User, give: Callable[..., None]) -> Rental:
    give(alice, 100_000_000)
    give_key(alice)
    made = market.rent(alice, lease_s=24 * HOUR)
    market.run(made, at=after(2))
    return made


def announce(market: Market, begins: datetime | None, *, now: datetime = NOW) -> None:
    until = None if begins is None else after(30 * HOUR)
    set_terms(
        host_id=market.machine.host_id,
        machine_id=market.machine.id,
        now=now,
        maintenance_from=begins,
        maintenance_until=until,
    )


def titles() -> list[str]:
    return list(Notice.objects.order_by("id").values_list("title", flat=True))


def test_who_has_a_rental_there_is_told_once(market: Market, rental: Rental) -> None:
    announce(market, after(5 * HOUR))
    assert tell_maintenance(now=after(3)) == 1
    assert tell_maintenance(now=after(4)) == 0
    notice = Notice.objects.get()
    assert notice.user_id == rental.renter_id
    assert notice.kind == "rental_maintenance"
    assert "1 Mar 2026, 17:00 UTC to 2 Mar 2026, 18:00 UTC" in notice.text
    assert notice.data["begins_at"] == after(5 * HOUR).isoformat()


def test_who_rents_after_it_was_announced_is_not_told(
    market: Market, alice: User, give: Callable[..., None]
) -> None:
    give(alice, 100_000_000)
    give_key(alice)
    announce(market, after(5 * HOUR))
    tell_maintenance(now=after(1))
    market.rent(alice)
    assert tell_maintenance(now=after(2)) == 0
    assert titles() == []


def test_a_rental_that_is_over_before_is_not_concerned(
    market: Market, alice: User, give: Callable[..., None]
) -> None:
    give(alice, 100_000_000)
    give_key(alice)
    market.rent(alice, lease_s=HOUR)
    announce(market, after(5 * HOUR))
    tell_maintenance(now=after(1))
    assert titles() == []


def test_who_is_ending_it_anyway_is_not_told(market: Market, rental: Rental) -> None:
    end.end(renter_id=rental.renter_id, rental_id=rental.id, now=after(10))
    announce(market, after(5 * HOUR), now=after(11))
    tell_maintenance(now=after(12))
    assert titles() == []


def test_what_is_moved_called_off_and_announced_again_is_told_each_time(
    market: Market, rental: Rental
) -> None:
    for number, begins in enumerate((after(5 * HOUR), after(6 * HOUR), None, after(6 * HOUR))):
        announce(market, begins, now=after(number * HOUR))
        tell_maintenance(now=after(number * HOUR + 1))
    short = str(rental.id)[:8]
    works = f"The host works on the machine of your rental {short}"
    off = f"The host called off the work on the machine of your rental {short}"
    assert titles() == [works, works, off, works]


def test_of_many_changes_within_an_hour_the_last_is_told_when_it_is_over(
    market: Market, rental: Rental
) -> None:
    for number in range(5):
        announce(market, after((5 + number) * HOUR), now=after(number * 10))
        assert tell_maintenance(now=after(number * 10 + 1)) == (number == 0)
    assert tell_maintenance(now=after(HOUR)) == 0
    assert tell_maintenance(now=after(HOUR + 1)) == 1
    first, last = Notice.objects.order_by("id")
    assert first.data["begins_at"] == after(5 * HOUR).isoformat()
    assert last.data["begins_at"] == after(9 * HOUR).isoformat()
    assert tell_maintenance(now=after(3 * HOUR)) == 0


def test_what_was_changed_back_within_the_hour_is_not_told_again(
    market: Market, rental: Rental
) -> None:
    for number, begins in enumerate((after(5 * HOUR), None, after(5 * HOUR))):
        announce(market, begins, now=after(number * 10))
        tell_maintenance(now=after(number * 10 + 1))
    assert tell_maintenance(now=after(2 * HOUR)) == 0
    assert len(titles()) == 1


def test_work_that_begins_soon_is_told_at_once_all_the_same(market: Market, rental: Rental) -> None:
    announce(market, after(5 * HOUR))
    tell_maintenance(now=after(1))
    announce(market, after(2 * HOUR), now=after(10))
    assert tell_maintenance(now=after(11)) == 1
    # Moved again and again, by a little: they know of it.
    for minute in range(1, 30):
        announce(market, after(2 * HOUR - minute * 30), now=after(minute))
        assert tell_maintenance(now=after(minute)) == 0
    announce(market, after(100 * 60), now=after(60))
    assert tell_maintenance(now=after(61)) == 1
    assert len(titles()) == 3


def test_soon_after_one_that_is_over_the_next_is_told_at_once(
    market: Market, rental: Rental
) -> None:
    announce(market, after(1.5 * HOUR))
    tell_maintenance(now=after(HOUR))
    announce(market, after(3 * HOUR), now=after(1.6 * HOUR))
    assert tell_maintenance(now=after(1.6 * HOUR)) == 1
    assert len(titles()) == 2


def test_what_was_over_before_anybody_could_be_told_is_not_told(
    market: Market, rental: Rental
) -> None:
    announce(market, after(5 * HOUR))
    tell_maintenance(now=after(1))
    announce(market, None, now=after(6 * HOUR))
    assert tell_maintenance(now=after(6 * HOUR)) == 1
    assert len(titles()) == 1


def test_no_other_machines_renter_is_told(market: Market, rental: Rental, bob: User) -> None:
    other = Market.open(bob)
    announce(other, after(5 * HOUR))
    tell_maintenance(now=after(3))
    assert titles() == []
