"""A host that shuts its renter's door is not paid for what it goes on signing."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from random import Random

import pytest

from marketplace.accounts.models import User
from marketplace.domain.problem import Refused
from marketplace.ledger import audit
from marketplace.ledger import queries as ledger
from marketplace.metering.actions.charge import charge_all
from marketplace.metering.models import Meter, SignedIntervalRow
from marketplace.placements.actions.drain import MAINTENANCE
from marketplace.placements.actions.look_again import look_again
from marketplace.placements.actions.observe import observe
from marketplace.placements.actions.prove_reachable import prove_reachable
from marketplace.placements.actions.request_end import request_end
from marketplace.placements.models import Placement, PlacementEvent
from marketplace.rentals.actions import end, start, stop
from marketplace.rentals.doors import DOORS_LOST_MAX, DoorsLostMany, check_doors
from marketplace.rentals.models import Rental
from protocol.agent import ObservedState
from tests.marketplace.rentals.market import CPU_HOUR_MICROUSD, Market, Outside, give_key
from tests.marketplace.scene import HOST_KEY, after, machine, placement, seen, user

SECOND_MICROUSD = CPU_HOUR_MICROUSD // 3600


@pytest.fixture
def market(charlie: User) -> Market:
    return Market.open(charlie)


@pytest.fixture
def rental(market: Market, alice: User, give: Callable[..., None]) -> Rental:
    give(alice, 10_000_000)
    give_key(alice)
    rental = market.rent(alice)
    # It begins at second 0 and its door is seen at second 1.
    market.run(rental, at=after(0))
    return rental


def sign(market: Market, rental: Rental, *, second: int) -> None:
    """Have the machine sign everything up to now, as running."""
    agent, placement_id = market.agent, rental.placement_id
    agent.sync(after(second))
    signed_until_ms = agent.chain[-1].interval.to_age_ms if agent.chain else 0
    told = agent.observed(placement_id, ObservedState.RUNNING, run=1, age_ms=second * 1000)
    ends = [*range(signed_until_ms + 600_000, second * 1000, 600_000), second * 1000]
    starts = [signed_until_ms, *ends[:-1]]
    intervals = [agent.count(placement_id, *ages) for ages in zip(starts, ends, strict=True)]
    agent.sync(after(second), placements=[told], intervals=intervals)
    charge_all(now=after(second))


def charged_s() -> float:
    return Meter.objects.get().charged_ms / 1000


def test_nothing_is_charged_beyond_the_newest_look(market: Market, rental: Rental) -> None:
    sign(market, rental, second=50)
    assert charged_s() == 0
    market.look(at=after(60))
    sign(market, rental, second=100)
    assert charged_s() == 59


def test_a_shut_door_earns_nothing_and_stops_the_placement(
    market: Market, rental: Rental, alice: User
) -> None:
    market.look(at=after(60))
    for second in range(70, 490, 60):
        sign(market, rental, second=second)
        market.look(at=after(second + 10), opens=False)
    rental.placement.refresh_from_db()
    assert (rental.placement.state, rental.placement.blame) == ("stopping", "")
    assert rental.placement.reason_code == "door_lost"
    assert rental.placement.stop_requested_at == after(60 + 6 * 60 + 20 - 60)
    charge_all(now=after(500))
    assert charged_s() == 59
    end.end(rental_id=rental.id, renter_id=alice.pk, now=after(510))
    market.end(rental, at=after(511))
    charge_all(now=after(520))
    assert charged_s() == 59
    assert ledger.held(alice.pk) == 0
    assert ledger.balance(alice.pk) == 10_000_000 - 59 * SECOND_MICROUSD
    assert audit.audit() == []


def test_the_last_seconds_before_a_stop_count_after_a_good_look(
    market: Market, rental: Rental, alice: User
) -> None:
    market.look(at=after(60))
    sign(market, rental, second=70)
    end.end(rental_id=rental.id, renter_id=alice.pk, now=after(90))
    sign(market, rental, second=95)
    assert charged_s() == 89


def test_the_last_seconds_before_a_stop_do_not_count_after_a_miss(
    market: Market, rental: Rental, alice: User
) -> None:
    market.look(at=after(60))
    market.look(at=after(80), opens=False)
    end.end(rental_id=rental.id, renter_id=alice.pk, now=after(90))
    sign(market, rental, second=95)
    assert charged_s() == 59


def test_of_an_hour_that_nobody_looked_the_last_minutes_count(
    market: Market, rental: Rental
) -> None:
    sign(market, rental, second=600)
    sign(market, rental, second=3000)
    assert charged_s() == 0
    market.look(at=after(3010))
    sign(market, rental, second=3020)
    assert charged_s() == 300


def test_a_renter_who_opens_to_one_look_in_six_has_some_minutes_for_nothing(
    market: Market, rental: Rental
) -> None:
    for number in range(1, 50):
        sign(market, rental, second=60 * number)
        market.look(at=after(60 * number + 1), opens=number % 6 == 0)
    rental.placement.refresh_from_db()
    assert (rental.placement.state, rental.placement.reason_code) == ("stopping", "door_lost")
    assert rental.placement.stop_requested_at == after(7 * 60 + 1)


def test_a_host_whose_other_account_owns_the_doors_we_ask_earns_nothing_behind_a_shut_one(
    market: Market, rental: Rental
) -> None:
    on = machine(host=user("sybil@example.org"))
    other = placement(on)
    told = seen(other.id, ObservedState.RUNNING, ssh_port=20001, ssh_host_key=HOST_KEY)
    observe(machine_id=on.id, observed=[told], now=after(1))
    prove_reachable(now=after(2), probe=Outside())
    market.look(at=after(60))
    for second in range(120, 3480, 60):
        sign(market, rental, second=second)
        due = Placement.objects.filter(id=rental.placement_id)
        due.update(look_due_at=after(second + 1))
        Placement.objects.filter(id=other.id).update(look_due_at=after(10_000))
        look_again(
            now=after(second + 1), probe=Outside(opens=second % 300 == 0), chance=Random(second)
        )
    rental.placement.refresh_from_db()
    assert rental.placement.state == "running"
    assert charged_s() == 59


@pytest.mark.parametrize("together", [False, True])
def test_a_renter_who_restarts_all_the_time_pays_for_what_runs(
    market: Market,
    rental: Rental,
    alice: User,
    together: bool,
) -> None:
    agent, placement_id = market.agent, rental.placement_id
    # Each run lasts 20 s, the next one begins 2 s later; the door is looked at every minute.
    for run in range(1, 40):
        began = 22 * (run - 1)
        for age in (10, 20):
            second = began + age
            if second // 60 > (second - 12) // 60:
                market.look(at=after(second // 60 * 60))
            agent.sync(after(second))
            ended = together and age == 20
            told = agent.observed(
                placement_id,
                ObservedState.RUNNING,
                run=run + 1 if ended else run,
                age_ms=0 if ended else age * 1000,
            )
            counted = agent.count(placement_id, (age - 10) * 1000, age * 1000, run=run)
            agent.sync(after(second), placements=[told], intervals=[counted])
    charge_all(now=after(860))
    # 39 runs of 20 s but for the first second, and what lies behind the newest look.
    assert 700 <= charged_s() <= 39 * 20
    rows = list(
        SignedIntervalRow.objects.exclude(billable_from=None)
        .order_by("sequence")
        .values_list("billable_from", "billable_to")
    )
    assert all(former[1] <= later[0] for former, later in pairwise(rows))
    assert Meter.objects.get().waiting != []


def test_after_a_stop_each_run_that_waited_is_paid_that_an_interval_is_left_for(
    market: Market, rental: Rental, alice: User
) -> None:
    agent, placement_id = market.agent, rental.placement_id
    for run, began in ((1, 0), (2, 30)):
        agent.sync(after(began + 20))
        told = agent.observed(placement_id, ObservedState.RUNNING, run=run, age_ms=20_000)
        counted = agent.count(placement_id, 0, 20_000, run=run)
        agent.sync(after(began + 20), placements=[told], intervals=[counted])
    market.look(at=after(82))
    agent.sync(after(83))
    stop.stop(rental_id=rental.id, renter_id=alice.pk, now=after(84))
    # The third run, from 60 to 80, comes in three intervals.
    told = agent.observed(placement_id, ObservedState.RUNNING, run=3, age_ms=25_000)
    ages = ((0, 5_000), (5_000, 10_000), (10_000, 20_000))
    counted_last = [agent.count(placement_id, *each, run=3) for each in ages]
    agent.sync(after(85), placements=[told], intervals=counted_last)
    charge_all(now=after(86))
    # All three, but for the first second of the first: its door was seen at second 1.
    assert charged_s() == 59


def test_what_ran_before_a_miss_is_proven_by_no_later_look(market: Market, rental: Rental) -> None:
    agent, placement_id = market.agent, rental.placement_id
    for run, began in ((1, 0), (2, 30)):
        agent.sync(after(began + 20))
        told = agent.observed(placement_id, ObservedState.RUNNING, run=run, age_ms=20_000)
        counted = agent.count(placement_id, 0, 20_000, run=run)
        agent.sync(after(began + 20), placements=[told], intervals=[counted])
    assert len(Meter.objects.get().waiting) == 1
    market.look(at=after(60), opens=False)
    market.look(at=after(70))
    agent.sync(after(80))
    told = agent.observed(placement_id, ObservedState.RUNNING, run=2, age_ms=50_000)
    counted = agent.count(placement_id, 20_000, 50_000, run=2)
    agent.sync(after(80), placements=[told], intervals=[counted])
    charge_all(now=after(81))
    assert charged_s() == 0
    assert Meter.objects.get().waiting == []


def test_the_end_of_the_paid_time_counts_like_a_stop(market: Market, rental: Rental) -> None:
    for second in range(260, 3561, 300):
        market.look(at=after(second))
    sign(market, rental, second=3601)
    assert charged_s() == 3599


def test_a_machine_that_ends_it_by_itself_is_paid_up_to_the_newest_look(
    market: Market, rental: Rental
) -> None:
    market.look(at=after(60))
    agent = market.agent
    agent.sync(after(100))
    told = agent.observed(rental.placement_id, ObservedState.GONE, run=1, age_ms=100_000)
    interval = agent.count(rental.placement_id, 0, 100_000)
    agent.sync(after(100), placements=[told], intervals=[interval])
    charge_all(now=after(101))
    assert charged_s() == 59


@pytest.mark.parametrize(("seconds", "runs"), [(290, 5), (59, 26), (61, 5)])
def test_a_renter_who_stops_before_the_door_is_late_computes_no_longer_for_nothing(
    market: Market, rental: Rental, alice: User, seconds: int, runs: int
) -> None:
    second = run_unseen(market, rental, alice, [0, *[seconds] * runs])
    with pytest.raises(DoorsLostMany):
        start.start(rental_id=rental.id, renter_id=alice.pk, now=after(second))
    with pytest.raises(DoorsLostMany):
        market.rent(alice, now=after(second))


def run_unseen(
    market: Market, rental: Rental, alice: User, runs: Sequence[int], *, opens: bool = False
) -> float:
    """Have it run for so long each time and be stopped; ``opens``: its door just before."""
    second = 1.0
    for number, seconds in enumerate(runs):
        if number:
            start.start(rental_id=rental.id, renter_id=alice.pk, now=after(second))
            again = market.agent.observed(
                rental.placement_id,
                ObservedState.RUNNING,
                run=1,
                ssh_port=20001,
                ssh_host_key=HOST_KEY,
            )
            market.agent.sync(after(second + 1), placements=[again])
            second += 1 + seconds
        market.agent.sync(after(second))
        if opens:
            market.see(at=after(second))
        stop.stop(rental_id=rental.id, renter_id=alice.pk, now=after(second))
        market.halt(rental, at=after(second + 1))
        second += 2
    return second


def test_opening_the_door_just_before_the_stop_makes_the_time_before_no_cheaper(
    market: Market, rental: Rental, alice: User
) -> None:
    second = run_unseen(market, rental, alice, [0, *[290] * 6], opens=True)
    with pytest.raises(DoorsLostMany):
        start.start(rental_id=rental.id, renter_id=alice.pk, now=after(second))
    # Once it has paid for four times as long, its slow starts are its own affair.
    Meter.objects.update(proven_ms=4 * 6 * 290_000)
    start.start(rental_id=rental.id, renter_id=alice.pk, now=after(second))


@pytest.mark.parametrize("doing", ["machine_away", "maintenance", "machine_ends_it"])
def test_what_a_host_did_counts_against_no_renter(
    market: Market, rental: Rental, alice: User, doing: str
) -> None:
    # Six runs of 200 s behind a door that nobody saw.
    for number in range(6):
        began = 10 + 300 * number
        one = market.rent(alice, now=after(began), idempotency_key=f"run-{number}")
        told = market.agent.observed(one.placement_id, ObservedState.RUNNING, run=1)
        market.agent.sync(after(began), placements=[told])
        ends = after(began + 200)
        if doing == "machine_ends_it":
            market.end(one, at=ends)
        else:
            code = "renter_ended" if doing == "machine_away" else MAINTENANCE[0]
            if doing == "maintenance":
                market.agent.sync(ends)
            request_end(placement_id=one.placement_id, reason_code=code, reason="", now=ends)
        market.end(one, at=ends)
    assert not PlacementEvent.objects.filter(unseen_s__gt=1).exists()
    check_doors(alice.pk, after(1800))


def test_a_start_forgets_no_miss(market: Market, rental: Rental, alice: User) -> None:
    market.look(at=after(60), opens=False)
    stop.stop(rental_id=rental.id, renter_id=alice.pk, now=after(70))
    market.halt(rental, at=after(71))
    start.start(rental_id=rental.id, renter_id=alice.pk, now=after(72))
    market.run(rental, at=after(73))
    market.look(at=after(75))
    rental.placement.refresh_from_db()
    assert rental.placement.door is not None
    # And the look that came so soon pushed nothing on.
    assert (rental.placement.door.misses, rental.placement.door_looks) == (1, 1)


def test_a_renter_who_lost_many_doors_within_a_day_is_refused_for_a_while(
    market: Market, rental: Rental, alice: User
) -> None:
    first = rental.placement
    request_end(placement_id=first.id, reason_code="renter", reason="", now=after(1))
    market.end(rental, at=after(2))
    for number in range(DOORS_LOST_MAX):
        lost = market.rent(alice, now=after(10), lease_s=60, idempotency_key=f"lost-{number}")
        request_end(
            placement_id=lost.placement_id, reason_code="door_lost", reason="", now=after(11)
        )
        market.end(lost, at=after(12))
    with pytest.raises(DoorsLostMany):
        market.rent(alice, now=after(13))
    # The offer itself is gone by then, as its machine was not heard from since.
    with pytest.raises(Refused) as refused:
        market.rent(alice, now=after(12 + 86_400))
    assert refused.value.code != DoorsLostMany.code
