"""A bill says of every second what it cost, or why it cost nothing."""

from collections.abc import Callable

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from marketplace.accounts.models import User
from marketplace.domain.bill import Reason
from marketplace.domain.money import charge
from marketplace.ledger.models import Transfer
from marketplace.metering.actions.change_price import change_price
from marketplace.metering.actions.charge import charge_all
from marketplace.metering.models import Meter, SignedIntervalRow
from marketplace.rentals import bills, unbilled
from marketplace.rentals.actions import end
from marketplace.rentals.models import Rental
from protocol.agent import ObservedState
from tests.marketplace.rentals.market import CPU_HOUR_MICROUSD, Market, give_key
from tests.marketplace.scene import after


@pytest.fixture
def market(charlie: User) -> Market:
    return Market.open(charlie)


@pytest.fixture
def rental(market: Market, alice: User, give: Callable[..., None]) -> Rental:
    """It runs at second 0 and its door is seen at second 1."""
    give(alice, 10_000_000)
    give_key(alice)
    rental = market.rent(alice)
    market.run(rental, at=after(0))
    return rental


def sign(market: Market, rental: Rental, *, second: int, since: int | None = None) -> None:
    """Have the machine sign up to now, from where it was or ``since``."""
    agent, placement_id = market.agent, rental.placement_id
    agent.sync(after(second))
    begin = agent.chain[-1].interval.to_age_ms if agent.chain else 0
    begin = begin if since is None else since * 1000
    told = agent.observed(placement_id, ObservedState.RUNNING, run=1, age_ms=second * 1000)
    interval = agent.count(placement_id, begin, second * 1000)
    agent.sync(after(second), placements=[told], intervals=[interval])
    charge_all(now=after(second))


def looked(market: Market, rental: Rental, second: int, *, opens: bool = True) -> None:
    market.look(at=after(second), opens=opens)
    sign(market, rental, second=second + 1)


def finish(market: Market, rental: Rental, *, second: int) -> None:
    end.end(rental_id=rental.id, renter_id=rental.renter_id, now=after(second))
    market.end(rental, at=after(second + 1))
    charge_all(now=after(second + 1))


def bill_of(rental: Rental, *, second: int) -> bills.Bill:
    found = Rental.objects.select_related("placement", "meter").get(id=rental.id)
    return bills.bill(found, now=after(second))


def stretches(bill: bills.Bill) -> list[tuple[Reason, int]]:
    return [(one.reason, one.stretch.ms // 1000) for one in bill.split.unbilled]


def test_a_shut_door_is_a_stretch_of_the_bill(market: Market, rental: Rental) -> None:
    looked(market, rental, 60)
    looked(market, rental, 120, opens=False)
    looked(market, rental, 180)
    looked(market, rental, 240)
    finish(market, rental, second=250)
    bill = bill_of(rental, second=300)
    assert stretches(bill) == [
        (Reason.DOOR_UNSEEN, 1),
        (Reason.DOOR_SHUT, 120),
        (Reason.UNPROVEN, 10),
        (Reason.STOPPED, 1),
    ]
    assert bill.split.billed_ms == (59 + 60) * 1000


def test_a_statement_tells_of_many_rentals_what_nobody_asked_for(
    market: Market, rental: Rental, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked(market, rental, 60)
    looked(market, rental, 120, opens=False)
    looked(market, rental, 180)
    finish(market, rental, second=190)
    other = market.rent(alice, now=after(195))
    first, second = (one.meter.hold.account_id for one in (rental, other))
    found = unbilled.by_account([first, second], now=after(200))
    # What was asked for, as its stop, is not told; nor is what the next look may prove.
    assert found == {
        first: {Reason.DOOR_UNSEEN: 1_000, Reason.DOOR_SHUT: 120_000, Reason.UNPROVEN: 10_000},
        second: {Reason.PREPARING: 5_000},
    }
    monkeypatch.setattr(unbilled, "INTERVALS_MAX", 0)
    assert unbilled.by_account([first, second], now=after(200)) == {
        first: {Reason.DOOR_SHUT: 120_000},
        second: {Reason.PREPARING: 5_000},
    }


def test_a_silent_machine_is_named(market: Market, rental: Rental) -> None:
    looked(market, rental, 60)
    for second in (120, 180, 240):
        market.look(at=after(second))
    sign(market, rental, second=250, since=240)
    market.look(at=after(270))
    sign(market, rental, second=280)
    bill = bill_of(rental, second=280)
    assert (Reason.MACHINE_SILENT, 179) in stretches(bill)
    assert stretches(bill)[-1] == (Reason.PENDING, 10)


def test_a_rental_that_never_began_was_only_prepared(
    market: Market, alice: User, give: Callable[..., None]
) -> None:
    give(alice, 10_000_000)
    give_key(alice)
    rental = market.rent(alice)
    assert stretches(bill_of(rental, second=30)) == [(Reason.PREPARING, 30)]


def test_what_is_after_the_paid_time_says_so(market: Market, rental: Rental) -> None:
    bill = bill_of(rental, second=4000)
    assert stretches(bill)[-1] == (Reason.LEASE_OVER, 400)


def test_the_charges_of_the_days_are_what_the_meter_said_when_it_was_read(
    market: Market, rental: Rental
) -> None:
    looked(market, rental, 60)
    meter = Meter.objects.get()
    looked(market, rental, 120)
    assert [one.amount_microusd for one in bills.charges(meter)] == [59_000]
    assert [one.amount_microusd for one in bills.charges(Meter.objects.get())] == [119_000]


def test_each_price_has_its_line(market: Market, rental: Rental) -> None:
    half = CPU_HOUR_MICROUSD // 2
    change_price(
        meter_id=rental.meter_id, price_hour_microusd=half, at=after(31), reason="price_accepted"
    )
    looked(market, rental, 60)
    bill = bill_of(rental, second=61)
    first, second = bill.periods
    assert (first.price_hour_microusd, first.from_ms, first.ms, first.reason) == (
        CPU_HOUR_MICROUSD,
        0,
        30_000,
        "",
    )
    assert (second.price_hour_microusd, second.ms, second.reason) == (
        half,
        29_000,
        "price_accepted",
    )
    assert first.cost_microusd + second.cost_microusd == bill.time_microusd == 30_000 + 14_500


steps = st.tuples(
    st.sampled_from(["look", "miss", "sign", "price"]), st.integers(min_value=1, max_value=95)
)


@settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(steps, min_size=1, max_size=6))
def test_billed_and_unbilled_are_all_time_and_every_charge_is_signed_for(
    charlie: User, alice: User, give: Callable[..., None], history: list[tuple[str, int]]
) -> None:
    with transaction.atomic():
        market = Market.open(charlie)
        give(alice, 10_000_000)
        give_key(alice)
        rental = market.rent(alice)
        market.run(rental, at=after(0))
        second = live(market, rental, history)
        check(rental, second=second)
        transaction.set_rollback(True)


def live(market: Market, rental: Rental, history: list[tuple[str, int]]) -> int:
    """Return the second at which the history has ended."""
    second = 1
    for what, lasts in history:
        second += lasts
        if what == "price":
            change_price(
                meter_id=rental.meter_id, price_hour_microusd=lasts, at=after(second), reason="bid"
            )
        elif what == "sign":
            sign(market, rental, second=second)
        else:
            market.look(at=after(second), opens=what == "look")
    return second


def check(rental: Rental, *, second: int) -> None:
    bill = bill_of(rental, second=second)
    assert bill.split.total_ms == second * 1000
    unbilled = sum(bill.split.by_reason().values())
    assert bill.split.billed_ms + unbilled == bill.split.total_ms
    assert bill.split.rounded_ms == 0
    meter = Meter.objects.get(id=rental.meter_id)
    rows = SignedIntervalRow.objects.filter(
        placement_id=rental.placement_id, billable_to__lte=meter.charged_until or after(0)
    )
    counted = rows.values_list("billable_from", "billable_to")
    own = sum((end - start).total_seconds() for start, end in counted if start and end) * 1000
    assert own == bill.split.billed_ms == meter.charged_ms
    charges = Transfer.objects.filter(debit__hold__meter=meter, kind__in=("charge", "fee"))
    assert sum(one.amount_microusd for one in charges) == bill.time_microusd
    assert sum(one.cost_microusd for one in bill.periods) == bill.time_microusd
    assert all(one.cost_microusd == charge(one.price_hour_microusd, one.ms) for one in bill.periods)


def test_what_was_spent_is_told_up_to_a_moment_and_charge_by_charge_after_it(
    market: Market, rental: Rental
) -> None:
    looked(market, rental, 60)
    looked(market, rental, 120)
    meter = Meter.objects.get(rental=rental)
    whole, half = (bills.spent(meter, since=after(second)) for second in (0, 61))
    assert whole.before_microusd == 0
    assert sum(amount for _, amount in whole.later) == meter.charged_microusd > 0
    assert 0 < half.before_microusd < meter.charged_microusd
    assert half.before_microusd + sum(amount for _, amount in half.later) == meter.charged_microusd
    assert all(at > after(61) for at, _ in half.later)
