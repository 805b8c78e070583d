from collections.abc import Callable, Sequence
from functools import partial

from django.db import transaction

from marketplace.machines.actions.heartbeat import SyncReplayed, heartbeat
from marketplace.machines.models import Machine
from marketplace.placements.actions.observe import observe
from marketplace.placements.actions.request_end import request_end
from marketplace.placements.models import Placement
from protocol.agent import ObservedPlacement, ObservedState
from protocol.workload import PlacementKind
from tests.marketplace.scene import after, hardware, machine, placement, seen, sync_request

Race = Callable[[list[Callable[[], object]]], list[object]]
ROUNDS = 20


def sync(on: Machine, reported: Sequence[ObservedPlacement], *, sent_at_ms: int) -> None:
    """Take one report in, as marketplace/sync.py does: all of it in one transaction."""
    with transaction.atomic():
        heartbeat(machine_id=on.id, request=sync_request(), sent_at_ms=sent_at_ms, now=after(61))
        observe(machine_id=on.id, observed=reported, now=after(61))


def test_a_sync_and_a_stop_at_once_never_wait_for_each_other(race: Race) -> None:
    on = machine(of=hardware(cpus=64))
    for number in range(ROUNDS):
        placements = [placement(on, ram_bytes=1) for _ in range(2)]
        # Only a job may end by itself, so that both ways lead to the same state.
        Placement.objects.update(kind=PlacementKind.JOB)
        stop = partial(request_end, reason_code="renter", reason="", now=after(61))
        calls: list[Callable[[], object]] = [partial(stop, placement_id=it.id) for it in placements]
        told = [seen(it.id, ObservedState.COLLECTING, exit_code=0) for it in placements]
        outcomes = race([*calls, partial(sync, on, told, sent_at_ms=2 + number)])
        assert [one for one in outcomes if isinstance(one, Exception)] == []
        for it in placements:
            assert Placement.objects.get(id=it.id).state == "collecting"


def test_of_the_same_sync_twice_at_once_one_is_taken(race: Race) -> None:
    on = machine()
    outcomes = race([partial(sync, on, [], sent_at_ms=2)] * 8)
    assert outcomes.count(None) == 1
    assert sum(isinstance(one, SyncReplayed) for one in outcomes) == 7
