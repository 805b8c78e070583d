"""People are told what becomes of their rentals, balance and limits without their doing, once."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from marketplace.accounts.models import User
from marketplace.domain.runway import runway, warned_at
from marketplace.domain.spending import Period
from marketplace.ledger.actions import spend_limit
from marketplace.notices.actions import tell_money, tell_rentals
from marketplace.notices.models import Notice
from marketplace.placements.actions.request_stop import request_stop
from marketplace.rentals.actions import stop
from marketplace.rentals.actions.expire import expire
from tests.marketplace.rentals.market import Market, give_key
from tests.marketplace.scene import NOW, after

HOUR = 3600


@pytest.fixture
def market(charlie: User, alice: User, give: Callable[..., None]) -> Market:
    give(alice, 500_000_000)
    give_key(alice)
    return Market.open(charlie)


def kinds(user: User) -> list[str]:
    return [notice.kind for notice in Notice.objects.filter(user=user).order_by("id")]


def test_the_ends_of_rentals_are_told_a_day_and_an_hour_before(market: Market, alice: User) -> None:
    tell_rentals.tell_rentals(now=NOW)
    market.rent(alice, lease_s=50 * HOUR)
    market.rent(alice, lease_s=25 * HOUR)
    for rental_s in (0, 1):
        tell_rentals.tell_rentals(now=after(rental_s))
    assert kinds(alice) == []


def test_a_rental_that_runs_is_told_of_its_end_once_each(market: Market, alice: User) -> None:
    tell_rentals.tell_rentals(now=NOW)
    rental = market.rent(alice, lease_s=50 * HOUR)
    market.run(rental, at=after(2))
    said = []
    for hours in (25, 26.01, 26.5, 48, 49.01, 49.5):
        told = tell_rentals.tell_rentals(now=after(hours * HOUR))
        said.append(told)
    assert said == [0, 1, 0, 0, 1, 0]
    titles = [notice.title for notice in Notice.objects.order_by("id")]
    assert [title.split("ends in ")[1] for title in titles] == ["24 hours", "1 hour"]


def test_a_short_rental_is_not_told_that_it_ends_soon(market: Market, alice: User) -> None:
    tell_rentals.tell_rentals(now=NOW)
    rental = market.rent(alice, lease_s=25 * HOUR)
    market.run(rental, at=after(2))
    assert tell_rentals.tell_rentals(now=after(2 * HOUR)) == 0
    assert tell_rentals.tell_rentals(now=after(24.5 * HOUR)) == 1


def test_what_a_machine_stops_is_told_and_what_the_renter_stops_is_not(
    market: Market, alice: User
) -> None:
    tell_rentals.tell_rentals(now=NOW)
    by_hand, by_machine, over = (market.rent(alice, lease_s=HOUR) for _ in range(3))
    for rental in (by_hand, by_machine, over):
        market.run(rental, at=after(2))
    stop.stop(rental_id=by_hand.id, renter_id=alice.pk, now=after(10))
    placement_id = by_machine.placement_id
    request_stop(placement_id=placement_id, reason_code="lost", reason="It is gone.", now=after(10))
    assert tell_rentals.tell_rentals(now=after(11)) == 0
    assert tell_rentals.tell_rentals(now=after(26)) == 1
    expire(now=after(HOUR))
    tell_rentals.tell_rentals(now=after(HOUR + 20))
    assert kinds(alice).count("rental_stopped") == 1
    assert kinds(alice).count("rental_ended") == 3
    told = Notice.objects.get(kind="rental_stopped")
    assert (told.text, told.data["rental_id"]) == ("It is gone.", str(by_machine.id))
    assert tell_rentals.tell_rentals(now=after(HOUR + 40)) == 0


@pytest.mark.parametrize(
    ("hours", "warned_h"), [(24.1, None), (24, 24), (4.1, 24), (4, 4), (1.1, 4), (1, 1), (0, 1)]
)
def test_the_shortest_warning_is_due(hours: float, warned_h: int | None) -> None:
    left = runway(round(hours * 500_000), burn_hour_microusd=500_000)
    assert abs(left - timedelta(hours=hours)) < timedelta(seconds=1)
    assert warned_at(left) == (None if warned_h is None else timedelta(hours=warned_h))


def test_a_low_balance_is_told_once_each_and_again_after_a_top_up(
    alice: User, give: Callable[..., None]
) -> None:
    burn = {alice.pk: (1_000_000, 500_000)}
    said: list[int] = []

    def hear(minute: int) -> None:
        said.append(tell_money.warn(burn, now=NOW + timedelta(minutes=minute)))

    give(alice, 30_000_000)
    hear(0)
    burn[alice.pk] = (2_000_000, 500_000)
    hear(1)
    hear(2)
    burn[alice.pk] = (20_000_000, 500_000)
    hear(3)
    burn[alice.pk] = (31_000_000, 0)
    hear(4)
    give(alice, 1_000_000_000)
    hear(5)
    burn[alice.pk] = (900_000_000, 0)
    hear(6)
    burn.clear()
    hear(7)
    assert said == [0, 1, 0, 1, 1, 0, 1, 0]
    assert {notice.kind for notice in Notice.objects.all()} == {"balance_low"}


def test_a_changed_limit_is_told_once(alice: User, now: datetime) -> None:
    tell_money.tell_money(now=now)
    later = now + timedelta(minutes=1)
    for limit, at in ((5_000_000, later), (9_000_000, later + timedelta(minutes=1))):
        spend_limit.set_limit(user_id=alice.pk, period=Period.DAY, limit_microusd=limit, now=at)
        told = [tell_money.tell_money(now=at + timedelta(seconds=one)) for one in (20, 40)]
        assert told == [1, 0]
    newest = Notice.objects.filter(kind="spend_limit_changed").order_by("-id")[0]
    assert "was $5.00 and is $9.00" in newest.text
