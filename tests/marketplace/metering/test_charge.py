"""One tick charges many meters at once, each exactly and none at another's cost."""

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from marketplace.accounts.models import User
from marketplace.ledger import audit
from marketplace.ledger import queries as ledger
from marketplace.metering.actions import charge as module
from marketplace.metering.actions.charge import charge_all
from marketplace.metering.models import Meter
from tests.marketplace.broken import break_row
from tests.marketplace.rentals.market import CPU_HOUR_MICROUSD, Market, give_key
from tests.marketplace.scene import after

SECOND_MICROUSD = CPU_HOUR_MICROUSD // 3600
#: statements of the first tick, which opens the accounts, but for one each meter
OF_A_TICK = 23
Counted = Callable[[int], AbstractContextManager[object]]


@pytest.fixture
def market(charlie: User) -> Market:
    return Market.open(charlie)


@pytest.fixture
def renter(alice: User, give: Callable[..., None]) -> User:
    give(alice, 100_000_000)
    give_key(alice)
    return alice


def rent(market: Market, renter: User, *, count: int) -> list[Meter]:
    """Return the meters of running rentals, which have proven 10 s, 20 s and so on."""
    meters = []
    for number in range(1, count + 1):
        rental = market.rent(renter)
        market.run(rental, at=after(1))
        Meter.objects.filter(id=rental.meter_id).update(proven_ms=number * 10_000)
        meters.append(rental.meter)
    return meters


def test_each_meter_is_charged_its_own_seconds(
    market: Market, renter: User, charlie: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "METERS_AT_ONCE", 2)
    meters = rent(market, renter, count=3)
    assert charge_all(now=after(60)) == 3
    assert charge_all(now=after(61)) == 0
    for number, meter in enumerate(meters, start=1):
        meter.refresh_from_db()
        assert (meter.charged_ms, meter.charged_microusd, meter.fee_microusd) == (
            number * 10_000,
            number * 10 * SECOND_MICROUSD,
            number * 10 * SECOND_MICROUSD // 20,
        )
    assert ledger.earned(charlie.pk) == 60 * SECOND_MICROUSD * 95 // 100
    assert audit.audit() == []


@pytest.mark.parametrize("count", [1, 3])
def test_one_more_meter_costs_one_more_statement(
    market: Market, renter: User, count: int, django_assert_num_queries: Counted
) -> None:
    rent(market, renter, count=count)
    # Each hold's own account is written; all else is one statement for all.
    with django_assert_num_queries(OF_A_TICK + count):
        charge_all(now=after(60))


def test_a_meter_that_cannot_be_charged_holds_up_no_other(
    market: Market, renter: User, caplog: pytest.LogCaptureFixture
) -> None:
    wrong, right = rent(market, renter, count=2)
    # More than its hold covers: no interval can prove that, so only a defect brings it here.
    Meter.objects.filter(id=wrong.id).update(proven_ms=10**9)
    charge_all(now=after(60))
    right.refresh_from_db()
    wrong.refresh_from_db()
    assert (right.charged_ms, wrong.charged_ms) == (20_000, 0)
    assert "Meter not charged" in caplog.messages
    assert audit.audit() == []


def test_a_meter_that_cannot_be_written_holds_up_no_other(
    market: Market, renter: User, caplog: pytest.LogCaptureFixture
) -> None:
    broken, sound = rent(market, renter, count=2)
    break_row(broken)
    charge_all(now=after(60))
    for meter in (broken, sound):
        meter.refresh_from_db()
    assert (broken.charged_ms, sound.charged_ms) == (0, 20_000)
    assert "Meter not charged" in caplog.messages
    assert audit.audit() == []
