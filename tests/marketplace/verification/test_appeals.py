"""A host's word against what its machine stands as."""

import json
from io import StringIO
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from marketplace.accounts.actions.issue_api_key import issue
from marketplace.accounts.models import User
from marketplace.domain.standing import StandingState
from marketplace.domain.text import TextRefused
from marketplace.machines.actions.name_hotkey import MachineNotYours
from marketplace.machines.models import Machine
from marketplace.verification import queries
from marketplace.verification.actions.appeal import (
    AppealedLately,
    AppealOpen,
    AppealUnknown,
    AppealWordless,
    NothingToAppeal,
    answer,
    appeal,
)
from marketplace.verification.actions.record_verdict import record
from marketplace.verification.models import Appeal, StandingEvent
from protocol.validator import VerdictState
from tests.marketplace.scene import NOW, Judge, after, machine, user

pytestmark = pytest.mark.django_db
NOW_MS = int(NOW.timestamp() * 1000)
WORDS = "The memory was bad; I replaced it."


def say(on: Machine, state: VerdictState, at: float = 0) -> None:
    at_ms = NOW_MS + int(at * 1000)
    signed = (
        Judge()
        .admitted()
        .verdict(on, state=state, checked_at_ms=at_ms, expires_at_ms=at_ms + 86_000_000)
    )
    record(signed=signed, now=after(at))


def state(on: Machine, at: float) -> StandingState:
    return queries.standings(Machine.objects.all(), after(at))[on.id].state


def texts() -> list[str]:
    return list(StandingEvent.objects.order_by("id").values_list("text", flat=True))


@pytest.fixture
def banned() -> Machine:
    on = machine()
    say(on, VerdictState.BANNED)
    return on


def test_a_granted_appeal_ends_a_ban_and_asks_for_a_fresh_proof(banned: Machine) -> None:
    made = appeal(host_id=banned.host_id, machine_id=banned.id, text=f" {WORDS}\r\n", now=after(10))
    assert made.text == WORDS
    assert state(banned, 20) is StandingState.BANNED
    answered = answer(machine_id=banned.id, granted=True, words="Granted.", now=after(30))
    assert (answered.granted, answered.answered_at) == (True, after(30))
    # The words that banned it stand for hours yet, but they are void.
    assert state(banned, 31) is StandingState.NEW
    (target,) = queries.targets(after(31))
    assert target.fresh_since_ms == NOW_MS + 30_000
    say(banned, VerdictState.VERIFIED, at=40)
    assert state(banned, 41) is StandingState.VERIFIED
    assert any("You appealed: The memory" in text for text in texts())
    assert any("granted, and the machine is proven anew: Granted." in text for text in texts())
    said = StandingEvent.objects.order_by("id").values_list("state", flat=True)
    assert list(said)[-2:] == ["new", "verified"]


def test_a_word_from_before_the_answer_that_comes_after_it_is_void(banned: Machine) -> None:
    appeal(host_id=banned.host_id, machine_id=banned.id, text=WORDS, now=after(10))
    answer(machine_id=banned.id, granted=True, words="Granted.", now=after(30))
    say(banned, VerdictState.BANNED, at=29.9)
    assert state(banned, 31) is StandingState.NEW


def test_a_refused_appeal_changes_nothing_and_may_come_again_after_a_day(banned: Machine) -> None:
    mine = {"host_id": banned.host_id, "machine_id": banned.id, "text": WORDS}
    appeal(**mine, now=after(10))
    answer(machine_id=banned.id, granted=False, words="It still fails.", now=after(20))
    assert state(banned, 30) is StandingState.BANNED
    assert texts()[-1] == "Your appeal is refused: It still fails."
    with pytest.raises(AppealedLately):
        appeal(**mine, now=after(86_419))
    appeal(**mine, now=after(86_420))


def test_there_is_one_open_appeal_and_the_same_words_twice_are_one(banned: Machine) -> None:
    mine = {"host_id": banned.host_id, "machine_id": banned.id}
    first = appeal(**mine, text=WORDS, now=after(1))
    assert appeal(**mine, text=WORDS, now=after(2)) == first
    with pytest.raises(AppealOpen):
        appeal(**mine, text="Something else.", now=after(3))
    assert Appeal.objects.count() == 1


def test_nobody_appeals_for_anothers_machine(banned: Machine) -> None:
    stranger = user("stranger@example.org")
    with pytest.raises(MachineNotYours):
        appeal(host_id=stranger.pk, machine_id=banned.id, text=WORDS, now=after(1))


@pytest.mark.parametrize("text", ["", " \n ", "x" * 2001])
def test_an_appeal_says_something_and_not_too_much(banned: Machine, text: str) -> None:
    with pytest.raises(AppealWordless):
        appeal(host_id=banned.host_id, machine_id=banned.id, text=text, now=after(1))
    with pytest.raises(AppealWordless):
        answer(machine_id=banned.id, granted=True, words=text, now=after(1))


@pytest.mark.parametrize("word", [None, VerdictState.VERIFIED, VerdictState.DEGRADED])
def test_there_is_nothing_to_appeal_where_nothing_is_held_against_it(
    word: VerdictState | None,
) -> None:
    on = machine()
    if word is not None:
        say(on, word)
    with pytest.raises(NothingToAppeal):
        appeal(host_id=on.host_id, machine_id=on.id, text=WORDS, now=after(1))


def test_a_suspension_can_be_appealed_too() -> None:
    on = machine()
    say(on, VerdictState.SUSPENDED)
    appeal(host_id=on.host_id, machine_id=on.id, text=WORDS, now=after(1))
    answer(machine_id=on.id, granted=True, words="Our fault.", now=after(2))
    assert state(on, 3) is StandingState.NEW


def test_the_operator_lists_and_answers_appeals(banned: Machine) -> None:
    with pytest.raises(TextRefused):
        appeal(host_id=banned.host_id, machine_id=banned.id, text="a\x1b[2Jb", now=after(1))
    made = appeal(host_id=banned.host_id, machine_id=banned.id, text="Two\nlines", now=after(1))
    # One that is older than that rule.
    Appeal.objects.filter(pk=made.pk).update(text="Two\n\x1b[2Jlines")
    out = StringIO()
    call_command("appeals", stdout=out)
    assert out.getvalue() == f"{banned.id} 2026-03-01 12:00 UTC: Two [2Jlines\n"
    with pytest.raises(CommandError, match="Say --grant"):
        call_command("appeals", str(banned.id))
    call_command("appeals", str(banned.id)[:8].upper(), refuse="No.", stdout=out)
    assert out.getvalue().endswith("Appeal refused.\n")
    with pytest.raises(CommandError, match="No appeal"):
        call_command("appeals", str(banned.id), grant="Yes.")
    with pytest.raises(AppealUnknown):
        answer(machine_id=banned.id, granted=True, words="Yes.", now=after(9))
    call_command("appeals", stdout=out)
    assert out.getvalue().endswith("No appeal waits for an answer.\n")


def test_the_beginning_of_an_id_must_mean_one_machine() -> None:
    ids = [f"aaaaaaaa-0000-4000-8000-00000000000{number}" for number in (1, 2)]
    for each in ids:
        Appeal.objects.create(
            machine=Machine.objects.create(**vars_of(machine(), id=each)), text="x", made_at=NOW
        )
    with pytest.raises(CommandError, match="2 appeals wait for a machine"):
        call_command("appeals", "aaaa", grant="Yes.")
    with pytest.raises(CommandError, match="No appeal waits for a machine"):
        call_command("appeals", "bbbb", grant="Yes.")
    call_command("appeals", ids[0], grant="Yes.", stdout=StringIO())
    assert Appeal.objects.get(machine_id=ids[0]).granted


def vars_of(on: Machine, **changed: str) -> dict[str, Any]:
    """Return another machine like this one, in its place."""
    values = Machine.objects.filter(id=on.id).values()[0] | changed
    on.delete()
    return values


def called(who: User, method: str, on: Machine, told: object = None) -> tuple[int, dict[str, Any]]:
    """Return the status and the JSON of one call to the machine's appeals."""
    key = issue(user_id=who.pk, name=uuid4().hex, now=NOW).secret
    reply = Client().generic(
        method,
        f"/api/v1/host/machines/{on.id}/appeals",
        json.dumps(told) if told else "",
        content_type="application/json",
        headers={"Authorization": f"Bearer {key}"},
    )
    return reply.status_code, reply.json()


def test_a_program_appeals_and_reads_the_answer(
    banned: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("django.utils.timezone.now", lambda: after(5))
    status, made = called(banned.host, "POST", banned, {"text": WORDS})
    assert (status, made["text"], made["answered_at"]) == (201, WORDS, None)
    assert called(banned.host, "POST", banned, {"text": WORDS})[1]["id"] == made["id"]
    assert called(banned.host, "POST", banned, {"text": "x" * 2001})[0] == 422
    assert called(banned.host, "POST", banned, {"text": "Other."})[1]["code"] == "appeal_open"
    answer(machine_id=banned.id, granted=True, words="Granted.", now=after(6))
    (listed,) = called(banned.host, "GET", banned)[1]["items"]
    assert (listed["granted"], listed["answer"]) == (True, "Granted.")


@pytest.mark.parametrize("method", ["POST", "GET"])
def test_a_strangers_program_is_told_of_no_such_machine(banned: Machine, method: str) -> None:
    stranger = user("stranger@example.org")
    told = {"text": WORDS} if method == "POST" else None
    status, problem = called(stranger, method, banned, told)
    assert (status, problem["code"]) == (404, "not_found")
    assert not Appeal.objects.exists()
