"""A host's new price for what runs: lower at once, higher only with the renter's yes."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from marketplace.accounts.models import User
from marketplace.domain.pricing import PriceType
from marketplace.ledger import audit
from marketplace.ledger import queries as ledger
from marketplace.ledger.actions.post import InsufficientFunds
from marketplace.metering.actions.charge import charge_all
from marketplace.metering.models import Meter, PriceChange
from marketplace.notices.actions.tell_rentals import tell_rentals
from marketplace.notices.models import Notice
from marketplace.offers.models import Offer
from marketplace.offers.queries import OfferUnknown
from marketplace.rentals import queries
from marketplace.rentals.actions import end, extend
from marketplace.rentals.actions.answer_price import ProposalGone, answer_price
from marketplace.rentals.actions.propose_prices import propose_prices
from marketplace.rentals.actions.reprice import CapPassed
from marketplace.rentals.models import PriceProposal, Rental
from marketplace.rentals.pending_price import PendingPrice
from protocol.agent import ObservedState
from tests.marketplace.rentals.market import CPU_HOUR_MICROUSD, Market, give_key
from tests.marketplace.scene import after

SECOND_MICROUSD = CPU_HOUR_MICROUSD // 3600
HOUR_S = 3600


@pytest.fixture
def market(charlie: User) -> Market:
    return Market.open(charlie)


@pytest.fixture
def renter(alice: User, give: Callable[..., None]) -> User:
    give(alice, 40_000_000)
    give_key(alice)
    return alice


@pytest.fixture
def rental(market: Market, renter: User) -> Rental:
    """Four hours whose door is seen at second 3."""
    made = market.rent(renter, lease_s=4 * HOUR_S)
    market.run(made, at=after(2))
    return made


def ask(market: Market, times: float, *, at_s: float = 10) -> tuple[int, int]:
    """Let the host ask so many times the first price; return how many it lowered and asked."""
    Offer.objects.update(price_cpu_hour_microusd=int(times * CPU_HOUR_MICROUSD))
    host_id = market.machine.host_id
    done = propose_prices(host_id=host_id, machine_id=market.machine.id, now=after(at_s))
    return done.lowered, done.asked


def answer(rental: Rental, times: int, *, accept: bool, at_s: float = 20) -> None:
    answer_price(
        rental_id=rental.id,
        renter_id=rental.renter_id,
        price_hour_microusd=times * CPU_HOUR_MICROUSD,
        accept=accept,
        now=after(at_s),
    )


def prove(market: Market, rental: Rental, *, from_s: int, until_s: int) -> None:
    """Have the machine sign up to that second of server time, and its door seen there."""
    market.agent.sync(after(until_s - 100))
    market.look(at=after(until_s - 200))
    market.look(at=after(until_s))
    market.agent.sync(after(until_s))
    signed = market.agent.count(rental.placement_id, (from_s - 2) * 1000, (until_s - 2) * 1000)
    told = market.agent.observed(
        rental.placement_id, ObservedState.RUNNING, run=1, age_ms=(until_s - 2) * 1000
    )
    market.agent.sync(after(until_s), placements=[told], intervals=[signed])
    charge_all(now=after(until_s))


def pending(rental: Rental, at_s: float = 15) -> PendingPrice | None:
    return queries.view(rental.id, rental.renter_id, after(at_s)).pending_price


def test_a_higher_price_waits_for_a_yes_and_says_what_it_costs(
    market: Market, rental: Rental
) -> None:
    assert ask(market, 2) == (0, 1)
    assert ask(market, 2, at_s=11) == (0, 0)
    found = pending(rental)
    assert found is not None
    # From an hour after the question on: an hour and ten seconds at the old price.
    worst_s = (HOUR_S + 10) + 2 * (3 * HOUR_S - 10)
    assert found == PendingPrice(
        price_hour_microusd=2 * CPU_HOUR_MICROUSD,
        from_at=after(10 + HOUR_S),
        worst_total_microusd=worst_s * SECOND_MICROUSD,
        declined=False,
    )
    assert ledger.held(rental.renter_id) == 4 * CPU_HOUR_MICROUSD
    assert not PriceChange.objects.exists()


def test_an_accepted_price_is_set_aside_at_once_and_charged_from_its_moment(
    market: Market, rental: Rental, renter: User
) -> None:
    ask(market, 2)
    for second in (20, 21):
        answer(rental, 2, accept=True, at_s=second)
    # The three seconds before its door was seen cost nothing.
    worst_s = (HOUR_S + 10 - 3) + 2 * (3 * HOUR_S - 10)
    assert ledger.held(renter.pk) == worst_s * SECOND_MICROUSD
    view = queries.view(rental.id, renter.pk, after(30))
    assert view.worst_total_microusd == worst_s * SECOND_MICROUSD
    assert (view.price_hour_microusd, view.pending_price) == (CPU_HOUR_MICROUSD, None)
    late = queries.view(rental.id, renter.pk, after(11 + HOUR_S))
    assert late.price_hour_microusd == late.burn_hour_microusd == 2 * CPU_HOUR_MICROUSD
    # Of a long gap without looks the last 300 s count, half of which are after the change.
    market.look(at=after(10 + HOUR_S - 150))
    market.look(at=after(10 + HOUR_S + 150))
    market.agent.sync(after(HOUR_S + 160))
    age_ms = (HOUR_S + 158) * 1000
    signed = market.agent.count(rental.placement_id, age_ms - 600_000, age_ms)
    told = market.agent.observed(rental.placement_id, ObservedState.RUNNING, run=1, age_ms=age_ms)
    market.agent.sync(after(HOUR_S + 160), placements=[told], intervals=[signed])
    charge_all(now=after(HOUR_S + 160))
    meter = Meter.objects.get()
    assert meter.charged_microusd - (meter.proven_ms // 1000) * SECOND_MICROUSD == (
        150 * SECOND_MICROUSD
    )
    end.end(rental_id=rental.id, renter_id=renter.pk, now=after(HOUR_S + 170))
    market.end(rental, at=after(HOUR_S + 171))
    assert ledger.held(renter.pk) == 0
    assert audit.audit() == []


def test_silence_and_a_no_keep_the_old_price_but_add_no_time(
    market: Market, rental: Rental, renter: User
) -> None:
    asked = extend.Asked(more_s=HOUR_S)
    ask(market, 2)
    for second in (20, 21):
        with pytest.raises(extend.PriceWaits, match=r"\$7\.20"):
            extend.extend(
                rental_id=rental.id,
                renter_id=renter.pk,
                asked=asked,
                idempotency_key="more",
                now=after(second),
            )
        answer(rental, 2, accept=False, at_s=second)
    found = pending(rental)
    assert found is not None
    assert found.declined
    assert ask(market, 2, at_s=30) == (0, 0)
    assert ledger.held(renter.pk) == 4 * CPU_HOUR_MICROUSD
    # A no is not for ever: with a yes it goes on at the new price.
    answer(rental, 2, accept=True, at_s=40)
    worst = Rental.objects.get().worst_total_microusd
    extend.extend(
        rental_id=rental.id,
        renter_id=renter.pk,
        asked=asked,
        idempotency_key="more",
        now=after(50),
    )
    assert Rental.objects.get().worst_total_microusd == worst + 2 * CPU_HOUR_MICROUSD
    assert ledger.held(renter.pk) == worst + 2 * CPU_HOUR_MICROUSD


def test_a_lower_price_holds_at_once_and_takes_a_higher_one_back(
    market: Market, rental: Rental, renter: User
) -> None:
    ask(market, 2)
    assert ask(market, 0.5, at_s=40) == (1, 0)
    assert pending(rental, at_s=41) is None
    assert PriceProposal.objects.get().state == "withdrawn"
    view = queries.view(rental.id, renter.pk, after(41))
    assert view.price_hour_microusd == CPU_HOUR_MICROUSD // 2
    left_s = 4 * HOUR_S - 40
    # The three seconds before its door was seen cost nothing.
    assert view.worst_total_microusd == (40 - 3 + left_s // 2) * SECOND_MICROUSD
    prove(market, rental, from_s=2, until_s=240)
    # From the door at 3 s to the change at 40 s, and from there to the look at 240 s.
    assert Meter.objects.get().charged_microusd == (37 + 200 // 2) * SECOND_MICROUSD
    with pytest.raises(ProposalGone):
        answer(rental, 2, accept=True, at_s=250)


def test_what_the_hold_has_from_a_higher_price_is_not_asked_for_twice(
    market: Market, rental: Rental, renter: User
) -> None:
    ask(market, 0.5, at_s=40)
    ask(market, 1, at_s=50)
    answer(rental, 1, accept=True, at_s=60)
    assert ledger.held(renter.pk) == 4 * CPU_HOUR_MICROUSD


def test_a_yes_without_the_money_or_beyond_the_cap_changes_nothing(
    market: Market, renter: User
) -> None:
    poor = market.rent(renter, lease_s=4 * HOUR_S)
    ask(market, 9)
    with pytest.raises(InsufficientFunds):
        answer(poor, 9, accept=True)
    Rental.objects.update(cap_microusd=5 * CPU_HOUR_MICROUSD)
    with pytest.raises(CapPassed, match="raise the cap first"):
        answer(poor, 9, accept=True)
    assert PriceProposal.objects.get().state == "open"
    assert Meter.objects.get().next_price_at is None
    assert ledger.held(renter.pk) == 4 * CPU_HOUR_MICROUSD


def test_only_what_runs_on_demand_on_the_hosts_own_machine_is_asked(
    market: Market, rental: Rental, renter: User, bob: User
) -> None:
    Rental.objects.update(price_type=PriceType.RESERVED)
    assert ask(market, 2) == (0, 0)
    Rental.objects.update(price_type=PriceType.ON_DEMAND)
    with pytest.raises(OfferUnknown):
        propose_prices(host_id=bob.pk, machine_id=market.machine.id, now=after(10))
    end.end(rental_id=rental.id, renter_id=renter.pk, now=after(12))
    assert ask(market, 2, at_s=13) == (0, 0)


def test_nobody_else_answers(market: Market, rental: Rental, bob: User) -> None:
    ask(market, 2)
    with pytest.raises(queries.RentalUnknown):
        answer_price(
            rental_id=rental.id,
            renter_id=bob.pk,
            price_hour_microusd=2 * CPU_HOUR_MICROUSD,
            accept=True,
            now=after(10) + timedelta(seconds=1),
        )
    assert PriceProposal.objects.get().state == "open"


def test_a_renter_is_told_once_of_each_price_that_waits(market: Market, rental: Rental) -> None:
    ask(market, 2, at_s=10)
    assert [tell_rentals(now=after(at)) for at in (11, 12)] == [1, 0]
    told = Notice.objects.get()
    assert (told.kind, told.user_id) == ("price_asked", rental.renter_id)
    assert told.data["price_hour_microusd"] == str(2 * CPU_HOUR_MICROUSD)
    ask(market, 3, at_s=20)
    answer(rental, 3, accept=False, at_s=21)
    assert tell_rentals(now=after(22)) == 0
