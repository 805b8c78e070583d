"""A rental that is paid an hour ahead: renewed from the wallet, stopped in vain, its files kept."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from marketplace.accounts.models import User
from marketplace.domain.funding import KEPT, Funding
from marketplace.domain.pricing import PriceType
from marketplace.domain.problem import Refused
from marketplace.domain.spending import Period
from marketplace.ledger import audit
from marketplace.ledger import queries as ledger
from marketplace.ledger.actions.spend_limit import set_limit
from marketplace.metering.actions.charge import charge_all
from marketplace.placements import queries as placements
from marketplace.placements.models import Placement
from marketplace.rentals import bills, queries
from marketplace.rentals.actions import end, extend, start, stop
from marketplace.rentals.actions.renew import renew
from marketplace.rentals.actions.reprice import reprice
from marketplace.rentals.models import Rental
from marketplace.rentals.rental_view import RentalView
from protocol.agent import PAID_OUT, ObservedState, Want
from tests.marketplace.rentals.market import CPU_HOUR_MICROUSD, Market, give_key
from tests.marketplace.scene import NOW, after

Give = Callable[..., None]
#: a second costs a thousandth of a dollar
HOUR = CPU_HOUR_MICROUSD
LEASE_S = 30 * 24 * 3600
STEP_S = 240
#: what pays for two hours
BALANCE = 2 * HOUR


@pytest.fixture
def market(charlie: User) -> Market:
    return Market.open(charlie)


@pytest.fixture
def renter(alice: User) -> User:
    give_key(alice)
    return alice


def rolling(market: Market, renter: User, **more: object) -> Rental:
    return market.rent(renter, **{"lease_s": LEASE_S, "funding": Funding.ROLLING} | more)


def begin(market: Market, rental: Rental, *, at_s: int = 0, run: int = 1) -> None:
    """Have it run and be seen at once."""
    market.run(rental, at=after(at_s), door_after_s=0)


def live(
    market: Market, rental: Rental, since_s: int, until_s: int, *, renews: bool = True
) -> None:
    """Let its machine sign and its door be seen every few minutes, while the passes run."""
    for second in range(since_s + STEP_S, until_s + 1, STEP_S):
        now, ms = after(second), (second - since_s) * 1000
        market.agent.sync(now)
        told = market.agent.observed(
            rental.placement_id, ObservedState.RUNNING, run=1, age_ms=second * 1000
        )
        counted = market.agent.count(
            rental.placement_id, since_s * 1000 + ms - STEP_S * 1000, since_s * 1000 + ms
        )
        market.look(at=now)
        market.agent.sync(now, placements=[told], intervals=[counted])
        charge_all(now=now)
        if renews:
            renew(now=now)


def seen(rental: Rental, now: datetime) -> RentalView:
    return queries.view(rental.id, rental.renter_id, now)


def fresh(rental: Rental) -> Rental:
    return Rental.objects.select_related("placement", "meter").get(id=rental.id)


def spend_up(market: Market, rental: Rental) -> datetime:
    """Let it run until its money is out and its machine has stopped it; return when that was."""
    signed_s = BALANCE // 1000 - STEP_S
    begin(market, rental)
    live(market, rental, 0, signed_s)
    stopped_at = fresh(rental).placement.paid_until - timedelta(seconds=5)
    renew(now=stopped_at - timedelta(milliseconds=1))
    assert fresh(rental).placement.state == "running"
    renew(now=stopped_at)
    assert fresh(rental).placement.state == "stopping"
    last_ms = (stopped_at - after(signed_s)) // timedelta(milliseconds=1)
    market.agent.sync(stopped_at)
    signed = market.agent.count(rental.placement_id, signed_s * 1000, signed_s * 1000 + last_ms)
    market.agent.sync(stopped_at + timedelta(seconds=1), intervals=[signed])
    market.halt(rental, at=stopped_at + timedelta(seconds=1))
    return stopped_at


def test_an_hour_is_held_and_renewed_when_half_of_it_is_left(
    market: Market, renter: User, give: Give
) -> None:
    give(renter, 10 * HOUR)
    rental = rolling(market, renter)
    assert rental.worst_total_microusd == 30 * 24 * HOUR
    assert ledger.held(renter.pk) == HOUR
    begin(market, rental)
    live(market, rental, 0, 1680)
    assert ledger.balance(renter.pk) == 9 * HOUR
    live(market, rental, 1680, 1920)
    # 1,920 s have passed, and an hour more is set aside.
    assert 10 * HOUR - ledger.balance(renter.pk) == HOUR + 1_920_000
    assert fresh(rental).placement.paid_until == after(1920 + 3600)
    live(market, rental, 1920, 3600)
    assert fresh(rental).meter.proven_ms == 3_600_000
    assert not audit.audit()


def test_it_is_stopped_when_the_balance_is_used_up_and_every_second_is_paid(
    market: Market, renter: User, give: Give
) -> None:
    give(renter, BALANCE)
    rental = rolling(market, renter)
    stopped_at = spend_up(market, rental)
    rental = fresh(rental)
    assert rental.files_until == stopped_at + KEPT
    view = seen(rental, stopped_at + timedelta(seconds=2))
    assert (view.state, view.reason_code) == ("stopped", "balance_out")
    assert "kept until 8 Mar 2026, 1" in view.reason
    charge_all(now=stopped_at + timedelta(seconds=2))
    # Less than two minutes' money stays in the wallet, and a few seconds' in the hold.
    assert ledger.balance(renter.pk) < 120_000
    assert ledger.held(renter.pk) < 10_000
    (gap,) = [
        one
        for one in bills.bill(rental, now=stopped_at + timedelta(hours=1)).split.unbilled
        if one.stretch.end > stopped_at + timedelta(seconds=10)
    ]
    assert gap.reason == "money_out"
    assert not audit.audit()


def test_money_within_seven_days_starts_it_again(market: Market, renter: User, give: Give) -> None:
    give(renter, BALANCE)
    rental = rolling(market, renter)
    now = spend_up(market, rental) + timedelta(days=1)
    market.agent.sync(now)
    held = ledger.held(renter.pk)
    with pytest.raises(Refused, match="an hour's money") as refused:
        start.start(rental_id=rental.id, renter_id=renter.pk, now=now)
    assert refused.value.code == "insufficient_funds"
    assert (ledger.held(renter.pk), fresh(rental).placement.state) == (held, "stopped")
    give(renter, HOUR)
    start.start(rental_id=rental.id, renter_id=renter.pk, now=now)
    renew(now=now)
    rental = fresh(rental)
    assert (rental.placement.state, rental.files_until) == ("offered", None)
    # What was left of the last hour counts for this one.
    assert ledger.held(renter.pk) + rental.meter.charged_microusd == rental.meter.proven_ms + HOUR
    assert rental.placement.paid_until == now + timedelta(hours=1)
    assert not audit.audit()


def test_money_calls_the_end_of_the_files_off(market: Market, renter: User, give: Give) -> None:
    give(renter, BALANCE)
    rental = rolling(market, renter)
    now = spend_up(market, rental) + timedelta(days=6)
    renew(now=now)
    assert fresh(rental).files_until is not None
    give(renter, HOUR)
    renew(now=now + timedelta(minutes=1))
    view = seen(rental, now + timedelta(minutes=1))
    # Its disk costs nothing, so it stays for 7 days more.
    back_until = now + timedelta(minutes=1) + KEPT
    assert (view.reason_code, fresh(rental).files_until) == ("money_back", back_until)
    renew(now=now + timedelta(days=2))
    assert fresh(rental).placement.state == "stopped"
    assert fresh(rental).files_until == back_until
    assert ledger.balance(renter.pk) >= HOUR


def test_without_money_it_ends_after_seven_days(market: Market, renter: User, give: Give) -> None:
    give(renter, BALANCE)
    rental = rolling(market, renter)
    stopped_at = spend_up(market, rental)
    renew(now=stopped_at + KEPT - timedelta(seconds=1))
    assert fresh(rental).placement.state == "stopped"
    renew(now=stopped_at + KEPT + timedelta(seconds=30))
    ended = fresh(rental)
    assert (ended.placement.state, ended.placement.reason_code) == ("collecting", "files_over")
    market.end(rental, at=stopped_at + KEPT + timedelta(seconds=40))
    renew(now=stopped_at + KEPT + timedelta(minutes=5))
    assert fresh(rental).fund_due_at is None
    assert ledger.held(renter.pk) == 0
    assert ledger.balance(renter.pk) == BALANCE - fresh(rental).meter.charged_microusd
    assert not audit.audit()


def test_nothing_counts_beyond_what_is_held_however_long_nobody_renews(
    market: Market, renter: User, give: Give
) -> None:
    give(renter, 10 * HOUR)
    rental = rolling(market, renter)
    begin(market, rental)
    live(market, rental, 0, 7200, renews=False)
    meter = fresh(rental).meter
    assert meter.proven_ms == meter.charged_ms == 3_600_000
    assert ledger.held(renter.pk) == 0
    assert ledger.balance(renter.pk) == 9 * HOUR
    assert not audit.audit()


def test_a_machine_stops_it_by_itself_and_it_goes_on_once_somebody_renews(
    market: Market, renter: User, give: Give
) -> None:
    give(renter, 10 * HOUR)
    rental = rolling(market, renter)
    begin(market, rental)
    machine_id = market.machine.id
    (wanted,) = placements.desired(machine_id, after(600))
    assert wanted.stop_after_ms == 3_000_000
    # The scheduler is away: nobody renews, and the machine is told no more time.
    (wanted,) = placements.desired(machine_id, after(4000))
    assert (wanted.want, wanted.stop_after_ms) == (Want.RUN, 0)
    told = market.agent.observed(
        rental.placement_id, ObservedState.STOPPED, run=1, problem=PAID_OUT
    )
    for second in (3602, 3603):
        market.agent.sync(after(second), placements=[told])
    rental = fresh(rental)
    assert (rental.placement.state, rental.placement.reason_code) == ("stopped", PAID_OUT)
    renew(now=after(9000))
    rental = fresh(rental)
    assert (rental.placement.state, rental.files_until) == ("offered", None)
    assert rental.placement.paid_until == after(9000 + 3600)


def test_what_its_machine_stopped_and_nobody_pays_keeps_its_files_for_seven_days(
    market: Market, renter: User, give: Give
) -> None:
    give(renter, HOUR)
    rental = rolling(market, renter)
    begin(market, rental)
    told = market.agent.observed(
        rental.placement_id, ObservedState.STOPPED, run=1, problem=PAID_OUT
    )
    for second in (3602, 3603):
        market.agent.sync(after(second), placements=[told])
    rental.meter.proven_ms = 3_600_000
    rental.meter.save(update_fields=["proven_ms"])
    renew(now=after(3604))
    rental = fresh(rental)
    assert (rental.placement.state, rental.placement.reason_code) == ("stopped", "balance_out")
    assert rental.files_until == after(3604) + KEPT


@pytest.mark.parametrize("first", [0, 1])
def test_of_two_that_share_a_balance_the_one_that_ends_first_is_served_first(
    market: Market, renter: User, give: Give, first: int
) -> None:
    give(renter, 3 * HOUR)
    two = [rolling(market, renter), rolling(market, renter)]
    renew(now=NOW)
    for at, rental in enumerate(two):
        ends_at = after(600 if at == first else 900)
        Placement.objects.filter(id=rental.placement_id).update(paid_until=ends_at)
        Rental.objects.filter(id=rental.id).update(fund_due_at=NOW)
        rental.meter.proven_ms = 3_000_000
        rental.meter.save(update_fields=["proven_ms"])
    renew(now=after(1))
    held = {one.id: ledger_held(one) for one in two}
    # One has its hour; of what is left then a quarter of an hour fits for the other.
    assert held[two[first].id] == HOUR + 3_000_000
    assert held[two[1 - first].id] < HOUR + 3_000_000
    assert ledger.balance(renter.pk) < 120_000


def ledger_held(rental: Rental) -> int:
    return Rental.objects.get(id=rental.id).meter.hold.account.credits_posted


def test_a_higher_price_needs_the_hour_and_a_lower_one_nothing(
    market: Market, renter: User, give: Give
) -> None:
    give(renter, HOUR)
    rental = rolling(market, renter)

    def price(hour: int, second: int) -> None:
        reprice(
            rental_id=rental.id,
            price_hour_microusd=hour,
            at=after(second),
            reason="test",
            now=after(second),
        )

    price(HOUR // 2, 0)
    renew(now=after(0))
    assert fresh(rental).meter.proven_ms_max == 3_600_000
    with pytest.raises(Refused) as refused:
        price(2 * HOUR, 10)
    assert refused.value.code == "insufficient_funds"
    assert fresh(rental).price_hour_microusd == HOUR // 2
    give(renter, HOUR + 1)
    price(2 * HOUR, 10)
    # Both prices may hold yet, so the dearer one counts.
    assert fresh(rental).meter.proven_ms_max == 3_600_000
    assert ledger.held(renter.pk) == 2 * HOUR + 1


def test_a_spend_limit_stops_it_and_keeps_its_files(
    market: Market, renter: User, give: Give
) -> None:
    give(renter, 10 * HOUR)
    set_limit(user_id=renter.pk, period=Period.DAY, limit_microusd=BALANCE, now=NOW)
    rental = rolling(market, renter)
    stopped_at = spend_up(market, rental)
    view = seen(rental, stopped_at + timedelta(seconds=2))
    assert (view.state, view.reason_code) == ("stopped", "spend_limit_reached")
    renew(now=stopped_at + timedelta(hours=1))
    assert fresh(rental).files_until == stopped_at + timedelta(hours=1) + KEPT
    with pytest.raises(Refused) as refused:
        start.start(rental_id=rental.id, renter_id=renter.pk, now=stopped_at)
    assert refused.value.code == "spend_limit_reached"


def test_what_is_held_to_its_end_is_renewed_only_once_it_is_extended(
    market: Market, renter: User, give: Give
) -> None:
    give(renter, 2 * HOUR)
    rental = rolling(market, renter, lease_s=1800)
    assert (ledger.held(renter.pk), rental.placement.paid_until) == (HOUR // 2, None)
    extend.extend(
        rental_id=rental.id,
        renter_id=renter.pk,
        asked=extend.Asked(lease_s=LEASE_S),
        idempotency_key="1",
        now=after(60),
    )
    assert ledger.held(renter.pk) == HOUR
    assert fresh(rental).placement.paid_until == after(60 + 3600)


def test_a_reservation_is_paid_as_a_whole(market: Market, renter: User, give: Give) -> None:
    give(renter, 100 * HOUR)
    with pytest.raises(Refused, match="paid as a whole"):
        rolling(market, renter, price_type=PriceType.RESERVED, lease_s=24 * 3600)


def test_stopped_by_its_renter_it_asks_for_nothing(
    market: Market, renter: User, give: Give
) -> None:
    give(renter, HOUR)
    rental = rolling(market, renter)
    begin(market, rental)
    stop.stop(rental_id=rental.id, renter_id=renter.pk, now=after(60))
    market.halt(rental, at=after(61))
    for day in range(3):
        renew(now=after(day * 86_400 + 3600))
    rental = fresh(rental)
    assert (rental.placement.state, ledger.balance(renter.pk)) == ("stopped", 0)
    end.end(rental_id=rental.id, renter_id=renter.pk, now=after(300_000))
    market.end(rental, at=after(300_001))
    assert ledger.held(renter.pk) == 0
