"""Bids of renters: what is paid, held and won, through changes, notices, stops and starts."""

from collections.abc import Callable
from datetime import datetime

import pytest

from marketplace.accounts.models import SshKey, User
from marketplace.domain.problem import Refused
from marketplace.ledger import audit
from marketplace.ledger import queries as ledger
from marketplace.metering.actions.charge import charge_all
from marketplace.notices.actions.tell_outbid import tell_outbid
from marketplace.notices.actions.tell_rentals import tell_rentals
from marketplace.notices.models import Notice
from marketplace.offers.models import Offer
from marketplace.placements.actions.settle import settle_all
from marketplace.placements.models import Placement, PlacementEvent
from marketplace.rentals import queries
from marketplace.rentals.actions import bid, end, expire, start, stop
from marketplace.rentals.actions.count_proof import count_proofs
from marketplace.rentals.actions.hold_back import hold_back
from marketplace.rentals.doors import DOORS_LOST_MAX
from marketplace.rentals.models import Rental
from marketplace.rentals.rental_view import RentalView
from protocol.agent import ObservedState
from protocol.hardware import Resources
from tests.marketplace import scene
from tests.marketplace.rentals.market import Market, give_key
from tests.marketplace.rentals.proving import LISTED, deliver, measure, passed, read
from tests.marketplace.scene import NOW, after

Give = Callable[..., None]
RUNNING = ObservedState.RUNNING
#: in micro-USD an hour: the offer's price for all four CPUs, a bid a quarter of it, and a half
PRICE, LOW, HIGH = 14_400_000, 3_600_000, 7_200_000
WHOLE = Resources.of(cpus=4, ram_bytes=scene.GIB, disk_bytes=2 * scene.GIB)


@pytest.fixture
def market(charlie: User) -> Market:
    market = Market.open(charlie)
    Offer.objects.update(bid_floor_microusd=100_000)
    return market


@pytest.fixture
def renter(alice: User, give: Give) -> User:
    give(alice, 20_000_000)
    give_key(alice)
    return alice


@pytest.fixture
def other(bob: User, give: Give) -> User:
    give(bob, 20_000_000)
    SshKey.objects.create(
        user=bob, name="b", public_key="ssh-ed25519 AAAAC3Nz b", fingerprint="b", created_at=NOW
    )
    return bob


def bidding(market: Market, renter: User, price: int, *, at: float = 0, **more: object) -> Rental:
    """Return a rental of the whole machine that bids so much."""
    more.setdefault("resources", WHOLE)
    return market.rent(renter, bid_microusd=price, now=after(at), **more)


def change(rental: Rental, price: int, *, at: float) -> None:
    bid.bid(rental_id=rental.id, renter_id=rental.renter_id, bid_microusd=price, now=after(at))


def seen(rental: Rental, now: datetime) -> RentalView:
    return queries.view(rental.id, rental.renter_id, now)


def code_of(call: Callable[[], object]) -> str:
    with pytest.raises(Refused) as refused:
        call()
    return refused.value.code


def test_the_bid_is_paid_and_a_change_counts_for_what_comes_after_it(
    market: Market, renter: User
) -> None:
    rental = bidding(market, renter, LOW)
    market.run(rental, at=after(0), door_after_s=0)
    assert ledger.held(renter.pk) == LOW
    for minute in range(10):
        if minute == 5:
            change(rental, HIGH, at=300)
        end_ms = (minute + 1) * 60_000
        now = after(end_ms / 1000)
        market.agent.sync(now)
        told = market.agent.observed(rental.placement_id, RUNNING, run=1, age_ms=end_ms)
        counted = market.agent.count(rental.placement_id, end_ms - 60_000, end_ms)
        market.look(at=now)
        market.agent.sync(now, placements=[told], intervals=[counted])
    market.look(at=after(661))
    end.end(rental_id=rental.id, renter_id=renter.pk, now=after(600))
    market.end(rental, at=after(662))
    rental.meter.refresh_from_db()
    # 300 s at $3.60 an hour and 300 s at $7.20 an hour.
    assert rental.meter.charged_microusd == 300_000 + 600_000
    assert ledger.held(renter.pk) == 0
    assert not audit.audit()


def test_a_higher_bid_is_held_at_once_or_refused(market: Market, renter: User) -> None:
    rental = bidding(market, renter, LOW)
    market.run(rental, at=after(0), door_after_s=0)
    change(rental, HIGH, at=900)
    rental.refresh_from_db()
    # A quarter of an hour that may still be proven, and three quarters of what comes.
    worst = LOW // 4 + HIGH * 3 // 4
    assert rental.worst_total_microusd == worst == ledger.held(renter.pk)
    change(rental, LOW, at=900)
    change(rental, HIGH, at=900)
    assert ledger.held(renter.pk) == worst
    assert not audit.audit()


def test_a_bid_that_the_wallet_cannot_hold_changes_nothing(
    market: Market, alice: User, give: Give
) -> None:
    give(alice, LOW)
    give_key(alice)
    rental = bidding(market, alice, LOW)
    assert code_of(lambda: change(rental, HIGH, at=10)) == "insufficient_funds"
    view = seen(rental, after(10))
    assert (view.bid_microusd, view.price_hour_microusd) == (LOW, LOW)
    assert not rental.meter.price_changes.exists()


def test_a_dollar_cap_holds_whatever_is_bid(market: Market, renter: User) -> None:
    rental = bidding(market, renter, LOW, lease_s=None, cap_microusd=LOW)
    market.run(rental, at=after(0), door_after_s=0)
    assert code_of(lambda: change(rental, HIGH, at=1800)) == "cap_passed"
    assert seen(rental, after(1800)).bid_microusd == LOW
    change(rental, LOW // 2, at=1800)
    view = seen(rental, after(1800))
    assert (view.ends_at, view.worst_total_microusd) == (after(3600), LOW * 3 // 4)
    change(rental, LOW, at=1800)
    assert seen(rental, after(1800)).worst_total_microusd == LOW == ledger.held(renter.pk)
    assert not audit.audit()


@pytest.mark.parametrize(
    ("price", "code"), [(1, "bid_below_floor"), (PRICE * 9, "")], ids=["floor", "most"]
)
def test_a_bid_lies_between_the_floor_and_the_price(
    market: Market, renter: User, price: int, code: str
) -> None:
    rental = bidding(market, renter, LOW)
    if code:
        assert code_of(lambda: change(rental, price, at=10)) == code
    else:
        change(rental, price, at=10)
        # Nobody pays more for a bid than without one.
        assert seen(rental, after(10)).bid_microusd == PRICE


def test_what_does_not_bid_or_is_over_has_no_bid_to_change(market: Market, renter: User) -> None:
    fixed = market.rent(renter)
    assert code_of(lambda: change(fixed, LOW, at=1)) == "not_interruptible"
    rental = market.rent(renter, bid_microusd=LOW)
    end.end(rental_id=rental.id, renter_id=renter.pk, now=after(2))
    assert code_of(lambda: change(rental, HIGH, at=3)) == "rental_over"
    Offer.objects.update(bid_floor_microusd=None)
    assert code_of(lambda: market.rent(renter, bid_microusd=LOW)) == "bids_not_taken"


def test_an_outbid_rental_stops_keeps_its_files_and_comes_back(
    market: Market, renter: User, other: User
) -> None:
    tell_rentals(now=after(0))
    mine = bidding(market, renter, LOW)
    market.run(mine, at=after(0))
    least = seen(mine, after(1)).bids_from_microusd
    assert least == 400_000
    assert code_of(lambda: bidding(market, other, LOW, at=5)) == "bid_too_low"
    theirs = bidding(market, other, HIGH, at=10)
    assert seen(theirs, after(10)).state == "waiting"
    assert seen(mine, after(10)).outbid_stop_at == after(70)
    assert seen(mine, after(10)).bids_from_microusd == HIGH * 105 // 100
    assert [tell_outbid(now=after(at)) for at in (11, 12, 71)] == [1, 0, 0]
    notice = Notice.objects.get(user=renter, kind="rental_outbid")
    assert notice.data["stops_at"] == after(70).isoformat()
    settle_all(now=after(70))
    assert (seen(mine, after(70)).state, seen(mine, after(70)).resumes) == ("stopping", True)
    market.halt(mine, at=after(72))
    settle_all(now=after(73))
    assert (seen(mine, after(73)).state, seen(theirs, after(73)).state) == ("stopped", "queued")
    end.end(rental_id=theirs.id, renter_id=other.pk, now=after(80))
    market.end(theirs, at=after(81))
    settle_all(now=after(90))
    assert seen(mine, after(90)).state == "queued"
    assert tell_rentals(now=after(91)) == 1
    market.run(mine, at=after(92))
    assert [tell_rentals(now=after(at)) for at in (120, 121)] == [1, 0]
    told = Notice.objects.filter(user=renter).order_by("id").values_list("kind", flat=True)
    assert list(told) == ["rental_outbid", "rental_stopped", "rental_resumed"]
    assert not audit.audit()


def test_a_notice_is_taken_back_by_a_higher_bid_and_the_other_waits_on(
    market: Market, renter: User, other: User
) -> None:
    mine = bidding(market, renter, LOW)
    market.run(mine, at=after(0))
    theirs = bidding(market, other, HIGH, at=10)
    change(mine, PRICE, at=60)
    assert seen(mine, after(60)).outbid_stop_at is None
    assert (seen(theirs, after(60)).state, seen(theirs, after(60)).resumes) == ("stopped", True)
    # Who lowers it may lose at once.
    change(mine, LOW, at=65)
    settle_all(now=after(66))
    assert (seen(theirs, after(66)).state, seen(mine, after(66)).outbid_stop_at) == (
        "waiting",
        after(125),
    )


def test_a_bid_of_which_less_is_paid_is_outbid_for_as_much_less(
    market: Market, renter: User, other: User
) -> None:
    mine = bidding(market, renter, LOW)
    market.run(mine, at=after(0))
    deliver(market, mine, second=101)
    read(mine, until=101)
    measure(mine, second=101, rate=LISTED * 7 // 10)
    passed(mine, second=101, rate=LISTED * 7 // 10)
    assert count_proofs(now=after(101)) == 1
    assert seen(mine, after(101)).bid_microusd == LOW
    paid = LOW * 7 // 10
    assert code_of(lambda: bidding(market, other, paid * 21 // 20 - 1, at=102)) == "bid_too_low"
    theirs = bidding(market, other, paid * 21 // 20, at=102)
    assert (seen(theirs, after(102)).state, seen(mine, after(102)).outbid_stop_at) == (
        "waiting",
        after(162),
    )
    # What would win for it again is a bid of which so much is paid.
    least = seen(mine, after(102)).bids_from_microusd
    assert least == -(-(paid * 21 // 20 * 21 // 20) * 10 // 7)
    change(mine, least, at=110)
    assert seen(mine, after(110)).outbid_stop_at is None


def test_a_stopped_one_starts_when_its_bid_is_raised_unless_its_renter_stopped_it(
    market: Market, renter: User, other: User
) -> None:
    mine = bidding(market, renter, LOW)
    market.run(mine, at=after(0))
    theirs = bidding(market, other, HIGH, at=10)
    settle_all(now=after(70))
    market.halt(mine, at=after(72))
    settle_all(now=after(73))
    market.run(theirs, at=after(74))
    stop.stop(rental_id=mine.id, renter_id=renter.pk, now=after(75))
    assert (seen(mine, after(75)).resumes, seen(mine, after(75)).reason_code) == (
        False,
        "renter_stopped",
    )
    change(mine, PRICE, at=76)
    assert (seen(mine, after(76)).state, seen(theirs, after(76)).outbid_stop_at) == (
        "stopped",
        None,
    )
    start.start(rental_id=mine.id, renter_id=renter.pk, now=after(77))
    assert (seen(mine, after(77)).state, seen(theirs, after(77)).outbid_stop_at) == (
        "waiting",
        after(137),
    )


def test_time_without_its_room_leaves_more_for_a_higher_bid(
    market: Market, renter: User, other: User
) -> None:
    mine = bidding(market, renter, LOW, lease_s=None, cap_microusd=LOW)
    market.run(mine, at=after(0), door_after_s=0)
    theirs = bidding(market, other, HIGH, at=10)
    settle_all(now=after(70))
    market.halt(mine, at=after(72))
    settle_all(now=after(73))
    market.run(theirs, at=after(74))
    assert code_of(lambda: change(mine, PRICE, at=2400)) == "cap_passed"
    change(mine, HIGH, at=2400)
    # Its 70 seconds before the stop may still be proven, and 20 minutes may come.
    worst = LOW * 70 // 3600 + HIGH * 1200 // 3600
    view = seen(mine, after(2400))
    assert (view.bid_microusd, view.worst_total_microusd) == (HIGH, worst)
    assert (view.ends_at, ledger.held(renter.pk)) == (after(3600), LOW)
    # What it had stopped for is no cheaper by a later change.
    change(mine, LOW, at=2500)
    assert seen(mine, after(2500)).worst_total_microusd == LOW * 70 // 3600 + LOW * 1100 // 3600
    assert not audit.audit()


def test_a_bid_changes_so_often_and_no_more_for_a_while(market: Market, renter: User) -> None:
    rental = bidding(market, renter, LOW)
    for number in range(bid.CHANGES.attempts_max):
        change(rental, LOW + number, at=1 + number)
    assert code_of(lambda: change(rental, HIGH, at=60)) == "rate_limited"
    assert rental.meter.price_changes.count() == bid.CHANGES.attempts_max - 1
    change(rental, HIGH, at=1 + bid.CHANGES.window.total_seconds())
    assert seen(rental, after(302)).bid_microusd == HIGH


def test_who_may_start_none_has_none_started_for_them(
    market: Market, renter: User, other: User
) -> None:
    mine = bidding(market, renter, LOW)
    market.run(mine, at=after(0))
    theirs = bidding(market, other, HIGH, at=10)
    settle_all(now=after(70))
    market.halt(mine, at=after(72))
    assert (hold_back(now=after(73)), seen(mine, after(73)).resumes) == (0, True)
    for number in range(DOORS_LOST_MAX):
        PlacementEvent.objects.create(
            placement=mine.placement, at=after(number), event="stop", reason_code="door_lost"
        )
    end.end(rental_id=theirs.id, renter_id=other.pk, now=after(80))
    assert [hold_back(now=after(at)) for at in (81, 82)] == [1, 0]
    market.end(theirs, at=after(83))
    settle_all(now=after(90))
    view = seen(mine, after(90))
    assert (view.state, view.resumes, view.reason_code) == ("stopped", False, "doors_lost_many")
    # A day later its renter starts it as any other.
    Placement.objects.update(funded_until=after(200_000))
    start.start(rental_id=mine.id, renter_id=renter.pk, now=after(90_000))


def test_the_lease_ends_what_is_outbid_and_stopped(
    market: Market, renter: User, other: User
) -> None:
    mine = bidding(market, renter, LOW, lease_s=600)
    market.run(mine, at=after(0))
    bidding(market, other, HIGH, at=10)
    settle_all(now=after(70))
    market.halt(mine, at=after(72))
    assert expire.expire(now=after(601)) == 1
    assert (seen(mine, after(601)).state, seen(mine, after(601)).resumes) == ("ending", False)
    market.end(mine, at=after(602))
    charge_all(now=after(603))
    settle_all(now=after(604))
    assert (seen(mine, after(604)).state, ledger.held(renter.pk)) == ("ended", 0)


def test_an_on_demand_renter_beats_the_highest_bid(
    market: Market, renter: User, other: User
) -> None:
    mine = bidding(market, renter, PRICE)
    market.run(mine, at=after(0))
    theirs = market.rent(other, resources=WHOLE, now=after(10))
    assert seen(theirs, after(10)).state == "waiting"
    assert seen(mine, after(10)).bids_from_microusd is None
