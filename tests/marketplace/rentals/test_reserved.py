"""A reservation is held whole, charged as it is proven, and re-rated where it ends early."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from marketplace.accounts.models import User
from marketplace.domain.pricing import PriceType, TermTooLong
from marketplace.domain.reserved import DAY_S, ReservationRefused, ReservationStays
from marketplace.ledger import audit
from marketplace.ledger import queries as ledger
from marketplace.machines.models import Machine
from marketplace.metering.actions.change_price import change_price
from marketplace.metering.actions.charge import charge_all
from marketplace.metering.models import Meter, PriceChange
from marketplace.offers.actions.set_terms import set_terms
from marketplace.offers.models import Offer
from marketplace.placements.models import Placement
from marketplace.rentals.actions import end, stop
from marketplace.rentals.models import Rental
from protocol.agent import ObservedState
from tests.marketplace.rentals.market import CPU_HOUR_MICROUSD, Market, give_key
from tests.marketplace.scene import NOW, after

SECOND_MICROUSD = CPU_HOUR_MICROUSD // 3600
#: 40 % off
RESERVED_SECOND = SECOND_MICROUSD * 6 // 10
TERM_MICROUSD = DAY_S * RESERVED_SECOND


@pytest.fixture
def market(charlie: User) -> Market:
    market = Market.open(charlie)
    set_terms(
        host_id=charlie.pk,
        machine_id=market.machine.id,
        now=NOW,
        discounts=[{"days": 1, "discount_ppm": 400_000}],
    )
    return market


@pytest.fixture
def renter(alice: User, give: Callable[..., None]) -> User:
    give(alice, 100_000_000)
    give_key(alice)
    return alice


@pytest.fixture
def rental(market: Market, renter: User) -> Rental:
    """A day's reservation whose door is seen at second 3."""
    made = market.rent(renter, price_type=PriceType.RESERVED, lease_s=DAY_S)
    market.run(made, at=after(2))
    return made


def prove(market: Market, rental: Rental, *, from_s: int, until_s: int) -> None:
    """Have the machine sign up to that second of server time, and its door seen there."""
    market.look(at=after(until_s))
    market.agent.sync(after(until_s))
    signed = market.agent.count(rental.placement_id, (from_s - 2) * 1000, (until_s - 2) * 1000)
    told = market.agent.observed(
        rental.placement_id, ObservedState.RUNNING, run=1, age_ms=(until_s - 2) * 1000
    )
    market.agent.sync(after(until_s), placements=[told], intervals=[signed])
    charge_all(now=after(until_s))


def finish(market: Market, rental: Rental, renter: User, *, at_s: int) -> Meter:
    end.end(rental_id=rental.id, renter_id=renter.pk, now=after(at_s))
    market.end(rental, at=after(at_s + 1))
    assert audit.audit() == []
    assert ledger.held(renter.pk) == 0
    return Meter.objects.get()


def test_the_whole_term_is_held_and_each_proven_second_charged(
    market: Market, renter: User, rental: Rental
) -> None:
    assert rental.worst_total_microusd == ledger.held(renter.pk) == TERM_MICROUSD
    prove(market, rental, from_s=2, until_s=103)
    assert Meter.objects.get().charged_microusd == 100 * RESERVED_SECOND
    # To its end, of which its machine proves nothing more: what it did not deliver is not charged.
    market.end(rental, at=after(DAY_S + 5))
    assert Meter.objects.get().charged_microusd == 100 * RESERVED_SECOND
    assert ledger.balance(renter.pk) == 100_000_000 - 100 * RESERVED_SECOND


def test_a_reservation_that_ends_early_costs_what_it_had_on_demand(
    market: Market, renter: User, rental: Rental
) -> None:
    # Its host's later price is none of its business.
    Offer.objects.update(price_cpu_hour_microusd=2 * CPU_HOUR_MICROUSD)
    prove(market, rental, from_s=2, until_s=103)
    meter = finish(market, rental, renter, at_s=104)
    assert meter.charged_microusd == 100 * SECOND_MICROUSD
    assert ledger.balance(renter.pk) == 100_000_000 - 100 * SECOND_MICROUSD


@pytest.mark.parametrize("late_s", [0, 20_000])
def test_it_never_costs_more_than_its_whole_term(
    market: Market, renter: User, rental: Rental, late_s: int
) -> None:
    prove(market, rental, from_s=2, until_s=103)
    # As if most of the day were proven; the last of it comes after the end was asked for.
    Meter.objects.update(proven_ms=(70_000 - late_s) * 1000)
    end.end(rental_id=rental.id, renter_id=renter.pk, now=after(80_000))
    charge_all(now=after(80_000))
    most_ms = Meter.objects.get().proven_ms_max
    assert (most_ms is None) == (late_s == 0)
    if most_ms is not None:
        assert most_ms == TERM_MICROUSD * 1000 // SECOND_MICROUSD
        Meter.objects.update(proven_ms=most_ms)
    market.end(rental, at=after(80_001))
    assert Meter.objects.get().charged_microusd == TERM_MICROUSD
    assert audit.audit() == []


def test_a_lower_price_meanwhile_stays_lower(market: Market, renter: User, rental: Rental) -> None:
    half = rental.meter.price_hour_microusd // 2
    change_price(meter_id=rental.meter_id, price_hour_microusd=half, at=after(53), reason="a_test")
    prove(market, rental, from_s=2, until_s=103)
    meter = finish(market, rental, renter, at_s=104)
    assert meter.charged_microusd == 50 * SECOND_MICROUSD + 50 * SECOND_MICROUSD // 2
    change = PriceChange.objects.get()
    assert change.former_price_hour_microusd == CPU_HOUR_MICROUSD


@pytest.mark.parametrize("how", ["silent", "stopped", "maintenance"])
def test_it_keeps_its_discount_where_its_host_can_not_go_on(
    market: Market, renter: User, rental: Rental, how: str
) -> None:
    prove(market, rental, from_s=2, until_s=103)
    if how == "silent":
        Machine.objects.update(online=False)
    elif how == "stopped":
        told = market.agent.observed(
            rental.placement_id, ObservedState.STOPPED, run=1, problem="container_lost"
        )
        market.agent.sync(after(104), placements=[told])
        assert Placement.objects.get().state == "stopping"
    else:
        Offer.objects.update(
            maintenance_from=NOW + timedelta(hours=5), maintenance_until=NOW + timedelta(hours=6)
        )
    end.end(rental_id=rental.id, renter_id=renter.pk, now=after(105))
    market.end(rental, at=after(106))
    assert Meter.objects.get().charged_microusd == 100 * RESERVED_SECOND


def test_ending_twice_re_rates_once(market: Market, renter: User, rental: Rental) -> None:
    prove(market, rental, from_s=2, until_s=103)
    for second in (104, 105):
        end.end(rental_id=rental.id, renter_id=renter.pk, now=after(second))
    assert Meter.objects.get().price_hour_microusd == CPU_HOUR_MICROUSD
    rental.refresh_from_db()
    assert rental.discount_lost_at == after(104)


def test_it_can_not_be_stopped(renter: User, rental: Rental) -> None:
    with pytest.raises(ReservationStays):
        stop.stop(rental_id=rental.id, renter_id=renter.pk, now=after(10))
    assert Placement.objects.get().state == "running"


def test_a_term_that_the_host_does_not_take_is_refused_and_nothing_held(
    market: Market, renter: User
) -> None:
    with pytest.raises(TermTooLong):
        market.rent(renter, price_type=PriceType.RESERVED, lease_s=31 * DAY_S)
    Offer.objects.update(discounts=[])
    with pytest.raises(ReservationRefused):
        market.rent(renter, price_type=PriceType.RESERVED, lease_s=DAY_S)
    assert ledger.held(renter.pk) == 0
