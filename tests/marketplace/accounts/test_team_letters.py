"""Letters about teams reach who was invited, and owners; none goes to a team's own address."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.core import mail as outbox
from django.db import connection
from django.test.utils import CaptureQueriesContext

from marketplace.accounts import teams
from marketplace.accounts.actions import change_member, invite
from marketplace.accounts.actions.issue_api_key import issue
from marketplace.accounts.actions.mail_invitations import mail_invitations
from marketplace.accounts.actions.prove_email import prove
from marketplace.accounts.models import Invitation, User
from marketplace.accounts.teams import invitation_by_link
from marketplace.domain.team import INVITATION_LASTS, Role
from marketplace.notices.actions.mail import mail
from marketplace.notices.actions.notify import notify
from marketplace.notices.actions.tell_accounts import tell_accounts
from marketplace.notices.models import Notice
from tests.marketplace.teams import team_of


@pytest.fixture(autouse=True)
def _mails(settings: Any) -> None:
    settings.MAILS_NOTICES = True


@pytest.fixture
def team(alice: User, bob: User, charlie: User, now: datetime) -> User:
    for user in (alice, bob, charlie):
        prove(user=user)
    return team_of(alice, now, bob=(bob, Role.BILLING), charlie=(charlie, Role.MANAGER))


def letters() -> list[tuple[list[str], str]]:
    return [(sorted(one.to), one.subject) for one in outbox.outbox]


def test_an_invitation_is_written_once_with_its_link(
    team: User, alice: User, now: datetime
) -> None:
    made = invite.invite(
        by_id=alice.pk, team_id=team.pk, email="new@example.com", role=Role.MEMBER, now=now
    )
    assert [mail_invitations(now=now), mail_invitations(now=now)] == [1, 0]
    (letter,) = outbox.outbox
    assert letter.to == ["new@example.com"]
    token = str(letter.body).partition("/teams/join/")[2].partition("/")[0]
    assert invitation_by_link(token) == made.pk
    mail_invitations(now=now + INVITATION_LASTS)
    assert not Invitation.objects.exists()


def test_an_address_that_no_server_takes_keeps_no_other_waiting(
    team: User, alice: User, now: datetime
) -> None:
    for email in (f"a@{'ä' * 60}.com", "new@example.com"):
        invite.invite(by_id=alice.pk, team_id=team.pk, email=email, role=Role.MEMBER, now=now)
    assert mail_invitations(now=now) == 1
    assert [one.to for one in outbox.outbox] == [["new@example.com"]]
    assert not Invitation.objects.filter(mail_due_at__isnull=False).exists()


def test_it_waits_for_a_mail_server(team: User, alice: User, now: datetime, settings: Any) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    invite.invite(
        by_id=alice.pk, team_id=team.pk, email="new@example.com", role=Role.MEMBER, now=now
    )
    assert mail_invitations(now=now) == 0
    assert Invitation.objects.get().mail_due_at == now + timedelta(seconds=30)


def test_a_teams_notice_goes_to_its_owners_and_money_to_who_pays(
    team: User, alice: User, bob: User, now: datetime
) -> None:
    for kind in ("rental_failed", "balance_low"):
        notify(user_id=team.pk, kind=kind, cause=kind, title=kind, now=now)
    assert mail(now=now) == 2
    assert sorted(letters()) == [
        ([alice.email], "rental_failed"),
        ([alice.email, bob.email], "balance_low"),
    ]
    assert not any("invalid" in one for to, _ in letters() for one in to)


def test_to_find_many_owners_costs_what_one_costs(
    team: User, alice: User, bob: User, charlie: User, now: datetime
) -> None:
    # Other teams and addresses of theirs change nothing.
    other = team_of(bob, now, alice=(alice, Role.OWNER))
    EmailAddress.objects.create(user=alice, email="Second@example.com", verified=True)
    EmailAddress.objects.create(user=bob, email="unproven@example.com", verified=False)
    with CaptureQueriesContext(connection) as asked:
        assert teams.letters_to(team.pk) == (alice.email,)
        assert teams.letters_to(team.pk, Role.BILLING, Role.MANAGER) == (
            alice.email,
            bob.email,
            charlie.email,
        )
        assert teams.letters_to(other.pk) == (bob.email, alice.email)
    assert len(asked) == 3
    User.objects.filter(pk=alice.pk).update(is_active=False)
    assert teams.letters_to(team.pk) == ()


def test_a_team_whose_owners_proved_nothing_gets_no_letter(bob: User, now: datetime) -> None:
    notify(user_id=team_of(bob, now).pk, kind="balance_low", cause="x", title="x", now=now)
    assert mail(now=now) == 0
    assert outbox.outbox == []


def test_owners_and_who_it_is_about_are_told_of_a_change(
    team: User, alice: User, charlie: User, now: datetime
) -> None:
    role = {"by_id": alice.pk, "team_id": team.pk, "person_id": charlie.pk, "now": now}
    change_member.set_role(**role, role=Role.OWNER)
    assert tell_accounts(now=now) == 2
    told = Notice.objects.get(user=charlie)
    assert (told.kind, told.text) == (
        "team_changed",
        "Acme: charlie@example.com now has the role owner.",
    )
    assert Notice.objects.get(user=team).text == told.text


def test_a_teams_key_tells_of_no_password(team: User, alice: User, now: datetime) -> None:
    issue(user_id=team.pk, name="ci", made_by_id=alice.pk, now=now)
    tell_accounts(now=now)
    assert "password" not in Notice.objects.get(user=team, kind="api_key_made").text
