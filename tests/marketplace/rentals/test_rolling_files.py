"""What a rental that is paid an hour ahead keeps: its disk, its place in an auction, its word."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from django.db.models import F

from marketplace.accounts.models import User
from marketplace.domain.funding import KEPT, Funding
from marketplace.domain.upkeep import GB
from marketplace.ledger import audit
from marketplace.ledger import queries as ledger
from marketplace.metering.actions.charge import charge_all
from marketplace.metering.actions.count_storage import count_storage
from marketplace.metering.models import Meter, SideMeter
from marketplace.notices.actions import tell_money
from marketplace.notices.actions.tell_rentals import tell_rentals
from marketplace.notices.models import Notice
from marketplace.offers.actions.set_terms import set_terms
from marketplace.offers.models import Offer
from marketplace.placements.actions.request_stop import request_stop
from marketplace.placements.actions.settle import settle_all
from marketplace.placements.models import Placement
from marketplace.rentals import funds
from marketplace.rentals.actions import start, stop
from marketplace.rentals.actions.renew import renew
from marketplace.rentals.models import Rental
from protocol.agent import ObservedState
from tests.marketplace.rentals.market import CPU_HOUR_MICROUSD, Market, give_key
from tests.marketplace.scene import GIB, HOST_KEY, NOW, after

Give = Callable[..., None]
HOUR = CPU_HOUR_MICROUSD
STEP_H = 2
LEASE_S = 30 * 24 * 3600
#: of a GB and 30 days, and of a GB of traffic
STORAGE, NETWORK = 700_000, 10_000
WEEK = STORAGE * 2 * GIB * 7 // (GB * 30)
TRAFFIC = 10 * NETWORK


@pytest.fixture
def market(charlie: User) -> Market:
    return Market.open(charlie)


@pytest.fixture
def renter(alice: User) -> User:
    give_key(alice)
    return alice


def rolling(market: Market, renter: User, **more: object) -> Rental:
    return market.rent(renter, **{"lease_s": LEASE_S, "funding": Funding.ROLLING} | more)


def charges_storage(market: Market) -> None:
    set_terms(
        host_id=market.machine.host_id,
        machine_id=market.machine.id,
        now=NOW,
        storage_price_microusd=STORAGE,
        network_price_microusd=NETWORK,
    )


def fresh(rental: Rental) -> Rental:
    return Rental.objects.select_related("placement", "meter").get(id=rental.id)


def halt(market: Market, rental: Rental, *, at_s: int) -> None:
    stop.stop(rental_id=rental.id, renter_id=rental.renter_id, now=after(at_s))
    market.halt(rental, at=after(at_s))


def keep(since: datetime, days: int) -> datetime:
    """Let its disk count for so many days, and the passes run now and then; return their end."""
    steps = days * 24 // STEP_H
    for step in range(1, steps + 1):
        now = since + timedelta(hours=step * STEP_H)
        # Of a longer time in which nobody counted only the last minutes count.
        SideMeter.objects.update(stored_until=now, stored_ms=F("stored_ms") + STEP_H * 3_600_000)
        count_storage(now=now)
        renew(now=now)
    return now


def test_its_storage_of_seven_days_and_its_traffic_are_held_beside_the_hour(
    market: Market, renter: User, give: Give
) -> None:
    charges_storage(market)
    give(renter, HOUR + WEEK + TRAFFIC)
    rolling(market, renter)
    assert ledger.held(renter.pk) == HOUR + WEEK + TRAFFIC
    assert ledger.balance(renter.pk) == 0


def test_while_it_is_stopped_its_storage_is_renewed_and_then_paid_for_seven_days(
    market: Market, renter: User, give: Give
) -> None:
    charges_storage(market)
    give(renter, HOUR + WEEK + TRAFFIC + WEEK // 7)
    rental = rolling(market, renter)
    market.run(rental, at=after(0))
    halt(market, rental, at_s=10)
    # But for ten seconds its hour is used.
    Meter.objects.update(proven_ms=3_590_000)
    charge_all(now=after(10))
    now = keep(after(10), 1)
    assert fresh(rental).files_until is None
    assert ledger.balance(renter.pk) < WEEK // 7 // 4
    now = keep(now, 1)
    until = fresh(rental).files_until
    assert until is not None
    assert until <= now + KEPT
    # An hour that was never held takes nothing from it.
    assert SideMeter.objects.get().storage_microusd > WEEK // 7
    keep(now, 7)
    rental = fresh(rental)
    assert (rental.placement.state, rental.placement.reason_code) == ("collecting", "files_over")
    market.end(rental, at=until + timedelta(days=1))
    side = SideMeter.objects.get()
    # All of it could be paid.
    assert side.storage_microusd == side.storage_cost_microusd > WEEK
    assert not audit.audit()


def test_money_for_storage_calls_the_end_off(market: Market, renter: User, give: Give) -> None:
    charges_storage(market)
    give(renter, HOUR + WEEK + TRAFFIC)
    rental = rolling(market, renter)
    market.run(rental, at=after(0))
    halt(market, rental, at_s=10)
    SideMeter.objects.update(stored_ms=14 * 24 * 3_600_000 * HOUR // WEEK)
    renew(now=after(3600))
    assert fresh(rental).files_until == after(3600) + KEPT
    give(renter, 10 * HOUR)
    renew(now=after(3700))
    assert fresh(rental).files_until is None
    assert not audit.audit()


def test_a_disk_that_costs_nothing_is_kept_for_seven_days_of_a_stop(
    market: Market, renter: User, give: Give
) -> None:
    give(renter, HOUR)
    tell_rentals(now=NOW)
    rental = rolling(market, renter)
    market.run(rental, at=after(0))
    halt(market, rental, at_s=10)
    renew(now=after(11))
    assert fresh(rental).files_until == after(11) + KEPT
    tell_rentals(now=after(12))
    start.start(rental_id=rental.id, renter_id=renter.pk, now=after(3600))
    assert funds.funds(fresh(rental)).files_until is None
    market.run(rental, at=after(3601))
    halt(market, rental, at_s=3700)
    renew(now=after(3701))
    over = after(3701) + KEPT
    for ahead in (timedelta(days=3), timedelta(hours=1), timedelta(seconds=1)):
        renew(now=over - ahead)
        tell_rentals(now=over - ahead)
        assert fresh(rental).placement.state == "stopped"
    renew(now=over)
    rental = fresh(rental)
    assert (rental.placement.state, rental.placement.reason_code) == ("collecting", "files_over")
    assert "keeps files for nothing no longer" in rental.placement.reason
    told = Notice.objects.filter(user=renter, kind="rental_unpaid").order_by("id")
    late = [over - ahead for ahead in (timedelta(days=3), timedelta(hours=1))]
    assert [one.at for one in told] == [after(12), *late]
    assert "is stopped: its files are kept until 8 Mar" in told[0].title


def test_who_starts_and_stops_it_unseen_has_a_free_disk_no_longer(
    market: Market, renter: User, give: Give
) -> None:
    give(renter, 10 * HOUR)
    rental = rolling(market, renter)
    market.run(rental, at=after(0))
    halt(market, rental, at_s=10)
    renew(now=after(12))
    until = after(12) + KEPT
    assert fresh(rental).files_until == until
    late = int(timedelta(days=6).total_seconds())
    start.start(rental_id=rental.id, renter_id=renter.pk, now=after(late))
    renew(now=after(late + 1))
    assert funds.funds(fresh(rental)).files_until is None
    stop.stop(rental_id=rental.id, renter_id=renter.pk, now=after(late + 2))
    market.halt(rental, at=after(late + 2))
    renew(now=after(late + 3))
    assert fresh(rental).files_until == until
    renew(now=until)
    assert fresh(rental).placement.reason_code == "files_over"


def test_who_runs_it_again_has_its_free_disk_for_as_long_again(
    market: Market, renter: User, give: Give
) -> None:
    give(renter, 10 * HOUR)
    rental = rolling(market, renter)
    market.run(rental, at=after(0))
    halt(market, rental, at_s=10)
    renew(now=after(12))
    late = int(KEPT.total_seconds())
    start.start(rental_id=rental.id, renter_id=renter.pk, now=after(late))
    told = market.agent.observed(
        rental.placement_id,
        ObservedState.RUNNING,
        run=2,
        age_ms=0,
        ssh_port=20001,
        ssh_host_key=HOST_KEY,
    )
    market.agent.sync(after(late + 1), placements=[told])
    market.see(at=after(late + 2))
    stop.stop(rental_id=rental.id, renter_id=renter.pk, now=after(late + 60))
    renew(now=after(late + 61))
    assert fresh(rental).placement.reason_code == "renter_stopped"
    assert fresh(rental).files_until is None


def test_without_money_no_auction_starts_it_and_it_keeps_its_files(
    market: Market, renter: User, give: Give
) -> None:
    Offer.objects.update(bid_floor_microusd=100_000)
    give(renter, HOUR // 2)
    rental = rolling(market, renter, bid_microusd=HOUR // 2)
    market.run(rental, at=after(0))
    # Outbid; what is left would last for a minute, and then for none.
    request_stop(placement_id=rental.placement_id, reason_code="outbid", reason="-", now=after(60))
    Placement.objects.filter(id=rental.placement_id).update(resume_due_at=after(60))
    market.halt(rental, at=after(60))
    meter = fresh(rental).meter
    meter.proven_ms = 3_540_000
    meter.save(update_fields=["proven_ms"])
    Rental.objects.update(fund_due_at=after(61))
    renew(now=after(61))
    assert fresh(rental).placement.paid_until == after(121)
    Placement.objects.update(resume_due_at=after(62), holds_compute=False)
    settle_all(now=after(122))
    assert fresh(rental).placement.state == "stopped"
    meter.proven_ms = 3_600_000
    meter.save(update_fields=["proven_ms"])
    renew(now=after(123))
    rental = fresh(rental)
    assert (rental.placement.resume_due_at, rental.files_until) == (None, after(123) + KEPT)
    assert rental.placement.reason_code == "balance_out"
    give(renter, HOUR)
    start.start(rental_id=rental.id, renter_id=renter.pk, now=after(200))
    assert fresh(rental).placement.state == "offered"


def test_its_renter_is_told_at_once_and_three_times_before_the_end(
    market: Market, renter: User, give: Give
) -> None:
    give(renter, HOUR)
    tell_rentals(now=NOW)
    rental = rolling(market, renter)
    request_stop(
        placement_id=rental.placement_id, reason_code="balance_out", reason="-", now=after(1)
    )
    Rental.objects.update(files_until=after(1) + KEPT)
    for ahead in (KEPT, timedelta(days=3), timedelta(hours=24), timedelta(hours=1)):
        for second in (0, 30):
            tell_rentals(now=after(1 + second) + KEPT - ahead)
    told = Notice.objects.filter(user=renter).order_by("id")
    assert [one.kind for one in told] == ["rental_unpaid"] * 4
    assert "8 Mar" in told[0].title


def test_a_low_balance_counts_what_rolls_unless_it_reaches_to_the_end(
    market: Market, renter: User, give: Give
) -> None:
    give(renter, 3 * HOUR)
    rental = rolling(market, renter)
    market.run(rental, at=after(0))
    renew(now=after(1))
    assert tell_money.burning() == {renter.pk: (HOUR, HOUR)}
    # Two hours of balance and an hour held.
    assert tell_money.tell_money(now=after(2)) == 1
    assert Notice.objects.get(kind="balance_low").title.endswith("less than 4 hours")
    give(renter, LEASE_S // 3600 * HOUR)
    assert tell_money.burning() == {}
