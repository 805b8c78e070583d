"""A running placement's price changes at a moment, however late its seconds are proven."""

from collections.abc import Callable

import pytest

from marketplace.accounts.models import User
from marketplace.ledger import audit
from marketplace.metering import queries as metering
from marketplace.metering.actions.change_price import MeterClosed, change_price
from marketplace.metering.actions.charge import charge_all
from marketplace.metering.models import Meter, PriceChange
from marketplace.rentals.models import Rental
from protocol.agent import ObservedState
from tests.marketplace.rentals.market import CPU_HOUR_MICROUSD, Market, give_key
from tests.marketplace.scene import NOW, after

SECOND_MICROUSD = CPU_HOUR_MICROUSD // 3600


@pytest.fixture
def market(charlie: User) -> Market:
    return Market.open(charlie)


@pytest.fixture
def rental(market: Market, alice: User, give: Callable[..., None]) -> Rental:
    """A rental that begins at second 2 and whose door is seen at second 3."""
    give(alice, 10_000_000)
    give_key(alice)
    made = market.rent(alice)
    market.run(made, at=after(2))
    return made


def prove(market: Market, rental: Rental, *, from_s: int, until_s: int) -> None:
    """Have the machine sign up to that second of server time, and its door seen after it."""
    market.look(at=after(until_s + 1))
    market.agent.sync(after(until_s + 2))
    signed = market.agent.count(rental.placement_id, (from_s - 2) * 1000, (until_s - 2) * 1000)
    told = market.agent.observed(
        rental.placement_id, ObservedState.RUNNING, run=1, age_ms=(until_s + 1) * 1000
    )
    market.agent.sync(after(until_s + 3), placements=[told], intervals=[signed])
    charge_all(now=after(until_s + 3))


def change(rental: Rental, seconds: int, at: float) -> None:
    """Let a second cost so many times as much as at first, from then on."""
    price = seconds * CPU_HOUR_MICROUSD
    change_price(meter_id=rental.meter_id, price_hour_microusd=price, at=after(at), reason="a_test")


def test_seconds_that_are_proven_late_cost_the_price_of_their_own_time(
    market: Market, rental: Rental, charlie: User
) -> None:
    change(rental, 3, at=50)
    change(rental, 2, at=80)
    change(rental, 5, at=1000)
    # One stretch of 3..100 passes two of the three changes.
    prove(market, rental, from_s=2, until_s=100)
    meter = Meter.objects.get()
    paid_s = 47 + 30 * 3 + 20 * 2
    assert meter.charged_microusd == paid_s * SECOND_MICROUSD
    assert (meter.price_hour_microusd, meter.priced_from_ms) == (2 * CPU_HOUR_MICROUSD, 77_000)
    assert meter.next_price_at == after(1000)
    rows = PriceChange.objects.order_by("at").values_list("from_ms", "former_price_hour_microusd")
    assert list(rows) == [
        (47_000, CPU_HOUR_MICROUSD),
        (77_000, 3 * CPU_HOUR_MICROUSD),
        (None, None),
    ]
    (delivered,) = metering.delivered(NOW, after(1000)).values()
    assert delivered.fees_microusd == meter.fee_microusd == paid_s * SECOND_MICROUSD // 20
    assert audit.audit() == []


def test_what_is_counted_already_keeps_its_price(market: Market, rental: Rental) -> None:
    prove(market, rental, from_s=2, until_s=100)
    change(rental, 2, at=50)
    change(rental, 4, at=50)
    prove(market, rental, from_s=100, until_s=200)
    assert Meter.objects.get().charged_microusd == (97 + 100 * 4) * SECOND_MICROUSD
    assert Meter.objects.get().next_price_at is None


def test_a_change_that_waits_stays_behind_an_earlier_one(market: Market, rental: Rental) -> None:
    change(rental, 5, at=150)
    change(rental, 2, at=50)
    prove(market, rental, from_s=2, until_s=100)
    prove(market, rental, from_s=100, until_s=200)
    paid_s = 47 + 50 * 2 + 50 * 2 + 50 * 5
    assert Meter.objects.get().charged_microusd == paid_s * SECOND_MICROUSD


def test_what_is_settled_has_its_last_price(market: Market, rental: Rental) -> None:
    market.end(rental, at=after(200))
    with pytest.raises(MeterClosed):
        change(rental, 2, at=300)
    assert not PriceChange.objects.exists()
