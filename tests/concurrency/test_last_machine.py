from collections import Counter
from collections.abc import Callable
from functools import partial

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from marketplace.domain.matching import OfferTaken
from marketplace.machines.actions.enrol import EnrolmentTokenUnknown, enrol
from marketplace.machines.actions.issue_token import issue_token
from marketplace.machines.models import Machine
from marketplace.placements.actions.extend_funding import PlacementEnding, extend_funding
from marketplace.placements.actions.observe import observe
from marketplace.placements.actions.request_end import request_end
from marketplace.placements.actions.sweep import sweep
from marketplace.placements.models import Lease, Placement, PlacementEvent
from protocol.agent import ObservedState
from tests.marketplace.scene import (
    NOW,
    after,
    enrol_request,
    hardware,
    machine,
    placement,
    seen,
    user,
)

RENTERS = 50
Race = Callable[[list[Callable[[], object]]], list[object]]


def kinds(outcomes: list[object]) -> Counter[str]:
    return Counter(type(outcome).__name__ for outcome in outcomes)


def test_fifty_renters_of_the_last_machine_are_exactly_one_success(race: Race) -> None:
    on = machine(of=hardware(cpus=4, gpus=1))
    outcomes = race([lambda: placement(on, cpus=4, gpus=1)] * RENTERS)
    assert kinds(outcomes) == {"Placement": 1, "OfferTaken": RENTERS - 1}
    on.refresh_from_db()
    assert (on.cpus_free, on.gpus_free) == (0, 0)
    assert (Placement.objects.count(), Lease.objects.count()) == (1, 1)


def test_fifty_renters_of_eight_gpus_get_eight_different_ones(race: Race) -> None:
    on = machine(of=hardware(cpus=64, gpus=8))
    outcomes = race([lambda: placement(on, cpus=1, gpus=1, ram_bytes=1)] * RENTERS)
    assert kinds(outcomes) == {"Placement": 8, "OfferTaken": RENTERS - 8}
    assert Lease.objects.values("gpu_uuid").distinct().count() == 8


def test_a_gpu_is_leased_once_even_when_the_counters_are_wrong(race: Race) -> None:
    on = machine(of=hardware(cpus=4, gpus=1))
    Machine.objects.update(gpus_free=40, gpus_total=40, cpus_free=400, cpus_total=400)
    outcomes = race([lambda: placement(on, cpus=1, gpus=1, ram_bytes=1)] * RENTERS)
    assert [type(one) for one in outcomes if not isinstance(one, Placement)] == [OfferTaken] * 49
    assert Lease.objects.count() == 1


def test_a_report_a_stop_and_the_sweeper_at_once_give_back_once(race: Race) -> None:
    on = machine(of=hardware(gpus=1))
    for round_number in range(10):
        it = placement(on, gpus=1)
        gone = seen(it.id, ObservedState.GONE, problem="start_failed")
        report = partial(observe, machine_id=on.id, observed=[gone], now=after(61))
        outcomes = race(
            [
                report,
                report,
                partial(sweep, now=after(61)),
                partial(sweep, now=after(61)),
                partial(
                    request_end, placement_id=it.id, reason_code="renter", reason="", now=after(61)
                ),
            ]
        )
        assert not [one for one in outcomes if isinstance(one, Exception)], round_number
        observe(machine_id=on.id, observed=[gone], now=after(62))
        on.refresh_from_db()
        it.refresh_from_db()
        assert it.ended_at is not None
        assert it.freed_at is not None
        assert (on.cpus_free, on.gpus_free) == (on.cpus_total, on.gpus_total)
        assert not Lease.objects.exists()
        moves = list(
            PlacementEvent.objects.filter(placement=it)
            .order_by("id")
            .values_list("old_state", "new_state")
        )
        assert [old for old, _ in moves[1:]] == [new for _, new in moves[:-1]]


def test_an_extension_and_a_stop_at_once_never_revive_a_placement(race: Race) -> None:
    on = machine(of=hardware(cpus=64))
    for _ in range(10):
        it = placement(on, ram_bytes=1)
        call = {"placement_id": it.id, "now": after(1)}
        extension = partial(extend_funding, funded_until=after(9000), **call)
        stop = partial(request_end, reason_code="renter", reason="", **call)
        extended, stopped = race([extension, stop])
        assert isinstance(extended, Placement | PlacementEnding)
        assert isinstance(stopped, Placement)
        it.refresh_from_db()
        assert (it.state, it.want, it.deadline_at) == ("collecting", "end", after(301))


def test_one_token_in_the_hands_of_many_machines_enrols_one(race: Race) -> None:
    token = issue_token(host_id=user().id, now=NOW).token
    requests = [enrol_request(Ed25519PrivateKey.generate(), token) for _ in range(20)]
    outcomes = race([partial(enrol, request=one, now=NOW) for one in requests])
    assert kinds(outcomes) == {"Machine": 1, EnrolmentTokenUnknown.__name__: 19}
    assert Machine.objects.count() == 1


@pytest.mark.parametrize("requests_at_once", [20])
def test_the_same_enrolment_sent_many_times_at_once_is_one_machine(
    race: Race, requests_at_once: int
) -> None:
    request = enrol_request(
        Ed25519PrivateKey.generate(), issue_token(host_id=user().id, now=NOW).token
    )
    outcomes = race([lambda: enrol(request=request, now=NOW)] * requests_at_once)
    assert kinds(outcomes) == {"Machine": requests_at_once}
    assert Machine.objects.count() == 1
