"""Whoever owns an account hears of what may have been somebody else, by a letter too."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.core import mail as outbox
from django.test import Client
from django.utils import timezone

from marketplace.accounts import second_step
from marketplace.accounts.actions import issue_api_key
from marketplace.accounts.actions.prove_email import prove
from marketplace.accounts.models import AccountEvent, User
from marketplace.notices.actions.mail import mail
from marketplace.notices.actions.tell_accounts import SAID, tell_accounts
from marketplace.notices.models import Notice
from tests.marketplace.browsers import enter


def guarded(user: User) -> Authenticator:
    return Authenticator.objects.create(
        user=user, type=Authenticator.Type.RECOVERY_CODES, data={"migrated_codes": []}
    )


def test_every_kind_of_event_has_its_words() -> None:
    assert set(SAID) == set(AccountEvent.Kind)


def test_a_new_api_key_is_told_once_and_only_to_its_owner(
    alice: User, bob: User, now: datetime, settings: Any
) -> None:
    settings.MAILS_NOTICES = True
    for user in (alice, bob):
        prove(user=user)
    issued = issue_api_key.issue(user_id=alice.pk, name="ci {about}", now=now)
    assert [tell_accounts(now=now), tell_accounts(now=now)] == [1, 0]
    assert mail(now=now) == 1
    (letter,) = outbox.outbox
    assert letter.to == [alice.email]
    assert f"ci {{about}} ({issued.key.prefix}…)" in letter.body
    assert issued.secret not in letter.body
    assert "ends every API key" in letter.body


def test_a_second_step_that_is_taken_off_is_told(alice: User, now: datetime) -> None:
    app = Authenticator.objects.create(user=alice, type=Authenticator.Type.TOTP, data={})
    taken_off = enter(Client(), alice)
    session = taken_off.session
    records = session["account_authentication_methods"]
    session["account_authentication_methods"] = [one | {"reauthenticated": True} for one in records]
    session.save()
    taken_off.post("/accounts/2fa/totp/deactivate/")
    assert not Authenticator.objects.filter(pk=app.pk).exists()
    guarded(alice)
    assert second_step.remove(user=alice)
    assert not second_step.remove(user=alice)
    assert tell_accounts(now=now) == 2
    told = list(Notice.objects.order_by("id").values_list("kind", "text"))
    assert [kind for kind, _ in told] == ["second_step_removed"] * 2
    assert "an operator" not in told[0][1]
    assert "an operator" in told[1][1]


def fail(user: User, times: int, now: datetime, wait: timedelta) -> datetime:
    """Give wrong codes, as slowly as the limit of a few minutes lets one; return the time then."""
    for _ in range(times):
        with pytest.raises(second_step.WrongCode):
            second_step.check(user=user, code="000000", now=now)
        now += wait
    return now


def test_many_wrong_codes_are_told_once_a_day(alice: User, now: datetime) -> None:
    guarded(alice)
    few = second_step.FAILURES.attempts_max
    then = fail(alice, few, now, timedelta(minutes=10))
    assert tell_accounts(now=then) == 0
    then = fail(alice, 3 * few, then, timedelta(minutes=10))
    assert tell_accounts(now=then) == 1
    assert Notice.objects.get().kind == "codes_failed"
    fail(alice, 2 * few, now + timedelta(days=2), timedelta(minutes=10))
    assert tell_accounts(now=then) == 1


def test_codes_that_are_refused_unread_count_too(alice: User, now: datetime) -> None:
    guarded(alice)
    fail(alice, second_step.CODES.attempts_max, now, timedelta())
    with pytest.raises(second_step.TooManyAttempts):
        second_step.check(user=alice, code="000000", now=now)
    assert tell_accounts(now=now) == 1


def test_right_codes_are_told_to_nobody(alice: User) -> None:
    from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes

    for _ in range(2):
        Authenticator.objects.filter(user=alice).delete()
        for code in RecoveryCodes.activate(alice).generate_codes():
            second_step.check(user=alice, code=code, now=timezone.now())
    assert tell_accounts(now=timezone.now()) == 0
