"""A stop gives GPUs away and a start takes some: never twice, and never one that is taken."""

from collections import Counter
from collections.abc import Callable
from functools import partial

from django.db import transaction

from marketplace.machines.actions.heartbeat import Beat, heartbeats
from marketplace.placements.actions.observe import observe
from marketplace.placements.actions.request_end import request_end
from marketplace.placements.actions.request_stop import request_stop
from marketplace.placements.actions.start import start
from marketplace.placements.actions.sweep import sweep
from marketplace.placements.models import Lease, Placement
from protocol.agent import ObservedState
from tests.marketplace.scene import after, hardware, machine, placement, seen, sync_request

Race = Callable[[list[Callable[[], object]]], list[object]]
ROUNDS = 10
STOP = {"reason_code": "renter_stopped", "reason": "You stopped it."}


def stopped(on: object, **asked: int) -> Placement:
    it = placement(on, **asked)  # type: ignore[arg-type]
    report = partial(observe, machine_id=it.machine_id, now=after(1))
    report(observed=[seen(it.id, ObservedState.RUNNING)])
    request_stop(placement_id=it.id, now=after(2), **STOP)
    report(observed=[seen(it.id, ObservedState.STOPPED)])
    return it


def test_of_one_start_and_many_rents_of_the_last_gpu_one_gets_it(race: Race) -> None:
    on = machine(of=hardware(cpus=64, gpus=1))
    for _ in range(ROUNDS):
        it = stopped(on, gpus=1, ram_bytes=1)
        rents = [lambda: placement(on, gpus=1, ram_bytes=1)] * 8
        outcomes = race([partial(start, placement_id=it.id, now=after(3)), *rents])
        kinds = Counter(type(one).__name__ for one in outcomes)
        assert kinds == {"Placement": 1, "OfferTaken": 8}
        holder = Lease.objects.get().placement
        on.refresh_from_db()
        assert (on.gpus_free, on.cpus_free) == (0, 63)
        for one in {it.id, holder.id}:
            request_end(placement_id=one, reason_code="", reason="", now=after(4))
            observe(machine_id=on.id, observed=[seen(one, ObservedState.GONE)], now=after(5))
    on.refresh_from_db()
    assert (on.total, Lease.objects.count()) == (on.free, 0)


def test_many_starts_of_one_placement_reserve_once(race: Race) -> None:
    on = machine(of=hardware(cpus=64, gpus=4))
    it = stopped(on, gpus=2, ram_bytes=1)
    outcomes = race([partial(start, placement_id=it.id, now=after(3))] * 10)
    assert {type(one) for one in outcomes} == {Placement}
    it.refresh_from_db()
    on.refresh_from_db()
    assert (it.starts, on.gpus_free, on.cpus_free, Lease.objects.count()) == (1, 2, 63, 2)


def test_a_stop_a_sync_and_the_sweeper_at_once_give_back_once(race: Race) -> None:
    on = machine(of=hardware(cpus=64, gpus=2))

    def sync(number: int, told: object) -> None:
        """Take one report in, as marketplace/reports.py does: all of it in one transaction."""
        with transaction.atomic():
            beat = Beat(on.id, sync_request(), number)
            heartbeats(beats=[beat], now=after(61))
            observe(machine_id=on.id, observed=[told], now=after(61))  # type: ignore[list-item]

    for number in range(ROUNDS):
        it = placement(on, gpus=2, ram_bytes=1)
        observe(machine_id=on.id, observed=[seen(it.id, ObservedState.RUNNING)], now=after(1))
        halted = seen(it.id, ObservedState.STOPPED)
        stop = partial(request_stop, placement_id=it.id, now=after(61), **STOP)
        outcomes = race(
            [
                stop,
                stop,
                partial(sync, 2 + 3 * number, halted),
                partial(sync, 3 + 3 * number, halted),
                partial(sweep, now=after(61)),
            ]
        )
        refused = [one for one in outcomes if isinstance(one, Exception)]
        # The older of two reports may come second, which is not what this is about.
        assert {type(one).__name__ for one in refused} <= {"SyncReplayed"}
        sync(4 + 3 * number, halted)
        it.refresh_from_db()
        on.refresh_from_db()
        assert (it.state, it.holds_compute) == ("stopped", False)
        assert (on.gpus_free, on.cpus_free, Lease.objects.count()) == (2, 64, 0)
        request_end(placement_id=it.id, reason_code="", reason="", now=after(62))
        observe(machine_id=on.id, observed=[seen(it.id, ObservedState.GONE)], now=after(63))
        on.refresh_from_db()
        assert on.free == on.total
