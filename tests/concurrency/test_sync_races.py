from collections.abc import Callable
from functools import partial

from django.db import transaction

from marketplace.machines.actions.heartbeat import heartbeat
from marketplace.machines.models import Machine
from marketplace.placements.actions.observe import observe
from marketplace.placements.actions.request_stop import request_stop
from marketplace.placements.models import Placement
from protocol.agent import ObservedPlacement, ObservedState
from tests.marketplace.scene import after, hardware, machine, placement, seen, sync_request

Race = Callable[[list[Callable[[], object]]], list[object]]
ROUNDS = 20


def sync(on: Machine, one: ObservedPlacement) -> None:
    """Take one report in, as marketplace/sync.py does: all of it in one transaction."""
    with transaction.atomic():
        heartbeat(machine_id=on.id, request=sync_request(), now=after(61))
        observe(machine_id=on.id, observed=[one], now=after(61))


def test_a_sync_and_a_stop_at_once_never_wait_for_each_other(race: Race) -> None:
    on = machine(of=hardware(cpus=64))
    for _ in range(ROUNDS):
        placements = [placement(on, ram_bytes=1) for _ in range(2)]
        calls: list[Callable[[], object]] = []
        for it in placements:
            call = partial(request_stop, placement_id=it.id, reason_code="renter", reason="")
            calls += [partial(call, now=after(61))]
            calls += [partial(sync, on, seen(it.id, ObservedState.COLLECTING, exit_code=0))]
        outcomes = race(calls)
        assert [one for one in outcomes if isinstance(one, Exception)] == []
        for it in placements:
            assert Placement.objects.get(id=it.id).state == "collecting"
