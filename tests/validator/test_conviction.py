"""A ban follows failed demands alone."""

import pytest

from protocol.validator import VerdictState
from tests.validator.builders import ALICE, NOW_MS, target
from validator.domain.conviction import APART_MS, BAN_MS, NONE, REMEMBERED_MS, count, sentence
from validator.domain.verdict import Look, Outcome, decide

WRONG, LATE = Outcome.PROOF_WRONG, Outcome.PROOF_UNFINISHED


def banned(*looks: tuple[Outcome, int], duplicate: bool = False) -> bool:
    failures = NONE
    for outcome, at_ms in looks:
        failures = count(failures, Look(outcome), duplicate=duplicate, now_ms=NOW_MS + at_ms)
    return failures.final


@pytest.mark.parametrize("outcome", sorted(set(Outcome) - {WRONG}))
def test_no_fact_and_no_silence_ever_bans(outcome: Outcome) -> None:
    assert not banned(*((outcome, APART_MS * number) for number in range(20)))


@pytest.mark.parametrize("outcome", sorted(set(Outcome) - {WRONG}))
def test_nor_does_it_beside_a_machine_that_shows_the_same(outcome: Outcome) -> None:
    looks = ((outcome, APART_MS * number) for number in range(20))
    assert not banned(*looks, duplicate=True)


@pytest.mark.parametrize(
    ("looks", "result"),
    [
        (((WRONG, 0),), False),
        # The host had no time to mend anything.
        (((WRONG, 0), (WRONG, 2_000), (WRONG, APART_MS - 1)), False),
        (((WRONG, 0), (WRONG, 2_000), (WRONG, APART_MS)), True),
        (((WRONG, 0), (Outcome.SEEN, 1), (WRONG, APART_MS)), True),
        (((WRONG, 0), (WRONG, REMEMBERED_MS)), True),
        (((WRONG, 0), (WRONG, REMEMBERED_MS + 1)), False),
    ],
)
def test_wrong_answers_ban_in_two_looks_well_apart(
    looks: tuple[tuple[Outcome, int], ...], result: bool
) -> None:
    assert banned(*looks) is result


def test_beside_a_machine_that_shows_the_same_one_wrong_answer_bans() -> None:
    assert banned((WRONG, 0), duplicate=True)


def test_nobody_bans_a_rival_by_copying_its_marks_and_renting_its_cards_during_the_proof() -> None:
    # A placement that starts ends the proof on its cards: the machine cannot finish.
    assert not banned(*((LATE, APART_MS * number) for number in range(20)), duplicate=True)
    full = Look(Outcome.SEEN, gpu_failures={"GPU-1": "out of memory"})
    assert count(NONE, full, duplicate=True, now_ms=NOW_MS) == NONE


def test_a_good_look_later_does_not_end_a_ban() -> None:
    failures = count(NONE, Look(WRONG), duplicate=True, now_ms=NOW_MS)
    later = count(failures, Look(Outcome.SEEN), duplicate=False, now_ms=NOW_MS + REMEMBERED_MS * 2)
    look = Look(Outcome.SILENT, "Nothing answers.")
    verdict = decide(hotkey=ALICE, target=target(), look=look, now_ms=NOW_MS)
    said = sentence(verdict, later)
    assert said.state is VerdictState.BANNED
    assert said.expires_at_ms == NOW_MS + BAN_MS
    assert [reason.code for reason in said.reasons] == ["demands_failed", "machine_silent"]
    assert sentence(verdict, NONE) == verdict
