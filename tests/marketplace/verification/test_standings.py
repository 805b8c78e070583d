"""What several validators say of one machine, and what is noted of it."""

from datetime import timedelta

import bittensor_core
import pytest
from django.core.management import CommandError, call_command

from marketplace.domain.standing import StandingState
from marketplace.machines.models import Machine
from marketplace.offers.actions.list_offer import list_offer
from marketplace.offers.actions.refresh import refresh_all
from marketplace.offers.models import Offer
from marketplace.verification import queries
from marketplace.verification.actions.admit_validator import admit
from marketplace.verification.actions.note import KEPT, forget_events
from marketplace.verification.actions.record_verdict import record
from marketplace.verification.models import StandingEvent, Validator, VerdictRecord
from protocol.agent import Problem
from protocol.validator import VerdictState
from tests.marketplace.scene import NOW, Judge, after, machine

pytestmark = pytest.mark.django_db
NOW_MS = int(NOW.timestamp() * 1000)
LASTS_MS = 3_600_000
SLOW = Problem(code="cpu_slow", message="Too slow.")


def judge(name: str, *, stake: int = 1) -> Judge:
    made = Judge(bittensor_core.Keypair.create_from_uri(f"//{name}"))
    admit(hotkey=made.keypair.ss58_address, name=name, stake=stake, now=NOW)
    return made


def say(
    who: Judge, on: Machine, state: VerdictState, *, at: float = 0, lasts_s: float = 3600
) -> None:
    at_ms = NOW_MS + int(at * 1000)
    signed = who.verdict(
        on,
        state=state,
        reasons=() if state is VerdictState.VERIFIED else (SLOW,),
        checked_at_ms=at_ms,
        expires_at_ms=at_ms + int(lasts_s * 1000),
    )
    record(signed=signed, now=after(at))


def standing(on: Machine, at: float) -> queries.Standing:
    return queries.standings(Machine.objects.all(), after(at))[on.id]


def test_a_minority_of_stake_neither_lists_nor_unlists() -> None:
    on, great, small = machine(), judge("great", stake=60), judge("small", stake=40)
    say(great, on, VerdictState.VERIFIED)
    say(small, on, VerdictState.SUSPENDED, at=1)
    assert standing(on, 2).state is StandingState.VERIFIED
    assert standing(on, 2).reasons == ()
    say(great, on, VerdictState.DEGRADED, at=3)
    say(small, on, VerdictState.VERIFIED, at=3)
    assert standing(on, 4).state is StandingState.DEGRADED
    assert [spoken.validator for spoken in standing(on, 4).words] == ["great", "small"]


def test_stake_that_the_operator_sets_again_weighs_at_once() -> None:
    on, one, two = machine(), judge("one"), judge("two")
    say(one, on, VerdictState.VERIFIED)
    say(two, on, VerdictState.SUSPENDED)
    assert not standing(on, 1).is_verified
    call_command("add_validator", one.keypair.ss58_address, name="one", stake=5)
    assert standing(on, 1).is_verified
    call_command("add_validator", one.keypair.ss58_address, name="one")
    assert Validator.objects.get(name="one").stake == 5
    with pytest.raises(CommandError, match="whole number"):
        call_command("add_validator", one.keypair.ss58_address, name="one", stake=-1)


def test_a_word_without_stake_is_published_and_decides_nothing() -> None:
    on, watcher = machine(), judge("watcher", stake=0)
    say(watcher, on, VerdictState.VERIFIED)
    assert standing(on, 1).state is StandingState.NEW
    assert len(standing(on, 1).words) == 1


def test_a_word_that_was_taken_back_does_not_come_back_when_the_later_one_expires() -> None:
    on, one = machine(), judge("one")
    say(one, on, VerdictState.VERIFIED, lasts_s=3000)
    say(one, on, VerdictState.SUSPENDED, at=10, lasts_s=60)
    assert standing(on, 69).state is StandingState.SUSPENDED
    assert standing(on, 70).state is StandingState.NEW


def test_a_verdict_that_comes_late_takes_back_nothing_that_was_found_later() -> None:
    on, one = machine(), judge("one")
    say(one, on, VerdictState.VERIFIED, at=30)
    late = one.verdict(on, state=VerdictState.SUSPENDED, checked_at_ms=NOW_MS + 10_000)
    record(signed=late, now=after(31))
    assert standing(on, 32).is_verified
    assert VerdictRecord.objects.filter(newest=True).count() == 1


def test_an_offer_is_verified_until_so_many_words_expired_that_the_rest_says_otherwise() -> None:
    on, great, small = machine(), judge("great", stake=60), judge("small", stake=40)
    list_offer(machine_id=on.id, now=NOW)
    say(great, on, VerdictState.VERIFIED, lasts_s=100)
    say(small, on, VerdictState.SUSPENDED, lasts_s=500)
    refresh_all(now=after(1))
    assert Offer.objects.get().verified_until == after(100)
    say(small, on, VerdictState.VERIFIED, at=2, lasts_s=498)
    refresh_all(now=after(3))
    assert Offer.objects.get().verified_until == after(500)


def test_a_ban_needs_more_than_two_thirds_and_outlasts_its_words() -> None:
    on, great, small = machine(), judge("great", stake=2), judge("small", stake=1)
    say(small, on, VerdictState.VERIFIED)
    say(great, on, VerdictState.BANNED, lasts_s=60)
    assert standing(on, 1).state is StandingState.SUSPENDED
    say(small, on, VerdictState.BANNED, at=2, lasts_s=60)
    for later in (3, 3600, 10**8):
        assert standing(on, later).state is StandingState.BANNED
    say(great, on, VerdictState.VERIFIED, at=100)
    say(small, on, VerdictState.VERIFIED, at=100)
    found = standing(on, 101)
    assert (found.state, found.is_verified) == (StandingState.BANNED, False)
    assert (found.expires_at, found.since) == (None, after(2))
    assert found.reasons[0].code == "banned"


def test_every_change_is_noted_once_with_what_it_means_and_why() -> None:
    on, one = machine(), judge("one")
    list_offer(machine_id=on.id, now=NOW)
    assert standing(on, 0).since is None
    say(one, on, VerdictState.VERIFIED, lasts_s=100)
    say(one, on, VerdictState.VERIFIED, at=50, lasts_s=100)
    say(one, on, VerdictState.DEGRADED, at=100, lasts_s=60)
    refresh_all(now=after(110))
    assert standing(on, 120).since == after(100)
    # Nobody speaks any more: the pass over all offers notes that.
    refresh_all(now=after(170))
    refresh_all(now=after(180))
    events = list(StandingEvent.objects.order_by("id").values_list("state", "at"))
    assert events == [("verified", NOW), ("degraded", after(100)), ("new", after(170))]
    assert "slow or silent. Too slow." in StandingEvent.objects.get(state="degraded").text


def test_events_are_forgotten_after_a_quarter_of_a_year() -> None:
    on, one = machine(), judge("one")
    say(one, on, VerdictState.VERIFIED, lasts_s=100)
    forget_events(now=NOW + KEPT)
    assert StandingEvent.objects.count() == 1
    forget_events(now=NOW + KEPT + timedelta(seconds=1))
    assert not StandingEvent.objects.exists()
    assert standing(on, 50).since == NOW
