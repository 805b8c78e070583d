"""A renter asks for a log, the machine sends it, nobody else reads it, and soon it is gone."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.utils import timezone

from marketplace import sync
from marketplace.accounts.models import User
from marketplace.domain import container_log as rules
from marketplace.domain.container_log import KEPT, LAST_WITHIN
from marketplace.domain.scope import Scope
from marketplace.logs import queries
from marketplace.logs.actions import ask as asking
from marketplace.logs.actions.forget import forget
from marketplace.logs.models import ContainerLog
from marketplace.logs.sealed import unseal
from marketplace.machines.models import Machine
from marketplace.own_data.actions.delete_account import delete
from marketplace.placements.models import Placement
from marketplace.rentals.actions import end as ending
from marketplace.rentals.models import Rental
from protocol.agent import ObservedState
from protocol.container_log import LogReport, Stream
from tests.marketplace.logs.asking import asked_of, call, key_of, line, send
from tests.marketplace.rentals.market import Agent, Market
from tests.marketplace.scene import placement

pytestmark = pytest.mark.django_db
SECRET = "token=hunter2 \x1b[31m"


def put_question(rental: Rental, lines_most: int = 100) -> UUID:
    """Ask, and return the number of the question."""
    asking.ask(
        rental_id=rental.pk,
        renter_id=rental.renter_id,
        lines_most=lines_most,
        now=timezone.now(),
    )
    asked_id = ContainerLog.objects.get(placement=rental.placement_id).asked_id
    assert asked_id is not None
    return asked_id


def view(rental: Rental) -> queries.LogView:
    return queries.view(rental.pk, rental.renter_id, timezone.now())


def fail(market: Market, rental: Rental) -> None:
    """Have the machine say that it failed."""
    told = market.agent.observed(
        rental.placement_id, ObservedState.COLLECTING, run=1, problem="start_failed"
    )
    market.agent.sync(timezone.now(), placements=[told])


def test_a_log_is_asked_of_the_machine_and_sent_to_who_asked(
    market: Market, rental: Rental, alice: User
) -> None:
    key, agent = key_of(alice), market.agent
    assert call(key, "GET", rental.pk).json()["state"] == "none"
    before = agent.revision
    reply = call(key, "POST", rental.pk, tail=2)
    assert (reply.status_code, reply.json()["state"]) == (202, "asked")
    wanted = asked_of(agent, timezone.now())[rental.placement_id]
    assert (wanted.lines_most, agent.revision > before) == (2, True)
    lines = (line("ready", 1), line(SECRET, 2, Stream.STDERR))
    report = LogReport(asked_id=wanted.asked_id, lines=lines, is_cut=True)
    assert send(agent, rental.placement_id, report) == (204, "")
    assert asked_of(agent, timezone.now()) == {}
    told = call(key, "GET", rental.pk).json()
    assert (told["state"], told["sentence"], told["is_cut"]) == ("taken", "", True)
    assert [(one["stream"], one["text"]) for one in told["lines"]] == [
        ("stdout", "ready"),
        ("stderr", SECRET),
    ]
    newer = call(key, "GET", rental.pk, f"?after={lines[0].at}").json()
    assert ([one["text"] for one in newer["lines"]], newer["is_cut"]) == ([SECRET], False)
    last = call(key, "GET", rental.pk, "?tail=1").json()
    assert ([one["text"] for one in last["lines"]], last["is_cut"]) == ([SECRET], True)
    kept = ContainerLog.objects.get()
    assert "hunter2" not in str(ContainerLog.objects.values().get())
    assert unseal(kept.sealed) == lines


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_nobody_else_asks_for_a_log_or_reads_it(
    method: str, market: Market, rental: Rental, alice: User, bob: User, charlie: User
) -> None:
    asked_id = put_question(rental)
    report = LogReport(asked_id=asked_id, lines=(line(SECRET),))
    assert send(market.agent, rental.placement_id, report) == (204, "")
    keys = {
        "": 401,
        key_of(bob): 404,
        key_of(charlie): 404,
        key_of(alice, [Scope.RENTALS_READ]): 403,
        key_of(alice, [Scope.ACCOUNT_WRITE]): 403,
    }
    for key, status in keys.items():
        reply = call(key, method, rental.pk)
        assert (reply.status_code, b"hunter2" in reply.content) == (status, False)
    reply = call(key_of(alice, [Scope.RENTALS_WRITE]), method, rental.pk)
    assert (reply.status_code, b"hunter2" in reply.content) == (
        {"GET": 200, "POST": 202}[method],
        True,
    )


def test_only_its_own_machine_answers_and_each_question_once(
    market: Market, rental: Rental
) -> None:
    asked_id = put_question(rental)
    report = LogReport(asked_id=asked_id, lines=(line("ready"),))
    stranger = Agent(private=Ed25519PrivateKey.generate())
    assert send(stranger, rental.placement_id, report) == (401, "machine_unknown")
    forged = send(market.agent, rental.placement_id, report, over=b"{}")
    assert forged == (401, "signature_invalid")
    other = Market.open(rental.placement.machine.host)
    for some in (report, LogReport(lines=(line("forged"),))):
        assert send(other.agent, rental.placement_id, some) == (409, "not_asked")
    guessed = LogReport(asked_id=uuid4(), lines=(line("forged"),))
    assert send(market.agent, rental.placement_id, guessed) == (409, "not_asked")
    assert send(market.agent, rental.placement_id, report) == (204, "")
    assert send(market.agent, rental.placement_id, report) == (409, "not_asked")
    assert [one.text for one in view(rental).lines] == ["ready"]
    assert send(market.agent, uuid4(), LogReport(lines=(line("of nobody"),))) == (409, "not_asked")
    mine = placement(market.machine)
    assert send(market.agent, mine.id, LogReport(lines=(line("of no rental"),)))[0] == 409


def test_a_question_waits_so_long_and_then_says_that_nobody_answered(rental: Rental) -> None:
    put_question(rental)
    ContainerLog.objects.update(asked_at=timezone.now() - rules.ANSWER_WITHIN)
    assert (view(rental).state, "did not answer" in view(rental).sentence) == ("late", True)
    machine_id = rental.placement.machine_id
    assert queries.asked([machine_id], failed={}, now=timezone.now()) == {}
    again = put_question(rental)
    (wanted,) = queries.asked([machine_id], failed={}, now=timezone.now())[machine_id]
    assert wanted.asked_id == again


def test_a_question_that_is_open_is_not_put_twice(market: Market, rental: Rental) -> None:
    first = put_question(rental)
    revision = Machine.objects.get(id=market.machine.id).desired_revision
    assert put_question(rental, 50) == first
    assert Machine.objects.get(id=market.machine.id).desired_revision == revision
    assert put_question(rental, 500) != first


@pytest.mark.parametrize("limit", ["OF_A_RENTAL", "OF_A_RENTER"])
def test_who_asks_too_often_waits(
    limit: str, rental: Rental, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = replace(getattr(asking, limit), attempts_max=2, window=timedelta(hours=1))
    monkeypatch.setattr(asking, limit, few)
    key = key_of(alice)
    for _ in range(2):
        assert call(key, "POST", rental.pk).status_code == 202
        ContainerLog.objects.update(asked_id=None)
    refused = call(key, "POST", rental.pk)
    assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
    assert 0 < int(refused["Retry-After"]) <= 3600


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"machine": {"online": False}}, "is silent"),
        ({"machine": {"agent_version": "0.1.0"}}, "too old"),
        ({"machine": {"agent_version": "dirty"}}, "too old"),
        ({"placement": {"state": "waiting"}}, "waits for its room"),
    ],
)
def test_who_cannot_answer_is_not_asked(
    changes: dict[str, dict[str, object]], part: str, rental: Rental, alice: User
) -> None:
    Machine.objects.update(**changes.get("machine", {"online": True}))
    Placement.objects.update(**changes.get("placement", {"starts": 0}))
    reply = call(key_of(alice), "POST", rental.pk)
    assert (reply.status_code, reply.json()["state"]) == (202, "none")
    assert part in reply.json()["sentence"]
    assert not ContainerLog.objects.exists()


def test_an_agent_that_knows_no_logs_hears_of_none(market: Market, rental: Rental) -> None:
    put_question(rental)
    silent = market.agent.sync(timezone.now(), agent_version="0.1.9")
    assert silent.logs == ()
    assert b'"logs"' not in sync._written(silent)
    able = market.agent.sync(timezone.now(), agent_version="0.2.0")
    assert len(able.logs) == 1
    assert b'"logs"' in sync._written(able)


def test_what_has_no_container_and_what_said_nothing_say_so(market: Market, rental: Rental) -> None:
    nothing = LogReport(asked_id=put_question(rental), has_container=False)
    assert send(market.agent, rental.placement_id, nothing) == (204, "")
    assert "no container yet" in view(rental).sentence
    silence = LogReport(asked_id=put_question(rental))
    assert send(market.agent, rental.placement_id, silence) == (204, "")
    assert view(rental).sentence == "It has said nothing."


def test_what_fails_leaves_its_last_words(market: Market, rental: Rental) -> None:
    last = LogReport(lines=(line("no such file: train.py"),))
    # The machine says both at about the same time, and either may come first.
    assert send(market.agent, rental.placement_id, last) == (204, "")
    fail(market, rental)
    assert [one.text for one in view(rental).lines] == ["no such file: train.py"]
    assert (view(rental).may_ask, view(rental).sentence) == (False, "")
    assert send(market.agent, rental.placement_id, last) == (204, "")
    late = timezone.now() - LAST_WITHIN
    Placement.objects.filter(id=rental.placement_id).update(ended_at=late)
    assert send(market.agent, rental.placement_id, last) == (409, "not_asked")


def test_the_machine_is_asked_for_the_last_words_of_what_the_site_calls_failed(
    market: Market, rental: Rental
) -> None:
    ending.end(rental_id=rental.pk, renter_id=rental.renter_id, now=timezone.now())
    assert asked_of(market.agent, timezone.now()) == {}
    Placement.objects.filter(id=rental.placement_id).update(
        state="failed", ended_at=timezone.now(), deadline_at=None
    )
    wanted = asked_of(market.agent, timezone.now())[rental.placement_id]
    nothing = LogReport(asked_id=wanted.asked_id, has_container=False)
    assert send(market.agent, rental.placement_id, nothing) == (409, "not_asked")
    told = LogReport(asked_id=wanted.asked_id, lines=(line("why"),))
    assert send(market.agent, rental.placement_id, told) == (204, "")
    assert [one.text for one in view(rental).lines] == ["why"]
    assert market.agent.sync(timezone.now(), agent_version="0.1.0").logs == ()


def test_what_its_renter_ended_leaves_nothing(market: Market, rental: Rental) -> None:
    ending.end(rental_id=rental.pk, renter_id=rental.renter_id, now=timezone.now())
    market.end(rental, at=timezone.now())
    assert send(market.agent, rental.placement_id, LogReport(lines=(line("why"),)))[0] == 409
    assert (view(rental).state, "has ended" in view(rental).sentence) == ("none", True)


def test_what_was_sent_is_gone_an_hour_later(market: Market, rental: Rental) -> None:
    report = LogReport(asked_id=put_question(rental), lines=(line(SECRET),))
    send(market.agent, rental.placement_id, report)
    taken_at = ContainerLog.objects.get().taken_at
    assert taken_at is not None
    assert forget(now=taken_at + KEPT - timedelta(seconds=1)) == 0
    late = queries.view(rental.pk, rental.renter_id, taken_at + KEPT)
    assert (late.state, late.lines) == ("none", ())
    assert forget(now=taken_at + KEPT) == 1


def test_a_deleted_account_leaves_no_log_and_gets_none(
    market: Market, rental: Rental, bob: User
) -> None:
    fail(market, rental)
    report = LogReport(lines=(line(SECRET),))
    assert send(market.agent, rental.placement_id, report) == (204, "")
    # Its rentals are over; whose money is left is another matter.
    Rental.objects.update(renter=bob)
    delete(user_id=bob.pk, now=timezone.now())
    assert not ContainerLog.objects.exists()
    assert send(market.agent, rental.placement_id, report) == (409, "not_asked")
