"""A ban holds for its host's same machine under a new key, and marks can ban no rival."""

import pytest

from marketplace.accounts.models import User
from marketplace.domain.same_machine import is_same
from marketplace.domain.standing import StandingState
from marketplace.machines.models import Machine
from marketplace.verification import queries
from marketplace.verification.actions.appeal import answer, appeal
from marketplace.verification.actions.compare_marks import SEEN_WITHIN
from marketplace.verification.models import MachineMark, StandingEvent
from protocol.validator import VerdictState
from tests.marketplace.scene import Judge, after, machine, user
from tests.marketplace.verification.test_marks import see

pytestmark = pytest.mark.django_db
MARKS = {"card": "GPU-9", "board": "ab" * 32, "machine_id": "cd" * 32}


@pytest.fixture
def judge() -> Judge:
    return Judge().admitted()


@pytest.fixture
def banned(judge: Judge) -> Machine:
    """A machine of host@example.org that showed its hardware and then failed."""
    on = enrolled(1)
    see(judge, on, **MARKS)
    see(judge, on, at=1, state=VerdictState.BANNED, **MARKS)
    return on


def enrolled(number: int, host: User | None = None) -> Machine:
    on = machine(host=host)
    Machine.objects.filter(id=on.id).update(control_port=7000 + number)
    return on


def state(on: Machine, at: float = 10) -> StandingState:
    return queries.standings(Machine.objects.all(), after(at))[on.id].state


def test_a_new_key_ends_no_ban(judge: Judge, banned: Machine) -> None:
    anew = enrolled(2)
    see(judge, anew, at=5, **MARKS)
    assert state(anew) is StandingState.BANNED
    told = StandingEvent.objects.filter(machine=anew, text__contains="a new key ends no ban")
    assert str(banned.id)[:8] in told.get().text


def test_what_it_showed_is_remembered_however_long_it_is_away(
    judge: Judge, banned: Machine
) -> None:
    later = SEEN_WITHIN.total_seconds() * 3
    see(judge, banned, at=later, board="ef" * 32, state=VerdictState.DEGRADED)
    assert MachineMark.objects.filter(machine=banned, value="GPU-9").exists()
    anew = enrolled(2)
    see(judge, anew, at=later + 1, **MARKS)
    assert state(anew, later + 2) is StandingState.BANNED


def test_a_rivals_machine_whose_marks_a_banned_one_copied_is_left_alone(
    judge: Judge, banned: Machine
) -> None:
    rival = enrolled(2, user("rival@example.org"))
    see(judge, rival, at=5, **MARKS)
    assert state(rival) is StandingState.VERIFIED


def test_another_machine_of_the_host_is_left_alone(judge: Judge, banned: Machine) -> None:
    moved, cloned = enrolled(2), enrolled(3)
    see(judge, moved, at=5, card="GPU-9", board="11" * 32)
    see(judge, cloned, at=6, card="GPU-8", board="22" * 32, machine_id=MARKS["machine_id"])
    assert state(moved) is state(cloned) is StandingState.VERIFIED


def test_a_granted_appeal_ends_it_though_the_other_ban_stands(
    judge: Judge, banned: Machine
) -> None:
    anew = enrolled(2)
    see(judge, anew, at=5, **MARKS)
    appeal(host_id=anew.host_id, machine_id=anew.id, text="Mended.", now=after(6))
    answer(machine_id=anew.id, granted=True, words="Granted.", now=after(7))
    see(judge, anew, at=8, **MARKS)
    assert state(anew) is StandingState.VERIFIED
    assert state(banned) is StandingState.BANNED


@pytest.mark.parametrize(
    ("shown", "before", "same"),
    [
        ({"gpu": 1, "board": 1}, {"gpu": 1, "board": 1}, True),
        ({"gpu": 1, "machine_id": 1}, {"gpu": 1, "machine_id": 1}, True),
        ({"gpu": 1, "board": 2}, {"gpu": 1, "board": 1}, False),
        ({"gpu": 2, "board": 1}, {"gpu": 1, "board": 1}, False),
        ({"gpu": 1, "address": 1}, {"gpu": 1, "address": 1}, False),
        ({"board": 1}, {"gpu": 1, "board": 1}, True),
        ({"machine_id": 1}, {"machine_id": 1}, False),
        ({"address": 1}, {"address": 1}, False),
        ({}, {}, False),
    ],
)
def test_what_is_the_same_machine(
    shown: dict[str, int], before: dict[str, int], *, same: bool
) -> None:
    def marks(of: dict[str, int]) -> set[tuple[str, str]]:
        return {(kind, str(value)) for kind, value in of.items()}

    assert is_same(marks(shown), marks(before)) is same
