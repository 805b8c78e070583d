"""Many machines' syncs are taken in together, and each as if it were alone."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any
from uuid import uuid4

import pytest
from django.db import OperationalError

from marketplace import reports
from marketplace.accounts.models import User
from marketplace.machines.actions.authenticate import MachineUnknown, Signed
from marketplace.machines.actions.heartbeat import SyncReplayed
from marketplace.machines.models import Machine, UptimeDay
from marketplace.metering.models import Meter
from marketplace.placements.actions import transition
from marketplace.placements.models import Placement
from protocol.agent import ObservedState, SyncReply
from tests.marketplace import scene
from tests.marketplace.rentals.market import Market, give_key
from tests.marketplace.scene import after, hardware, machine, placement, seen

pytestmark = pytest.mark.django_db
RUNNING = ObservedState.RUNNING
SEEN = {"run": 1, "age_ms": 0, "ssh_port": 20001, "ssh_host_key": scene.HOST_KEY}
Counted = Callable[[int], AbstractContextManager[object]]


def report(on: Machine, *, sent_at_ms: int = 2, **told: Any) -> reports.Report:
    body = json.dumps({"agent_version": "1", "boot_id": "boot-1", **told}, default=str).encode()
    signed = Signed(machine_key=on.machine_key, sent_at_ms=sent_at_ms)
    return reports.Report(signed=signed, body=body)


def running(it: Placement) -> dict[str, Any]:
    return seen(it.id, ObservedState.RUNNING, run=1).model_dump(mode="json")


def take_in(*some: reports.Report, at: float = 1) -> list[reports.Outcome]:
    return reports.take_in(reports=some, now=after(at))


def state_of(it: Placement) -> str:
    it.refresh_from_db()
    return it.state


@pytest.mark.parametrize("count", [1, 6])
def test_machines_that_tell_nothing_new_cost_no_query_of_their_own(
    count: int, django_assert_num_queries: Counted
) -> None:
    machines = [machine() for _ in range(count)]
    told = [(on, running(placement(on))) for on in machines]
    take_in(*(report(on, placements=[one]) for on, one in told))
    with django_assert_num_queries(6):
        # By key; begin; lock; write; their placements; end.
        take_in(*(report(on, placements=[one], sent_at_ms=3) for on, one in told))
    with django_assert_num_queries(5):
        # Revisions; placements; volumes; validators; logs.
        replies = reports.answer(machine_ids=[on.id for on in machines], now=after(2))
    told_of = [reply.desired for reply in replies.values() if isinstance(reply, SyncReply)]
    assert [len(desired) for desired in told_of] == [1] * count


def test_one_that_cannot_be_answered_is_refused_alone() -> None:
    on, bad, unknown = machine(), machine(), uuid4()
    placement(on)
    Placement.objects.filter(id=placement(bad).id).update(next_sequence=1 << 31)
    replies = reports.answer(machine_ids=[bad.id, unknown, on.id], now=after(1))
    assert isinstance(replies[bad.id], reports.AnswerBroken)
    assert isinstance(replies[unknown], MachineUnknown)
    told = replies[on.id]
    assert isinstance(told, SyncReply)
    assert len(told.desired) == 1


@pytest.mark.parametrize(
    ("part", "one", "sentence"),
    [
        ("placements", {"placement_id": uuid4(), "state": "accepted"}, "placement_id"),
        ("volumes", {"volume_id": uuid4(), "state": "ready"}, "volume_id"),
    ],
)
def test_what_is_told_twice_at_once_is_malformed(
    part: str, one: dict[str, Any], sentence: str
) -> None:
    on = machine()
    (outcome,) = take_in(report(on, **{part: [one, one]}))
    assert isinstance(outcome, reports.SyncMalformed)
    assert f"Name each {sentence} once" in outcome.detail


def test_a_gpu_that_is_told_twice_is_malformed() -> None:
    on, told = machine(), hardware(gpus=1).model_dump(mode="json")
    (outcome,) = take_in(report(on, hardware=told | {"gpus": told["gpus"] * 2}))
    assert isinstance(outcome, reports.SyncMalformed)
    assert "Name each uuid once" in outcome.detail


@pytest.mark.parametrize("count", [1, 6])
def test_intervals_of_many_machines_are_read_and_written_together(
    count: int, alice: User, charlie: User, give: Any, django_assert_num_queries: Counted
) -> None:
    give(alice, 100_000_000)
    give_key(alice)
    markets = [Market.open(charlie) for _ in range(count)]
    rentals = [market.rent(alice) for market in markets]
    for market, rental in zip(markets, rentals, strict=True):
        market.run(rental, at=after(1))

    def told(at_ms: int) -> list[reports.Report]:
        return [
            report(
                market.machine,
                sent_at_ms=10**13 + at_ms,
                placements=[market.agent.observed(rental.placement_id, RUNNING, **SEEN)],
                intervals=[market.agent.count(rental.placement_id, at_ms - 5000, at_ms)],
            )
            for market, rental in zip(markets, rentals, strict=True)
        ]

    take_in(*told(5000), at=6)
    with django_assert_num_queries(12):
        # The six of the quiet ones, and: lock placements, lock meters, the newest intervals, and
        # three writes.
        take_in(*told(10_000), at=11)
    assert set(Meter.objects.values_list("signed_ms", flat=True)) == {10_000}


def test_uptime_of_many_is_added_together(django_assert_num_queries: Counted) -> None:
    machines = [machine() for _ in range(3)]
    with django_assert_num_queries(6):
        take_in(*(report(on) for on in machines), at=61)
    take_in(*(report(on, sent_at_ms=3) for on in machines), at=130)
    assert [day.up_ms for day in UptimeDay.objects.all()] == [130_000] * 3


def test_each_is_refused_for_itself() -> None:
    on, other, stranger = machine(), machine(), Machine(machine_key="00" * 32)
    outcomes = take_in(
        report(stranger), report(on, sent_at_ms=1), report(other, boot_id=7), report(on)
    )
    assert isinstance(outcomes[0], MachineUnknown)
    assert isinstance(outcomes[1], SyncReplayed)
    assert isinstance(outcomes[2], reports.SyncMalformed)
    assert isinstance(outcomes[3], reports.Taken)
    other.refresh_from_db()
    assert other.sent_at_ms == 1


def test_a_machines_second_report_is_taken_in_after_its_first() -> None:
    on = machine()
    it = placement(on)
    first = report(on, placements=[seen(it.id, ObservedState.PREPARING).model_dump(mode="json")])
    second = report(on, placements=[running(it)], sent_at_ms=3)
    outcomes = take_in(first, second, first)
    assert [type(outcome) for outcome in outcomes] == [reports.Taken, reports.Taken, SyncReplayed]
    assert state_of(it) == "running"


def test_a_machine_says_nothing_about_anothers_placement() -> None:
    on, other = machine(), machine()
    it = placement(on)
    take_in(report(other, placements=[running(it)]), report(on))
    assert state_of(it) == "offered"


@pytest.fixture
def broken_by(monkeypatch: pytest.MonkeyPatch) -> Callable[[Machine, Exception], None]:
    """Let what a machine's report moves break."""
    whole = transition.advance

    def arrange(on: Machine, error: Exception) -> None:
        def advance(*arguments: Any) -> Any:
            if Machine.objects.filter(id=on.id, boot_id="breaks").exists():
                raise error
            return whole(*arguments)

        monkeypatch.setattr(transition, "advance", advance)

    return arrange


def test_a_report_that_breaks_spoils_no_other_and_is_not_taken_in(
    broken_by: Callable[[Machine, Exception], None],
) -> None:
    on, bad = machine(), machine()
    broken_by(bad, ZeroDivisionError())
    theirs, mine = placement(bad), placement(on)
    breaking = report(bad, placements=[running(theirs)], boot_id="breaks")
    good = report(on, placements=[running(mine)])
    outcomes = take_in(breaking, good)
    assert isinstance(outcomes[0], ZeroDivisionError)
    assert isinstance(outcomes[1], reports.Taken)
    assert (state_of(theirs), state_of(mine)) == ("offered", "running")
    bad.refresh_from_db()
    assert (bad.sent_at_ms, bad.boot_id) == (1, "boot-1")


def test_who_broke_something_is_taken_in_alone_until_it_goes_well(
    broken_by: Callable[[Machine, Exception], None], django_assert_num_queries: Counted
) -> None:
    on, bad = machine(), machine()
    broken_by(bad, ZeroDivisionError())
    told = [running(placement(bad))]
    take_in(report(bad, placements=told, boot_id="breaks"), report(on))
    with django_assert_num_queries(1 + 2 * 4):
        take_in(report(bad, sent_at_ms=3), report(on, sent_at_ms=3))
    with django_assert_num_queries(1 + 4):
        take_in(report(bad, sent_at_ms=4), report(on, sent_at_ms=4))


def test_a_database_that_is_away_is_not_asked_for_each(
    broken_by: Callable[[Machine, Exception], None],
) -> None:
    machines = [machine() for _ in range(3)]
    broken_by(machines[0], OperationalError())
    first = report(machines[0], placements=[running(placement(machines[0]))], boot_id="breaks")
    outcomes = take_in(first, *(report(on) for on in machines[1:]))
    assert [type(outcome) for outcome in outcomes] == [OperationalError] * 3
