"""What a machine signed is paid though it comes late, and nothing else counts as delivered."""

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest

from marketplace.accounts.models import User
from marketplace.ledger import audit
from marketplace.ledger import queries as ledger
from marketplace.metering import queries as metering
from marketplace.metering.actions.charge import charge_all
from marketplace.metering.actions.record import INTERVAL_S, INTERVALS_FREE
from marketplace.metering.models import Meter, SignedIntervalRow
from marketplace.placements import queries as placement_queries
from marketplace.placements.models import Placement
from marketplace.rentals.actions import end
from marketplace.rentals.models import Rental
from protocol.agent import ObservedState
from protocol.receipts import GENESIS, SignedInterval, check_chain, digest
from tests.marketplace.rentals.market import CPU_HOUR_MICROUSD, Market, give_key
from tests.marketplace.scene import NOW, after

SECOND_MICROUSD = CPU_HOUR_MICROUSD // 3600


@pytest.fixture
def market(charlie: User) -> Market:
    return Market.open(charlie)


@pytest.fixture
def rental(market: Market, alice: User, give: Callable[..., None]) -> Rental:
    give(alice, 10_000_000)
    give_key(alice)
    rental = market.rent(alice)
    # It begins at second 2, its door is seen at second 3 and again at second 100.
    market.run(rental, at=after(2))
    market.look(at=after(100))
    market.agent.sync(after(100))
    return rental


def signed(market: Market, rental: Rental, *, until_s: int) -> dict[str, Any]:
    """Return the next interval, which the machine signs at that second."""
    chain = market.agent.chain
    from_age_ms = chain[-1].interval.to_age_ms if chain else 0
    return market.agent.count(rental.placement_id, from_age_ms, (until_s - 2) * 1000)


def told(
    market: Market, rental: Rental, state: ObservedState, *, second: int, **more: object
) -> dict[str, object]:
    """Return the rental as the machine reports it at that second."""
    return market.agent.observed(
        rental.placement_id, state, run=1, age_ms=(second - 2) * 1000, **more
    )


def test_what_comes_after_a_bad_end_and_before_gone_is_paid(
    market: Market, rental: Rental, alice: User
) -> None:
    last = signed(market, rental, until_s=100)
    # More was unsent than one sync takes, so the intervals come with the next one.
    failed = told(market, rental, ObservedState.COLLECTING, second=101, problem="start_failed")
    market.agent.sync(after(101), placements=[failed])
    charge_all(now=after(102))
    assert Placement.objects.get().state == "failed"
    assert Meter.objects.get().closed_at is None
    gone = told(market, rental, ObservedState.GONE, second=103, problem="start_failed")
    market.agent.sync(after(103), placements=[gone], intervals=[last])
    charge_all(now=after(104))
    meter = Meter.objects.get()
    assert (meter.charged_ms, meter.closed_at) == (97_000, after(104))
    assert ledger.held(alice.pk) == 0
    assert audit.audit() == []


def test_a_machine_that_never_says_gone_holds_the_money_for_two_minutes(
    market: Market, rental: Rental, alice: User
) -> None:
    failed = told(market, rental, ObservedState.COLLECTING, second=101, problem="start_failed")
    market.agent.sync(after(101), placements=[failed])
    charge_all(now=after(220))
    assert ledger.held(alice.pk) > 0
    charge_all(now=after(221))
    assert ledger.held(alice.pk) == 0


def test_a_rental_that_never_had_a_door_gives_its_hold_back_at_once(
    market: Market, alice: User, give: Callable[..., None]
) -> None:
    give(alice, 10_000_000)
    give_key(alice)
    rental = market.rent(alice)
    failed = market.agent.observed(
        rental.placement_id, ObservedState.COLLECTING, problem="image_unknown"
    )
    market.agent.sync(after(2), placements=[failed])
    charge_all(now=after(3))
    assert ledger.held(alice.pk) == 0


def test_what_comes_after_the_settlement_is_dropped_and_forgotten(
    market: Market, rental: Rental
) -> None:
    last = signed(market, rental, until_s=100)
    gone = told(market, rental, ObservedState.GONE, second=101)
    market.agent.sync(after(101), placements=[gone])
    charge_all(now=after(102))
    market.agent.sync(after(103), placements=[gone], intervals=[last])
    charge_all(now=after(104))
    meter = Meter.objects.get()
    assert (meter.proven_ms, meter.charged_ms) == (0, 0)
    assert SignedIntervalRow.objects.count() == 0
    assert Placement.objects.get().next_sequence == 1
    assert metering.delivered(NOW, after(1000)) == {}
    assert audit.audit() == []


def test_a_number_that_no_time_was_for_moves_nothing_after_the_settlement(
    market: Market, rental: Rental
) -> None:
    gone = told(market, rental, ObservedState.GONE, second=101)
    failed = told(market, rental, ObservedState.COLLECTING, second=101, problem="start_failed")
    market.agent.sync(after(101), placements=[failed])
    charge_all(now=after(500))
    last = signed(market, rental, until_s=100)
    last["interval"] |= {"sequence": (1 << 31) - 1}
    # The reply still names where the chain goes on, which no number beyond the last one could.
    reply = market.agent.sync(after(501), intervals=[last])
    assert [one.next_sequence for one in reply.desired] == [0]
    market.agent.sync(after(502), placements=[gone])


def delivered(start: datetime, end: datetime) -> dict[UUID, tuple[int, int]]:
    found = metering.delivered(start, end)
    return {machine: (done.paid_ms, done.fees_microusd) for machine, done in found.items()}


def test_delivered_is_what_was_charged_for_inside_the_stretch(
    market: Market, rental: Rental, alice: User
) -> None:
    running = told(market, rental, ObservedState.RUNNING, second=50)
    market.agent.sync(
        after(50), placements=[running], intervals=[signed(market, rental, until_s=50)]
    )
    # Proven, and not charged yet.
    assert metering.delivered(NOW, after(1000)) == {}
    charge_all(now=after(51))
    end.end(rental_id=rental.id, renter_id=alice.pk, now=after(90))
    market.agent.sync(after(99))
    gone = told(market, rental, ObservedState.GONE, second=101)
    market.agent.sync(
        after(101), placements=[gone], intervals=[signed(market, rental, until_s=100)]
    )
    machine_id = market.machine.id
    fee = SECOND_MICROUSD // 20
    assert delivered(NOW, after(1000)) == {machine_id: (47_000, 47 * fee)}
    charge_all(now=after(102))
    assert Meter.objects.get().charged_ms == 87_000
    assert delivered(NOW, after(1000)) == {machine_id: (87_000, 87 * fee)}
    (work,) = metering.delivered(NOW, after(1000))[machine_id].work
    newest = SignedIntervalRow.objects.get(sequence=1)
    assert (work.placement_id, work.kind, work.gpus) == (rental.placement_id, "rental", 0)
    assert (work.worked_ms, work.fees_microusd, work.sequence) == (87_000, 87 * fee, 1)
    assert work.interval_sha256 == digest(SignedInterval.model_validate(newest.signed).interval)
    # The second interval alone ends in this stretch.
    assert delivered(after(51), after(1000)) == {machine_id: (40_000, 40 * fee)}
    assert metering.delivered(after(91), after(1000)) == {}


def test_delivered_counts_each_gpu_of_a_machine_that_has_some(
    market: Market, rental: Rental
) -> None:
    Placement.objects.filter(id=rental.placement_id).update(gpu_uuids=["GPU-0", "GPU-1"])
    running = told(market, rental, ObservedState.RUNNING, second=50)
    market.agent.sync(
        after(50), placements=[running], intervals=[signed(market, rental, until_s=50)]
    )
    charge_all(now=after(51))
    assert metering.delivered(NOW, after(60))[market.machine.id].paid_ms == 2 * 47_000


def test_a_refused_interval_takes_no_good_one_with_it(
    market: Market, rental: Rental, caplog: pytest.LogCaptureFixture
) -> None:
    good, bad = signed(market, rental, until_s=50), signed(market, rental, until_s=100)
    bad["signature"] = good["signature"]
    running = told(market, rental, ObservedState.RUNNING, second=100)
    reply = market.agent.sync(after(100), placements=[running], intervals=[bad, good, good])
    assert reply.desired[0].next_sequence == 1
    assert SignedIntervalRow.objects.count() == 1
    assert Meter.objects.get().proven_ms == 47_000
    assert caplog.messages.count("Interval refused") == 1


def test_a_false_copy_of_an_interval_does_not_keep_the_true_one_out(
    market: Market, rental: Rental
) -> None:
    true = signed(market, rental, until_s=50)
    running = told(market, rental, ObservedState.RUNNING, second=50)
    false = {**true, "signature": "0" * 128}
    reply = market.agent.sync(after(50), placements=[running], intervals=[false, true])
    assert reply.desired[0].next_sequence == 1


def test_receipts_come_in_pages(
    market: Market, rental: Rental, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metering, "RECEIPTS_MAX", 2)
    intervals = [signed(market, rental, until_s=until_s) for until_s in (10, 20, 30, 40)]
    market.agent.sync(after(50), intervals=intervals)
    first = metering.receipts(rental.placement_id)
    assert first.next_sequence == 2
    second = metering.receipts(rental.placement_id, first=2)
    assert second.next_sequence is None
    assert check_chain([*first.intervals, *second.intervals]) == 38_000
    assert check_chain(second.intervals, after=first.intervals[-1].interval) == 20_000
    assert metering.receipts(rental.placement_id, first=4).intervals == ()


def test_no_more_intervals_are_kept_than_there_was_time_for(market: Market, rental: Rental) -> None:
    ages = range(300)
    intervals = [market.agent.count(rental.placement_id, age, age + 1) for age in ages]
    market.agent.sync(after(100), intervals=intervals)
    assert SignedIntervalRow.objects.count() == INTERVALS_FREE + 100 // INTERVAL_S
    assert Placement.objects.get().refused_interval is None
    market.agent.sync(after(110), intervals=intervals)
    assert SignedIntervalRow.objects.count() == INTERVALS_FREE + 110 // INTERVAL_S


def test_no_more_time_is_kept_than_has_passed(market: Market, rental: Rental) -> None:
    minutes = [
        market.agent.count(rental.placement_id, n * 60_000, n * 60_000 + 60_000) for n in range(5)
    ]
    market.agent.sync(after(120), intervals=minutes)
    assert (SignedIntervalRow.objects.count(), Meter.objects.get().signed_ms) == (3, 180_000)
    market.agent.sync(after(240), intervals=minutes)
    assert (SignedIntervalRow.objects.count(), Meter.objects.get().signed_ms) == (5, 300_000)


def test_a_clock_of_ours_that_steps_forward_bills_nothing_that_nobody_signed(
    market: Market, rental: Rental
) -> None:
    first = signed(market, rental, until_s=100)
    running = told(market, rental, ObservedState.RUNNING, second=100)
    market.agent.sync(after(100), placements=[running], intervals=[first])
    # Ten seconds go by, and here four hundred do.
    market.look(at=after(499))
    market.agent.sync(after(499))
    second = market.agent.count(rental.placement_id, 98_000, 108_000)
    running["age_ms"] = 108_000
    market.agent.sync(after(500), placements=[running], intervals=[second])
    meter = Meter.objects.get()
    assert (meter.signed_ms, meter.proven_ms) == (108_000, 108_000)
    assert audit.audit() == []


def test_the_machine_learns_which_interval_was_refused_and_how_to_go_on(
    market: Market, rental: Rental
) -> None:
    agent = market.agent
    good, bad = signed(market, rental, until_s=50), signed(market, rental, until_s=60)
    bad["signature"] = good["signature"]
    before = placement_queries.revision(market.machine.id)
    for _ in range(2):
        (wanted,) = agent.sync(after(60), intervals=[good, bad]).desired
        assert wanted.refused is not None
        assert wanted.refused.signature == bad["signature"]
        assert wanted.refused.previous == digest(agent.chain[0].interval)
    # Told at once, and once.
    assert placement_queries.revision(market.machine.id) == before + 1
    del agent.chain[1]
    running = told(market, rental, ObservedState.RUNNING, second=100)
    renewed = agent.count(rental.placement_id, 60_000, 98_000)
    (wanted,) = agent.sync(after(100), placements=[running], intervals=[renewed]).desired
    assert (wanted.refused, wanted.next_sequence) == (None, 2)


def test_the_first_interval_of_all_may_be_refused_too(market: Market, rental: Rental) -> None:
    bad = signed(market, rental, until_s=50) | {"signature": "0" * 128}
    (wanted,) = market.agent.sync(after(60), intervals=[bad]).desired
    assert wanted.refused is not None
    assert (wanted.refused.previous, wanted.next_sequence) == (GENESIS, 0)
