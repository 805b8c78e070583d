"""Machines that show what only one can have are proven together, and none is judged for that."""

from datetime import timedelta

import pytest

from marketplace.domain.standing import StandingState
from marketplace.machines.models import Machine
from marketplace.verification import queries
from marketplace.verification.actions import compare_marks
from marketplace.verification.actions.compare_marks import ASKED_APART, SEEN_WITHIN
from marketplace.verification.actions.record_verdict import record
from marketplace.verification.models import MachineMark, MachineStanding, StandingEvent
from protocol.facts import Marks
from protocol.hardware import Gpu, Hardware, Sharing
from protocol.validator import Target, VerdictState
from tests.marketplace.scene import GIB, NOW, Judge, after, hardware, machine

pytestmark = pytest.mark.django_db
NOW_MS = int(NOW.timestamp() * 1000)


@pytest.fixture
def judge() -> Judge:
    return Judge().admitted()


def place(number: int) -> Machine:
    """Return a machine at an address of its own."""
    on = machine()
    Machine.objects.filter(id=on.id).update(control_port=7000 + number)
    on.refresh_from_db()
    return on


def see(judge: Judge, on: Machine, *, at: float = 0, card: str = "", **marks: str) -> None:
    state = marks.pop("state", VerdictState.VERIFIED)
    gpu = Gpu(uuid=card, model="H100", vram_bytes=80 * GIB, driver="550")
    shown = hardware().model_copy(update={"gpus": (gpu,) if card else ()})
    at_ms = NOW_MS + int(at * 1000)
    signed = judge.verdict(
        on,
        state=state,
        hardware=shown,
        marks=Marks(**marks),
        checked_at_ms=at_ms,
        expires_at_ms=at_ms + 3_600_000,
    )
    record(signed=signed, now=after(at))


def targets(at: float = 0) -> dict[object, Target]:
    Machine.objects.update(online=True)
    return {target.machine_id: target for target in queries.targets(after(at))}


@pytest.mark.parametrize(
    "shown", [{"card": "GPU-9"}, {"machine_id": "ab" * 32}, {"board": "cd" * 32}]
)
def test_two_that_show_the_same_are_asked_together_and_stay_verified(
    judge: Judge, shown: dict[str, str]
) -> None:
    one, two = place(1), place(2)
    see(judge, one, **shown)
    assert targets()[one.id].together is None
    see(judge, two, at=5, **shown)
    found = targets(5)
    group = found[one.id].together
    assert group is not None
    assert found[two.id].together == group
    assert group.since_ms == NOW_MS + 5000
    states = {each.state for each in queries.standings(Machine.objects.all(), after(6)).values()}
    assert states == {StandingState.VERIFIED}
    told = StandingEvent.objects.filter(text__contains="as another machine")
    assert {event.machine_id for event in told} == {one.id, two.id}


def test_two_at_one_address_and_port_are_asked_together(judge: Judge) -> None:
    one, two = place(1), place(1)
    see(judge, one)
    see(judge, two, at=1)
    assert targets()[one.id].together is not None


def test_nothing_shared_asks_nothing(judge: Judge) -> None:
    for number in (1, 2):
        see(judge, place(number), card=f"GPU-{number}", board=f"{number:064x}", machine_id="")
    assert not MachineStanding.objects.exclude(together=None).exists()


def test_parts_of_a_card_are_marked_by_the_card(judge: Judge) -> None:
    on = place(1)
    parts = tuple(
        Gpu(
            uuid=f"GPU-1/{number}",
            card="GPU-1",
            model="H100 1/2 shared",
            vram_bytes=GIB,
            driver="550",
            sharing=Sharing.MPS,
        )
        for number in range(2)
    )
    shown: Hardware = hardware().model_copy(update={"gpus": parts})
    record(signed=judge.verdict(on, hardware=shown), now=NOW)
    assert list(MachineMark.objects.filter(kind="gpu").values_list("value", flat=True)) == ["GPU-1"]


def test_what_was_seen_a_day_ago_may_have_been_moved(judge: Judge) -> None:
    one, two = place(1), place(2)
    see(judge, one, card="GPU-9")
    see(judge, two, at=SEEN_WITHIN.total_seconds() + 1, card="GPU-9")
    assert targets(SEEN_WITHIN.total_seconds() + 1)[one.id].together is None


def test_the_same_two_are_asked_once_a_day(judge: Judge) -> None:
    one, two = place(1), place(2)
    see(judge, one, card="GPU-9")
    see(judge, two, at=1, card="GPU-9")
    asked = targets(1)[one.id].together
    later = ASKED_APART.total_seconds() + 10
    see(judge, one, at=later, card="GPU-9")
    assert targets(later)[one.id].together == asked
    tomorrow = timedelta(days=1).total_seconds() + 2
    assert targets(tomorrow)[one.id].together is None
    for number, on in enumerate((one, two)):
        see(judge, on, at=tomorrow + number, card="GPU-9")
    assert targets(tomorrow + 2)[one.id].together not in (None, asked)


def test_a_third_joins_the_group_but_cannot_keep_the_others_busy(judge: Judge) -> None:
    machines = [place(number) for number in range(4)]
    for number, on in enumerate(machines[:3]):
        see(judge, on, at=number, card="GPU-9")
    found = targets(3)
    assert [found[on.id].together is not None for on in machines[:3]] == [True, True, False]
    later = ASKED_APART.total_seconds() + 10
    see(judge, machines[2], at=later, card="GPU-9")
    groups = {target.together for target in targets(later).values()}
    assert len(groups - {None}) == 1
    assert [targets(later)[on.id].together is not None for on in machines[:3]] == [True] * 3


def test_a_double_cannot_be_kept_away_by_asking_for_a_third_first(judge: Judge) -> None:
    one, double, third, fourth = (place(number) for number in range(4))
    see(judge, one, card="GPU-9", board="ab" * 32)
    see(judge, third, at=1, board="ab" * 32)
    see(judge, double, at=2, card="GPU-9")
    later = ASKED_APART.total_seconds() + 10
    see(judge, fourth, at=later, board="ab" * 32)
    see(judge, one, at=later + 1, card="GPU-9", board="ab" * 32)
    found = targets(later + 2)
    assert found[one.id].together is not None
    assert found[one.id].together == found[double.id].together == found[fourth.id].together


def test_names_that_prove_nothing_do_not_crowd_out_a_double(
    judge: Judge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compare_marks, "MACHINES_MAX", 2)
    machines = sorted((place(number) for number in range(5)), key=lambda on: on.id)
    for on in machines[:3]:
        see(judge, on, at=-1, state=VerdictState.DEGRADED)
    for number, on in enumerate(machines):
        MachineMark.objects.create(machine=on, kind="board", value="ab" * 32, seen_at=NOW)
        if number == 3:
            see(judge, on)
    see(judge, machines[4], at=1, board="ab" * 32)
    asked = [on.id for on in machines if targets(2)[on.id].together is not None]
    assert asked == [machines[3].id, machines[4].id]


def test_marks_that_are_shown_no_more_are_forgotten(judge: Judge) -> None:
    on = place(1)
    see(judge, on, card="GPU-9")
    see(judge, on, at=SEEN_WITHIN.total_seconds() + 1, card="GPU-8")
    assert not MachineMark.objects.filter(value="GPU-9").exists()
