"""Extending a rental: the limit that is not asked about stays, and one key extends once."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from marketplace.accounts.models import User
from marketplace.domain.problem import Refused
from marketplace.ledger import audit
from marketplace.ledger import queries as ledger
from marketplace.rentals import queries
from marketplace.rentals.actions import end, extend
from marketplace.rentals.models import Extension, Rental
from tests.marketplace.rentals.market import CPU_HOUR_MICROUSD, Market, give_key
from tests.marketplace.scene import NOW, after
from tests.marketplace.statements import updated

SECOND_MICROUSD = CPU_HOUR_MICROUSD // 3600
HOUR_S = 3600


@pytest.fixture
def market(charlie: User) -> Market:
    return Market.open(charlie)


@pytest.fixture
def renter(alice: User, give: Callable[..., None]) -> User:
    give(alice, 10_000_000)
    give_key(alice)
    return alice


def longer(
    rental: Rental,
    *,
    key: str = "k",
    now: datetime = NOW,
    lease_s: int | None = None,
    more_s: int | None = None,
    cap_microusd: int | None = None,
) -> Rental:
    """Ask for higher limits as the rental's own renter."""
    return extend.extend(
        rental_id=rental.id,
        renter_id=rental.renter_id,
        asked=extend.Asked(lease_s=lease_s, more_s=more_s, cap_microusd=cap_microusd),
        idempotency_key=key,
        now=now,
    )


def limits(rental: Rental) -> tuple[int | None, int | None, int]:
    """Return the lease, the cap and the worst total as they are stored."""
    rental.refresh_from_db()
    return rental.lease_s, rental.cap_microusd, rental.worst_total_microusd


def test_a_longer_lease_holds_more_and_ends_later(market: Market, renter: User) -> None:
    rental = market.rent(renter, lease_s=60)
    market.run(rental, at=after(2))
    longer(rental, lease_s=120, now=after(5))
    assert ledger.held(renter.pk) == 120 * SECOND_MICROUSD
    view = queries.view(rental.id, renter.pk, after(5))
    assert view.ends_at == NOW + timedelta(seconds=120)
    assert audit.audit() == []


def test_the_placement_is_taken_before_the_money_as_everybody_does(
    market: Market, renter: User
) -> None:
    rental = market.rent(renter, lease_s=HOUR_S)
    with CaptureQueriesContext(connection) as done:
        longer(rental, lease_s=2 * HOUR_S)
    tables = updated(done)
    assert tables.index("placements_placement") < tables.index("ledger_account")


def test_more_hours_do_not_lift_the_dollar_cap(market: Market, renter: User) -> None:
    rental = market.rent(renter, lease_s=None, cap_microusd=CPU_HOUR_MICROUSD)
    with pytest.raises(Refused, match="dollar cap would end it first") as refused:
        longer(rental, more_s=19 * HOUR_S)
    assert refused.value.code == "not_longer"
    assert limits(rental) == (None, CPU_HOUR_MICROUSD, CPU_HOUR_MICROUSD)
    assert ledger.held(renter.pk) == CPU_HOUR_MICROUSD


def test_a_raised_cap_does_not_lift_the_lease(market: Market, renter: User) -> None:
    rental = market.rent(renter, lease_s=HOUR_S, cap_microusd=CPU_HOUR_MICROUSD // 2)
    longer(rental, cap_microusd=2 * CPU_HOUR_MICROUSD)
    assert limits(rental) == (HOUR_S, 2 * CPU_HOUR_MICROUSD, CPU_HOUR_MICROUSD)
    with pytest.raises(Refused, match="lease would end it first"):
        longer(rental, cap_microusd=3 * CPU_HOUR_MICROUSD, key="next")


def test_both_limits_rise_together(market: Market, renter: User) -> None:
    rental = market.rent(renter, lease_s=HOUR_S, cap_microusd=CPU_HOUR_MICROUSD)
    longer(rental, more_s=HOUR_S, cap_microusd=2 * CPU_HOUR_MICROUSD)
    assert limits(rental) == (2 * HOUR_S, 2 * CPU_HOUR_MICROUSD, 2 * CPU_HOUR_MICROUSD)


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({}, "limit_missing"),
        ({"lease_s": HOUR_S}, "not_longer"),
        ({"lease_s": HOUR_S - 1}, "not_longer"),
        ({"more_s": 31 * 86_400}, "term_too_long"),
        ({"more_s": 2 * HOUR_S}, "insufficient_funds"),
        ({"cap_microusd": CPU_HOUR_MICROUSD}, "not_longer"),
    ],
)
def test_what_makes_it_no_longer_is_refused_and_changes_nothing(
    market: Market, renter: User, asked: dict[str, int], code: str
) -> None:
    rental = market.rent(renter, lease_s=HOUR_S)
    with pytest.raises(Refused) as refused:
        longer(rental, **asked)
    assert refused.value.code == code
    assert refused.value.detail.endswith(".")
    assert limits(rental) == (HOUR_S, None, CPU_HOUR_MICROUSD)
    assert not Extension.objects.exists()


def test_one_key_adds_its_hour_once(market: Market, renter: User) -> None:
    rental = market.rent(renter, lease_s=60)
    for _ in range(3):
        longer(rental, more_s=60)
    assert limits(rental) == (120, None, 120 * SECOND_MICROUSD)
    with pytest.raises(Refused) as refused:
        longer(rental, more_s=90)
    assert refused.value.code == "idempotency_conflict"
    longer(rental, more_s=60, key="next")
    assert limits(rental) == (180, None, 180 * SECOND_MICROUSD)


def test_a_repeat_is_answered_after_the_end_but_nothing_new_is(
    market: Market, renter: User
) -> None:
    rental = market.rent(renter, lease_s=60)
    longer(rental, more_s=60)
    end.end(rental_id=rental.id, renter_id=renter.pk, now=after(1))
    assert longer(rental, more_s=60).id == rental.id
    with pytest.raises(Refused) as refused:
        longer(rental, more_s=60, key="next")
    assert refused.value.code == "rental_over"


def test_a_rental_whose_paid_time_is_over_is_not_extended(market: Market, renter: User) -> None:
    rental = market.rent(renter, lease_s=60)
    market.run(rental, at=after(2))
    with pytest.raises(extend.RentalOver):
        longer(rental, lease_s=HOUR_S, now=after(60))
    assert limits(rental)[0] == 60
