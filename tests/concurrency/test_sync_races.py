from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from random import Random
from uuid import UUID

import pytest
from django.db import transaction

from marketplace import reports
from marketplace.machines.actions import desire
from marketplace.machines.actions.authenticate import Signed
from marketplace.machines.models import Machine
from marketplace.placements.actions import sweep
from marketplace.placements.actions.look_again import look_again
from marketplace.placements.actions.prove_reachable import prove_reachable
from marketplace.placements.actions.request_end import request_end
from marketplace.placements.models import Placement
from marketplace.placements.reachability import Door
from protocol.agent import ObservedPlacement, ObservedState
from protocol.workload import PlacementKind
from tests.marketplace.scene import (
    HOST_KEY,
    after,
    hardware,
    machine,
    placement,
    seen,
    sync_request,
)

Race = Callable[[list[Callable[[], object]]], list[object]]
ROUNDS = 20


def report(on: Machine, told: Sequence[ObservedPlacement], *, sent_at_ms: int) -> reports.Report:
    signed = Signed(machine_key=on.machine_key, sent_at_ms=sent_at_ms)
    return reports.Report(
        signed=signed, body=sync_request(placements=told).model_dump_json().encode()
    )


def sync(some: Sequence[reports.Report]) -> list[str]:
    return [type(one).__name__ for one in reports.take_in(reports=some, now=after(61))]


def test_a_sync_and_a_stop_at_once_never_wait_for_each_other(race: Race) -> None:
    on = machine(of=hardware(cpus=64))
    for number in range(ROUNDS):
        placements = [placement(on, ram_bytes=1) for _ in range(2)]
        # Only a job may end by itself, so that both ways lead to the same state.
        Placement.objects.update(kind=PlacementKind.JOB)
        stop = partial(request_end, reason_code="renter", reason="", now=after(61))
        calls: list[Callable[[], object]] = [partial(stop, placement_id=it.id) for it in placements]
        told = [seen(it.id, ObservedState.COLLECTING, exit_code=0) for it in placements]
        outcomes = race([*calls, partial(sync, [report(on, told, sent_at_ms=2 + number)])])
        assert [one for one in outcomes if isinstance(one, Exception)] == []
        for it in placements:
            assert Placement.objects.get(id=it.id).state == "collecting"


def test_of_the_same_sync_twice_at_once_one_is_taken(race: Race) -> None:
    on = machine()
    outcomes = race([partial(sync, [report(on, [], sent_at_ms=2)])] * 8)
    assert outcomes.count(["Taken"]) == 1
    assert outcomes.count(["SyncReplayed"]) == 7


def test_many_machines_syncs_sweeps_and_stops_at_once_never_wait_for_each_other(
    race: Race, caplog: pytest.LogCaptureFixture
) -> None:
    machines = [machine(of=hardware(cpus=64)) for _ in range(4)]
    for number in range(ROUNDS):
        placements = [placement(on, ram_bytes=1) for on in machines]
        told = [
            report(on, [seen(it.id, ObservedState.PREPARING)], sent_at_ms=2 + number)
            for on, it in zip(machines, placements, strict=True)
        ]
        stop = partial(request_end, reason_code="renter", reason="", now=after(61))
        outcomes = race(
            [
                # Two processes that got other halves, each in another order, and one replay.
                partial(sync, [told[3], told[0], told[1]]),
                partial(sync, [told[1], told[2], told[0]]),
                *(partial(stop, placement_id=it.id) for it in placements[:2]),
                transaction.atomic(partial(sweep._put_off, timedelta(0))),
            ]
        )
        assert [one for one in outcomes if isinstance(one, Exception)] == []
        assert all("Taken" in one or "SyncReplayed" in one for one in outcomes[:2])
    assert "one by one" not in caplog.text


class Outside:
    """Answers for the network: every door is open, or every one is shut."""

    def __init__(self, *, is_open: bool) -> None:
        self._is_open = is_open

    def look(self, doors: Sequence[Door]) -> Mapping[UUID, timedelta]:
        return {door.placement_id: timedelta(0) for door in doors if self._is_open}


def test_syncs_and_looks_and_what_all_machines_hear_never_wait_for_each_other(
    race: Race, caplog: pytest.LogCaptureFixture
) -> None:
    machines = [machine(of=hardware(cpus=64)) for _ in range(12)]

    def told(number: int) -> list[reports.Report]:
        more = {"ssh_port": 20001, "ssh_host_key": HOST_KEY, "progress": f"round {number}"}
        return [
            report(
                on,
                [seen(it.id, ObservedState.RUNNING, **more) for it in on.placements.order_by("id")],
                sent_at_ms=2 + number,
            )
            for on in machines
        ]

    for on in machines:
        placement(on, ram_bytes=1)
    sync(told(0))
    prove_reachable(now=after(61), probe=Outside(is_open=True))
    for on in machines:
        placement(on, ram_bytes=1)
    sync(told(1))
    for number in range(2, ROUNDS + 2):
        Placement.objects.update(look_due_at=after(61))
        both = told(number)
        outcomes = race(
            [
                partial(sync, both[:8]),
                partial(sync, both[4:][::-1]),
                partial(prove_reachable, now=after(61), probe=Outside(is_open=False)),
                partial(
                    look_again, now=after(61), probe=Outside(is_open=True), chance=Random(number)
                ),
                desire.bump_online,
                desire.bump_online,
            ]
        )
        assert [one for one in outcomes if isinstance(one, Exception)] == []
    assert "one by one" not in caplog.text
