"""Bids at once: no GPU is given twice, one newcomer wins, and all who lose are told so."""

from collections import Counter
from collections.abc import Callable
from functools import partial

from django.db import transaction

from marketplace.machines.actions import lock
from marketplace.machines.models import Machine
from marketplace.placements.actions.observe import observe
from marketplace.placements.actions.rebid import rebid
from marketplace.placements.actions.request_end import request_end
from marketplace.placements.actions.request_stop import request_stop
from marketplace.placements.actions.settle import settle_all
from marketplace.placements.models import Lease, Placement
from protocol.agent import ObservedState
from tests.marketplace.scene import after, hardware, machine, placement, seen

Race = Callable[[list[Callable[[], object]]], list[object]]
ROUNDS = 5
DOLLAR = 1_000_000


def bidder(on: Machine, bid: int, *, at: float = 0) -> Placement:
    it = placement(
        on, gpus=1, ram_bytes=1, bid_hour_microusd=bid * DOLLAR, now=after(at), funded_s=36_000
    )
    if it.state == "offered":
        says(it, ObservedState.RUNNING, at=at)
    return it


def says(it: Placement, state: ObservedState, *, at: float) -> None:
    observe(machine_id=it.machine_id, observed=[seen(it.id, state)], now=after(at))


def adds_up(on: Machine) -> None:
    """Hold the machine's books against the placements that have or were promised a part of it."""
    on.refresh_from_db()
    held = Placement.objects.filter(freed_at=None, holds_compute=True)
    bids = held.exclude(bid_hour_microusd=None)
    assert on.gpus_free == on.gpus_total - sum(one.gpus for one in held)
    assert on.cpus_free == on.cpus_total - sum(one.cpus for one in held)
    assert on.gpus_interruptible == sum(one.gpus for one in bids)
    assert Lease.objects.count() == sum(one.gpus for one in held if one.state != "waiting")


def test_of_many_equal_bids_for_one_room_one_wins_it(race: Race) -> None:
    on = machine(of=hardware(cpus=64, gpus=1))
    low = bidder(on, 1)
    outcomes = race([partial(bidder, on, 2, at=1)] * 8)
    kinds = Counter(type(one).__name__ for one in outcomes)
    assert kinds == {"Placement": 1, "BidTooLow": 7}
    low.refresh_from_db()
    assert low.outbid_stop_at == after(61)
    adds_up(on)


def test_two_bids_an_end_and_the_pass_at_once_leave_the_best_bid_running(race: Race) -> None:
    on = machine(of=hardware(cpus=64, gpus=1))
    for turn in range(ROUNDS):
        at = turn * 1000
        one, other = bidder(on, 1, at=at), bidder(on, 2, at=at + 1)
        pass_ = partial(settle_all, now=after(at + 5))
        raised = [
            partial(rebid, placement_id=it.id, bid_hour_microusd=bid * DOLLAR, now=after(at + 5))
            for it, bid in ((one, 7), (other, 4))
        ]
        race([*map(locked, raised), pass_, pass_])
        one.refresh_from_db()
        other.refresh_from_db()
        assert (one.state, one.outbid_stop_at, other.state) == ("running", None, "stopped")
        adds_up(on)
        stop = partial(
            request_stop, placement_id=one.id, reason_code="x", reason="x", now=after(at + 6)
        )
        end = partial(
            request_end, placement_id=other.id, reason_code="x", reason="x", now=after(at + 6)
        )
        race([stop, end, pass_, partial(settle_all, now=after(at + 20))])
        for it in (one, other):
            request_end(placement_id=it.id, reason_code="", reason="", now=after(at + 30))
            says(it, ObservedState.GONE, at=at + 31)
        adds_up(on)
        assert on.gpus_free == 1


def locked(move: Callable[[], object]) -> Callable[[], object]:
    """Return the move behind the machine's lock, as a bid is changed."""

    def _do() -> object:
        with transaction.atomic():
            lock.lock(machine_id=Machine.objects.values_list("id", flat=True).get())
            return move()

    return _do
