"""A rental's life by signed syncs: what runs, what is charged, what comes back."""

from collections.abc import Callable

import pytest

from marketplace.accounts.models import User
from marketplace.domain.problem import Refused
from marketplace.domain.rental import RentalState
from marketplace.ledger import audit
from marketplace.ledger import queries as ledger
from marketplace.metering import queries as metering
from marketplace.metering.actions.charge import charge_all
from marketplace.metering.models import Meter, SignedIntervalRow
from marketplace.offers.models import Offer
from marketplace.rentals import queries
from marketplace.rentals.actions import end, expire, extend, forget
from marketplace.rentals.filters import Group, in_state
from protocol.agent import ObservedState, Want
from protocol.receipts import check_chain
from tests.marketplace.broken import break_row
from tests.marketplace.rentals.market import CPU_HOUR_MICROUSD, Market, give_key
from tests.marketplace.scene import NOW, after

SECOND_MICROUSD = CPU_HOUR_MICROUSD // 3600


@pytest.fixture
def market(charlie: User) -> Market:
    return Market.open(charlie)


@pytest.fixture
def renter(alice: User, give: Callable[..., None]) -> User:
    give(alice, 10_000_000)
    give_key(alice)
    return alice


def test_seconds_from_the_door_to_the_stop_are_charged(
    market: Market, renter: User, charlie: User
) -> None:
    rental = market.rent(renter)
    market.run(rental, at=after(2))
    agent, placement_id = market.agent, rental.placement_id
    agent.sync(after(12))
    running = agent.observed(placement_id, ObservedState.RUNNING, run=1, age_ms=10_000)
    first = agent.count(placement_id, 0, 10_000)
    market.look(at=after(12))
    reply = agent.sync(after(12), placements=[running], intervals=[first])
    assert reply.desired[0].next_sequence == 1
    charge_all(now=after(12))
    # The door was seen at 3 s, the interval ended at 12 s.
    assert Meter.objects.get().charged_microusd == 9 * SECOND_MICROUSD

    end.end(rental_id=rental.id, renter_id=renter.pk, now=after(15))
    assert agent.sync(after(15)).desired[0].want == Want.END
    agent.sync(after(16))
    last = agent.count(placement_id, 10_000, 14_000)
    gone = agent.observed(placement_id, ObservedState.GONE, run=1, age_ms=14_500)
    reply = agent.sync(after(16.5), placements=[gone], intervals=[last])
    assert reply.desired == ()
    # Its last seconds are not charged yet, so nobody is told a final cost.
    assert queries.view(rental.id, renter.pk, after(16.5)).state == RentalState.ENDING
    (live,) = queries.views(renter.pk, wanted=in_state(Group.LIVE), now=NOW).items
    assert (live.id, live.ended_at) == (rental.id, None)
    with pytest.raises(Refused) as unsettled:
        forget.forget(rental_id=rental.id, renter_id=renter.pk, now=after(16.5))
    assert unsettled.value.code == "rental_live"
    charge_all(now=after(17))

    view = queries.view(rental.id, renter.pk, after(17))
    assert (view.state, view.ended_at) == (RentalState.ENDED, after(16.5))
    # 3 s to 15 s; what ran after the stop request is free.
    assert (view.billed_ms, view.cost_microusd) == (12_000, 12 * SECOND_MICROUSD)
    assert ledger.statement(renter.pk)[0].note == "debian:12 at $3.60 an hour"
    assert ledger.held(renter.pk) == 0
    assert ledger.balance(renter.pk) == 10_000_000 - 12 * SECOND_MICROUSD
    assert ledger.earned(charlie.pk) == 12 * SECOND_MICROUSD * 95 // 100
    assert check_chain(metering.receipts(placement_id).intervals) == 14_000
    assert audit.audit() == []


def test_the_same_interval_twice_counts_once(market: Market, renter: User) -> None:
    rental = market.rent(renter)
    market.run(rental, at=after(2))
    market.look(at=after(12))
    market.agent.sync(after(12))
    running = market.agent.observed(
        rental.placement_id, ObservedState.RUNNING, run=1, age_ms=10_000
    )
    signed = market.agent.count(rental.placement_id, 0, 10_000)
    for _ in range(3):
        market.agent.sync(after(12), placements=[running], intervals=[signed, signed])
        charge_all(now=after(12))
    assert SignedIntervalRow.objects.count() == 1
    assert Meter.objects.get().charged_ms == 9_000


def test_a_tampered_interval_is_not_stored(market: Market, renter: User) -> None:
    rental = market.rent(renter)
    market.run(rental, at=after(2))
    signed = market.agent.count(rental.placement_id, 0, 10_000)
    signed["interval"]["to_age_ms"] = 600_000
    reply = market.agent.sync(after(12), intervals=[signed])
    assert reply.desired[0].next_sequence == 0
    assert not SignedIntervalRow.objects.exists()


def test_a_machine_cannot_bill_time_that_has_not_passed(market: Market, renter: User) -> None:
    rental = market.rent(renter)
    market.run(rental, at=after(2))
    market.look(at=after(12))
    market.agent.sync(after(12))
    # It claims a minute of age after 10 s.
    lie = market.agent.observed(rental.placement_id, ObservedState.RUNNING, run=1, age_ms=60_000)
    signed = market.agent.count(rental.placement_id, 0, 60_000)
    market.agent.sync(after(12), placements=[lie], intervals=[signed])
    charge_all(now=after(12))
    assert Meter.objects.get().charged_ms == 9_000


def test_a_failure_to_start_charges_nothing_and_says_why(market: Market, renter: User) -> None:
    rental = market.rent(renter, image="nobody/nothing")
    told = market.agent.observed(rental.placement_id, ObservedState.GONE, problem="image_unknown")
    market.agent.sync(after(2), placements=[told])
    charge_all(now=after(3))
    view = queries.view(rental.id, renter.pk, after(3))
    assert view.state == RentalState.FAILED
    assert "image_unknown" in view.reason
    assert ledger.balance(renter.pk) == 10_000_000
    assert audit.audit() == []


def test_the_lease_ends_by_itself(market: Market, renter: User) -> None:
    rental = market.rent(renter, lease_s=60)
    market.run(rental, at=after(2))
    assert expire.expire(now=after(59)) == 0
    assert expire.expire(now=after(60)) == 1
    assert expire.expire(now=after(60)) == 0
    assert market.agent.sync(after(60)).desired[0].want == Want.END
    market.end(rental, at=after(62))
    assert queries.view(rental.id, renter.pk, after(62)).state == RentalState.ENDED
    assert ledger.held(renter.pk) == 0


@pytest.mark.parametrize(
    ("lease_s", "cap", "longest_s", "code", "sentence"),
    [
        (60, None, 600, "lease_ended", "Its lease ended."),
        (60, 60 * SECOND_MICROUSD, 600, "lease_ended", "Its lease ended."),
        (600, 60 * SECOND_MICROUSD, 600, "cap_reached", "Its dollar cap was reached."),
        (None, 60 * SECOND_MICROUSD, 600, "cap_reached", "Its dollar cap was reached."),
        (None, 90 * SECOND_MICROUSD, 60, "term_ended", "The host's longest term is over."),
    ],
)
def test_the_reason_names_the_limit_that_ended_it(
    market: Market,
    renter: User,
    lease_s: int | None,
    cap: int | None,
    longest_s: int,
    code: str,
    sentence: str,
) -> None:
    Offer.objects.update(longest_term_s=longest_s)
    rental = market.rent(renter, lease_s=lease_s, cap_microusd=cap)
    market.run(rental, at=after(2))
    assert expire.expire(now=after(60)) == 1
    rental.placement.refresh_from_db()
    assert (rental.placement.reason_code, rental.placement.reason) == (code, sentence)


def test_a_rental_that_cannot_be_ended_keeps_no_other_running(
    market: Market, renter: User, caplog: pytest.LogCaptureFixture
) -> None:
    broken, sound = market.rent(renter, lease_s=60), market.rent(renter, lease_s=61)
    for rental in (broken, sound):
        market.run(rental, at=after(2))
    break_row(broken.placement)
    assert expire.expire(now=after(100)) == 1
    sound.placement.refresh_from_db()
    assert sound.placement.stop_requested_at == after(100)
    assert "Rental not expired" in caplog.text


def test_bob_cannot_see_stop_or_extend_what_is_alices(
    market: Market, renter: User, bob: User
) -> None:
    rental = market.rent(renter)
    for act in (
        lambda: queries.view(rental.id, bob.pk, NOW),
        lambda: end.end(rental_id=rental.id, renter_id=bob.pk, now=NOW),
        lambda: forget.forget(rental_id=rental.id, renter_id=bob.pk, now=NOW),
        lambda: extend.extend(
            rental_id=rental.id,
            renter_id=bob.pk,
            asked=extend.Asked(lease_s=7200),
            idempotency_key="k",
            now=NOW,
        ),
    ):
        with pytest.raises(Refused) as refused:
            act()
        assert refused.value.code == "not_found"
    assert queries.views(bob.pk, now=NOW).items == ()
    assert len(queries.views(renter.pk, wanted=in_state(Group.LIVE), now=NOW).items) == 1


def test_only_an_ended_rental_is_forgotten(market: Market, renter: User) -> None:
    rental = market.rent(renter)
    with pytest.raises(Refused) as live:
        forget.forget(rental_id=rental.id, renter_id=renter.pk, now=NOW)
    assert live.value.code == "rental_live"
    end.end(rental_id=rental.id, renter_id=renter.pk, now=after(1))
    market.end(rental, at=after(3))
    forget.forget(rental_id=rental.id, renter_id=renter.pk, now=after(4))
    assert queries.views(renter.pk, now=NOW).items == ()


def test_what_an_old_nonce_leaves_open_the_next_interval_proves(
    market: Market, renter: User
) -> None:
    rental = market.rent(renter)
    market.run(rental, at=after(2))
    placement_id = rental.placement_id
    market.look(at=after(12))
    # The held-open call gave its nonce at 2 s; the interval closes at 12 s without a newer one.
    told = market.agent.observed(placement_id, ObservedState.RUNNING, run=1, age_ms=10_000)
    market.agent.sync(
        after(12), placements=[told], intervals=[market.agent.count(placement_id, 0, 10_000)]
    )
    charge_all(now=after(12))
    assert Meter.objects.get().charged_ms == 0
    told = market.agent.observed(placement_id, ObservedState.RUNNING, run=1, age_ms=20_000)
    market.agent.sync(
        after(22), placements=[told], intervals=[market.agent.count(placement_id, 10_000, 20_000)]
    )
    charge_all(now=after(22))
    assert Meter.objects.get().charged_ms == 9_000


def test_a_gap_in_the_chain_is_not_charged(market: Market, renter: User) -> None:
    rental = market.rent(renter)
    market.run(rental, at=after(2))
    placement_id = rental.placement_id
    market.agent.sync(after(12))
    market.look(at=after(22))
    told = market.agent.observed(placement_id, ObservedState.RUNNING, run=1, age_ms=20_000)
    intervals = [
        market.agent.count(placement_id, 0, 5_000),
        market.agent.count(placement_id, 9_000, 20_000),
    ]
    market.agent.sync(after(22), placements=[told], intervals=intervals)
    charge_all(now=after(22))
    # 3 s to 7 s and 11 s to the nonce of 12 s.
    assert Meter.objects.get().charged_ms == 4_000 + 1_000


def test_a_machine_that_says_it_ended_is_paid_up_to_then(market: Market, renter: User) -> None:
    rental = market.rent(renter)
    market.run(rental, at=after(2))
    agent, placement_id = market.agent, rental.placement_id
    market.look(at=after(12))
    agent.sync(after(12), placements=[agent.observed(placement_id, ObservedState.COLLECTING)])
    # The machine ended it first, so the renter's wish moves nothing; it must not go on costing.
    end.end(rental_id=rental.id, renter_id=renter.pk, now=after(13))
    agent.sync(after(100))
    lie = agent.observed(placement_id, ObservedState.COLLECTING, run=1, age_ms=98_000)
    agent.sync(after(100), placements=[lie], intervals=[agent.count(placement_id, 0, 98_000)])
    charge_all(now=after(100))
    assert Meter.objects.get().charged_ms == 9_000


@pytest.mark.parametrize("rows_max", [1, 2, 3, 4])
def test_pages_of_rentals_are_all_of_them_once(
    market: Market, renter: User, bob: User, rows_max: int
) -> None:
    # Two of them at the same moment.
    rentals = [market.rent(renter, lease_s=60, now=after(n // 2)) for n in range(4)]
    page = queries.views(renter.pk, now=NOW, rows_max=rows_max)
    seen = [view.id for view in page.items]
    while page.next_id is not None:
        with pytest.raises(queries.RentalUnknown):
            queries.views(bob.pk, now=NOW, after=page.next_id)
        page = queries.views(renter.pk, now=NOW, after=page.next_id, rows_max=rows_max)
        assert page.items
        seen += [view.id for view in page.items]
    assert len(seen) == 4
    assert set(seen) == {rental.id for rental in rentals}
    assert set(seen[:2]) == {rental.id for rental in rentals[2:]}
