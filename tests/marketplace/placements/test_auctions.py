"""Bids on a machine: notices, stops, waits and starts, each decided anew from the rows."""

from datetime import datetime
from uuid import UUID

import pytest

from marketplace.domain.auction import BidTooLow
from marketplace.domain.matching import OfferTaken
from marketplace.machines.actions.mark_offline import mark_offline
from marketplace.machines.models import Machine
from marketplace.placements import queries
from marketplace.placements.actions.observe import observe
from marketplace.placements.actions.request_end import request_end
from marketplace.placements.actions.request_stop import request_stop
from marketplace.placements.actions.settle import settle, settle_all
from marketplace.placements.actions.start import start
from marketplace.placements.actions.sweep import sweep
from marketplace.placements.models import Lease, Placement
from protocol.agent import ObservedState
from tests.marketplace.scene import after, hardware, machine, placement, seen

pytestmark = pytest.mark.django_db
DOLLAR = 1_000_000


@pytest.fixture
def on() -> Machine:
    return machine(of=hardware(gpus=2, cpus=8))


def bidder(on: Machine, bid: int, *, gpus: int = 1, at: float = 0) -> Placement:
    """Return a placement that bids so many dollars for an hour, and runs if it has its room."""
    it = placement(on, gpus=gpus, bid_hour_microusd=bid * DOLLAR, now=after(at))
    if it.state == "offered":
        says(it, ObservedState.RUNNING, at=at)
    return now_of(it)


def says(it: Placement, state: ObservedState, *, at: float) -> None:
    observe(machine_id=it.machine_id, observed=[seen(it.id, state)], now=after(at))


def now_of(it: Placement) -> Placement:
    return Placement.objects.get(id=it.id)


def states(*some: Placement) -> list[str]:
    return [now_of(one).state for one in some]


def noticed(*some: Placement) -> list[datetime | None]:
    return [now_of(one).outbid_stop_at for one in some]


def raise_bid(it: Placement, bid: float, *, at: float) -> None:
    Placement.objects.filter(id=it.id).update(bid_hour_microusd=int(bid * DOLLAR))
    settle(machine_id=it.machine_id, now=after(at))


def stopped(it: Placement, *, at: float) -> None:
    """Let the notice pass and the machine say that it stopped."""
    settle_all(now=after(at))
    assert states(it) == ["stopping"]
    says(it, ObservedState.STOPPED, at=at)
    assert states(it) == ["stopped"]


def free(on: Machine) -> tuple[int, int, int]:
    on.refresh_from_db()
    return on.gpus_free, on.gpus_interruptible, on.cpus_free


def test_an_on_demand_renter_has_what_bidders_occupy_after_their_notice(on: Machine) -> None:
    cheap, dear = bidder(on, 1), bidder(on, 2)
    assert (on.open.gpus, free(on)) == (2, (0, 2, 6))
    new = placement(on, gpus=1, now=after(10))
    # The cheapest goes, and nobody else; the newcomer's machine hears nothing yet.
    assert (states(new, cheap, dear), noticed(cheap, dear)) == (
        ["waiting", "running", "running"],
        [after(70), None],
    )
    assert (new.gpu_uuids, new.deadline_at, free(on)) == ([], after(190), (-1, 2, 5))
    told = {one.placement_id: one.notice for one in queries.desired(on.id, after(10))}
    assert new.id not in told
    assert told[dear.id] is None
    notice = told[cheap.id]
    assert notice is not None
    assert (notice.reason, notice.stops_at_ms) == ("outbid", after(70).timestamp() * 1000)

    settle_all(now=after(69))
    assert states(new, cheap) == ["waiting", "running"]
    stopped(cheap, at=71)
    assert now_of(cheap).stop_requested_at == after(71)
    settle_all(now=after(72))
    assert states(new, cheap, dear) == ["offered", "stopped", "running"]
    assert Lease.objects.count() == 2
    assert free(on) == (0, 1, 6)
    assert new.id in {one.placement_id for one in queries.desired(on.id, after(72))}
    assert (now_of(cheap).reason_code, noticed(cheap)) == ("outbid", [None])


def test_what_was_outbid_starts_by_itself_once_its_bid_wins(on: Machine) -> None:
    cheap, dear = bidder(on, 1), bidder(on, 2)
    new = placement(on, gpus=1, now=after(10))
    stopped(cheap, at=71)
    settle_all(now=after(72))
    says(new, ObservedState.GONE, at=100)
    settle_all(now=after(110))
    assert states(cheap, dear) == ["offered", "running"]
    assert (now_of(cheap).resume_due_at, now_of(cheap).starts, free(on)) == (None, 1, (0, 2, 6))


def test_a_notice_is_taken_back_when_the_bid_is_raised_in_time(on: Machine) -> None:
    cheap, dear = bidder(on, 2, gpus=1), bidder(on, 3, gpus=1)
    new = bidder(on, 4, at=10)
    assert (states(new, cheap), noticed(cheap, dear)) == (["waiting", "running"], [after(70), None])
    # Not yet: it takes a step more than whoever is in.
    raise_bid(cheap, 3.1, at=20)
    assert noticed(cheap, dear) == [after(70), None]
    raise_bid(cheap, 3.2, at=30)
    assert (noticed(cheap, dear), states(new)) == ([None, after(90)], ["waiting"])
    told = {one.placement_id: one.notice for one in queries.desired(on.id, after(30))}
    assert told[cheap.id] is None
    assert told[dear.id] is not None
    # Its wait is over when both pay more; then nobody has to go.
    raise_bid(dear, 4.3, at=40)
    raise_bid(cheap, 5, at=41)
    assert (states(new), noticed(cheap, dear)) == (["stopped"], [None, None])


def test_a_newcomer_that_is_outbid_while_it_waits_is_stopped_until_it_wins(on: Machine) -> None:
    old = bidder(on, 2, gpus=2)
    new = bidder(on, 3, gpus=2, at=10)
    raise_bid(old, 9, at=20)
    assert (states(old, new), noticed(old)) == (["running", "stopped"], [None])
    assert (now_of(new).reason_code, free(on)) == ("outbid", (0, 2, 7))
    says(new, ObservedState.STOPPED, at=21)
    request_end(placement_id=old.id, reason_code="x", reason="x", now=after(30))
    says(old, ObservedState.GONE, at=31)
    settle_all(now=after(32))
    assert states(new) == ["offered"]


def test_equal_bids_change_nothing_and_a_step_more_wins(on: Machine) -> None:
    bidder(on, 100, gpus=2)
    for bid in (100, 104):
        with pytest.raises(BidTooLow, match=r"bids from \$105\.00 an hour win now"):
            bidder(on, bid, gpus=2)
    assert Placement.objects.count() == 1
    assert bidder(on, 105, gpus=2).state == "waiting"


def test_nobody_outbids_an_on_demand_renter(on: Machine) -> None:
    placement(on, gpus=2)
    with pytest.raises(OfferTaken):
        bidder(on, 900)
    with pytest.raises(OfferTaken):
        placement(on, gpus=1)
    assert free(on) == (0, 0, 7)


def test_room_that_is_promised_is_nobody_elses(on: Machine) -> None:
    cheap = bidder(on, 1, gpus=2)
    new = placement(on, gpus=2, now=after(10))
    with pytest.raises(OfferTaken):
        placement(on, gpus=1, now=after(11))
    with pytest.raises(OfferTaken):
        bidder(on, 5, at=12)
    # What asks for no GPU is not kept from the rest.
    assert placement(on, now=after(13)).state == "offered"
    stopped(cheap, at=71)
    settle_all(now=after(72))
    assert states(new) == ["offered"]


def test_who_waits_starts_when_there_is_room_in_any_way(on: Machine) -> None:
    cheap, dear = bidder(on, 1), bidder(on, 2)
    new = placement(on, gpus=1, now=after(10))
    request_end(placement_id=dear.id, reason_code="x", reason="x", now=after(20))
    settle_all(now=after(21))
    assert (states(new), noticed(cheap)) == (["waiting"], [None])
    says(dear, ObservedState.GONE, at=22)
    settle_all(now=after(23))
    assert (states(new, cheap), noticed(cheap)) == (["offered", "running"], [None])


def test_an_end_while_waiting_frees_all_and_takes_the_notice_back(on: Machine) -> None:
    cheap = bidder(on, 1, gpus=2)
    new = placement(on, gpus=2, now=after(10))
    request_end(placement_id=new.id, reason_code="renter_ended", reason="x", now=after(20))
    settle_all(now=after(21))
    gone = now_of(new)
    assert (gone.state, gone.gone_at, gone.freed_at) == ("released", after(20), after(20))
    assert (states(cheap), noticed(cheap), free(on)) == (["running"], [None], (0, 2, 7))
    on.refresh_from_db()
    assert on.disk_bytes_total - on.disk_bytes_free == 2 << 30


def test_a_renter_who_stops_it_keeps_it_stopped(on: Machine) -> None:
    cheap = bidder(on, 1, gpus=2)
    placement(on, gpus=2, now=after(10))
    request_stop(placement_id=cheap.id, reason_code="x", reason="x", now=after(20))
    says(cheap, ObservedState.STOPPED, at=21)
    settle_all(now=after(22))
    assert (noticed(cheap), now_of(cheap).resume_due_at) == ([None], None)


def test_a_machine_that_falls_silent_keeps_the_newcomer_from_nothing_but_time(on: Machine) -> None:
    cheap = bidder(on, 1, gpus=2)
    first = placement(on, gpus=2, now=after(10))
    mark_offline(now=after(100))
    settle_all(now=after(100))
    assert states(cheap, first) == ["stopping", "waiting"]
    sweep(now=after(195))
    late = now_of(first)
    assert (late.state, late.reason_code, late.freed_at) == ("failed", "room_late", after(195))
    assert free(on) == (0, 2, 7)
    says(cheap, ObservedState.STOPPED, at=300)
    settle_all(now=after(301))
    # It is heard of no more by itself: its machine has to be online.
    assert states(cheap) == ["stopped"]
    Machine.objects.update(online=True)
    settle_all(now=after(310))
    assert states(cheap) == ["offered"]


def test_a_stopped_on_demand_placement_outbids_too_and_goes_back_where_no_room_came(
    on: Machine,
) -> None:
    mine = placement(on, gpus=2)
    says(mine, ObservedState.RUNNING, at=1)
    request_stop(placement_id=mine.id, reason_code="x", reason="x", now=after(2))
    says(mine, ObservedState.STOPPED, at=3)
    cheap = bidder(on, 1, gpus=2, at=4)
    assert start(placement_id=mine.id, now=after(5)).state == "waiting"
    assert start(placement_id=mine.id, now=after(6)).starts == 1
    assert noticed(cheap) == [after(65)]
    # Its machine says what it said before, and that changes nothing.
    says(mine, ObservedState.STOPPED, at=7)
    assert states(mine) == ["waiting"]
    sweep(now=after(190))
    back = now_of(mine)
    assert (back.state, back.holds_compute, back.reason_code) == ("stopped", False, "room_late")
    settle_all(now=after(191))
    assert (states(cheap), noticed(cheap), free(on)) == (["running"], [None], (0, 2, 7))


def test_an_auction_held_twice_changes_nothing(on: Machine) -> None:
    bidder(on, 1)
    bidder(on, 2)
    placement(on, gpus=1, now=after(10))
    before = rows()
    for _ in range(2):
        settle_all(now=after(11))
    assert rows() == before


def rows() -> list[tuple[UUID, str, datetime | None, bool]]:
    listed = Placement.objects.order_by("id")
    return list(listed.values_list("id", "state", "outbid_stop_at", "holds_compute"))
