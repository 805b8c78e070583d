"""Letters go to proven addresses alone, once, and wait for a mail server that fails."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from django.core import mail as outbox
from pytest_django.fixtures import Settings

from marketplace.accounts.actions.prove_email import prove
from marketplace.accounts.models import User
from marketplace.notices.actions.forget import KEPT, forget
from marketplace.notices.actions.mail import LETTERS_MAX, mail
from marketplace.notices.actions.set_letters import KindUnknown, set_letter
from marketplace.notices.models import Notice

pytestmark = pytest.mark.django_db
Tell = Callable[..., bool]


@pytest.fixture(autouse=True)
def _mails(settings: Settings) -> None:
    settings.MAILS_NOTICES = True


def test_a_proven_address_gets_one_letter_and_an_unproven_one_none(
    alice: User, bob: User, tell: Tell, now: datetime
) -> None:
    prove(user=alice)
    tell(alice, "one\nBcc: eve@example.com")
    tell(bob, "two")
    assert [mail(now=now), mail(now=now + timedelta(days=1))] == [1, 0]
    (letter,) = outbox.outbox
    assert letter.to == ["alice@example.com"]
    assert letter.subject == "Told of one Bcc: eve@example.com"
    assert "In words." in letter.body
    assert "/money/\n" in letter.body
    assert Notice.objects.get(user=alice).mailed_at == now
    assert Notice.objects.get(user=bob).mailed_at is None
    assert not Notice.objects.filter(mail_due_at__isnull=False).exists()


def test_no_letter_is_sent_of_a_kind_that_was_turned_off_even_one_that_waits(
    alice: User, bob: User, tell: Tell, now: datetime
) -> None:
    for user in (alice, bob):
        prove(user=user)
        tell(user, "one")
    set_letter(user_id=alice.pk, kind="balance_low", on=False)
    assert mail(now=now) == 1
    assert [letter.to for letter in outbox.outbox] == [["bob@example.com"]]
    assert not Notice.objects.filter(mail_due_at__isnull=False).exists()
    set_letter(user_id=alice.pk, kind="balance_low", on=True)
    tell(alice, "two")
    assert mail(now=now) == 1
    with pytest.raises(KindUnknown):
        set_letter(user_id=alice.pk, kind="spend_limit_changed", on=False)


def test_what_is_always_written_is_sent_first(alice: User, tell: Tell, now: datetime) -> None:
    prove(user=alice)
    for number in range(LETTERS_MAX):
        tell(alice, f"low {number}")
    tell(alice, "key", now=now + timedelta(seconds=1))
    Notice.objects.filter(cause="key").update(kind="api_key_made")
    assert mail(now=now + timedelta(seconds=1)) == LETTERS_MAX
    assert outbox.outbox[0].subject == "Told of key"
    assert Notice.objects.get(mail_due_at__isnull=False).kind == "balance_low"


def test_a_letter_waits_for_a_mail_server_that_fails(
    alice: User, tell: Tell, now: datetime, settings: Settings
) -> None:
    prove(user=alice)
    tell(alice, "one")
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    assert mail(now=now) == 0
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    assert mail(now=now + timedelta(hours=2)) == 1


def test_nothing_is_mailed_where_the_site_mails_no_notices(
    alice: User, tell: Tell, now: datetime, settings: Settings
) -> None:
    settings.MAILS_NOTICES = False
    prove(user=alice)
    tell(alice, "one")
    settings.MAILS_NOTICES = True
    assert mail(now=now) == 0


def test_old_notices_are_dropped(alice: User, tell: Tell, now: datetime) -> None:
    tell(alice, "old")
    tell(alice, "new", now=now + timedelta(seconds=1))
    assert forget(now=now + KEPT + timedelta(seconds=1)) == 1
    assert Notice.objects.get().cause == "new"
