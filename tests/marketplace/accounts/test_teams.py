"""Who may let whom into a team, and out of it."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from marketplace.accounts import queries, teams
from marketplace.accounts.actions import answer_invitation, change_member, invite, make_team
from marketplace.accounts.actions.count_attempt import TooManyAttempts
from marketplace.accounts.actions.issue_api_key import issue
from marketplace.accounts.actions.note_team_event import KEPT_FOR, forget_team_events, note
from marketplace.accounts.actions.prove_email import prove
from marketplace.accounts.models import ApiKey, Invitation, Membership, TeamEvent, User
from marketplace.domain.team import INVITATION_LASTS, TEAMS_MAX, Role
from tests.marketplace.teams import team_of


@pytest.fixture
def proven(alice: User, bob: User) -> None:
    for user in (alice, bob):
        prove(user=user)


def invited(team: User, by: User, to: str, now: datetime, role: Role = Role.MEMBER) -> Invitation:
    return invite.invite(by_id=by.pk, team_id=team.pk, email=to, role=role, now=now)


def roles(team: User) -> dict[str, str]:
    return {one.person.email.partition("@")[0]: one.role for one in teams.members(team.pk)}


def test_whoever_makes_a_team_owns_it_and_nobody_logs_in_as_it(alice: User, now: datetime) -> None:
    team = make_team.make(person_id=alice.pk, name="\u00a0 Acme \u202f Inc. ", now=now)
    assert (team.is_team, team.team_name, str(team)) == (True, "Acme Inc.", "Acme Inc.")
    assert roles(team) == {"alice": "owner"}
    assert not team.has_usable_password()
    for change in ({"password": "pbkdf2$1"}, {"is_staff": True}, {"is_superuser": True}):
        with pytest.raises(IntegrityError), transaction.atomic():
            User.objects.filter(pk=team.pk).update(**change)


def test_a_team_makes_no_team_and_is_in_none(alice: User, now: datetime) -> None:
    team = team_of(alice, now)
    with pytest.raises(User.DoesNotExist):
        make_team.make(person_id=team.pk, name="Sub", now=now)
    with pytest.raises(IntegrityError), transaction.atomic():
        Membership.objects.create(team=team, person=team, role=Role.OWNER, since=now)


def test_an_invitation_is_taken_once_by_whoever_proves_its_address(
    alice: User, bob: User, charlie: User, proven: None, now: datetime
) -> None:
    team = team_of(alice, now)
    made = invited(team, alice, " Bob@Example.com ", now)
    assert made.email == "bob@example.com"
    assert teams.invitation_by_link(teams.link_token(made)) == made.pk
    prove(user=charlie)
    for other in (charlie, alice):
        with pytest.raises(teams.InvitationUnknown):
            answer_invitation.join(person_id=other.pk, invitation_id=made.pk, now=now)
    answer_invitation.join(person_id=bob.pk, invitation_id=made.pk, now=now)
    assert roles(team) == {"alice": "owner", "bob": "member"}
    with pytest.raises(teams.InvitationUnknown):
        answer_invitation.join(person_id=bob.pk, invitation_id=made.pk, now=now)


def test_who_has_not_proven_the_address_takes_nothing(
    alice: User, charlie: User, now: datetime
) -> None:
    prove(user=alice)
    made = invited(team_of(alice, now), alice, charlie.email, now)
    assert teams.invitations_to(charlie.pk, now) == ()
    with pytest.raises(teams.InvitationUnknown):
        answer_invitation.join(person_id=charlie.pk, invitation_id=made.pk, now=now)
    with pytest.raises(teams.InvitationUnknown):
        answer_invitation.decline(person_id=charlie.pk, invitation_id=made.pk, now=now)


def test_a_manager_replaces_no_invitation_to_more_than_they_give(
    alice: User, bob: User, proven: None, now: datetime
) -> None:
    team = team_of(alice, now, bob=(bob, Role.MANAGER))
    prove(user=bob)
    to = {"team_id": team.pk, "email": "new@example.com", "now": now}
    given = invite.invite(by_id=alice.pk, role=Role.OWNER, **to)
    with pytest.raises(teams.RoleMissing):
        invite.invite(by_id=bob.pk, role=Role.MEMBER, **to)
    assert Invitation.objects.get() == given


@pytest.mark.parametrize("token", ["", "x", "8b9c1f0e-5d1c-4d7b-9a30-0c6de4b1a111", "eyJ4Ijox.1.2"])
def test_a_link_that_is_not_ours_leads_nowhere(token: str) -> None:
    assert teams.invitation_by_link(token) is None


def test_an_invitation_ends_by_time_by_a_newer_one_and_when_taken_back(
    alice: User, bob: User, proven: None, now: datetime
) -> None:
    team = team_of(alice, now)
    first = invited(team, alice, bob.email, now)
    second = invited(team, alice, bob.email, now, Role.MANAGER)
    late = now + INVITATION_LASTS
    for invitation_id, at in ((first.pk, now), (second.pk, late)):
        with pytest.raises(teams.InvitationUnknown):
            answer_invitation.join(person_id=bob.pk, invitation_id=invitation_id, now=at)
    invite.take_back(by_id=alice.pk, team_id=team.pk, invitation_id=second.pk, now=now)
    assert not Invitation.objects.exists()
    with pytest.raises(teams.InvitationUnknown):
        invite.take_back(by_id=alice.pk, team_id=team.pk, invitation_id=second.pk, now=now)


def test_an_invitation_is_worth_what_its_writer_may_give_when_it_is_taken(
    alice: User, bob: User, charlie: User, proven: None, now: datetime
) -> None:
    prove(user=charlie)
    team = team_of(alice, now, bob=(bob, Role.OWNER))
    made = invited(team, bob, charlie.email, now, Role.OWNER)
    Membership.objects.filter(person=bob).update(role=Role.MANAGER)
    with pytest.raises(teams.InvitationUnknown):
        answer_invitation.join(person_id=charlie.pk, invitation_id=made.pk, now=now)
    assert "charlie" not in roles(team)


def test_what_somebody_wrote_and_made_ends_with_their_role(
    alice: User, bob: User, proven: None, now: datetime
) -> None:
    team = team_of(alice, now, bob=(bob, Role.OWNER))
    invited(team, bob, "new@example.com", now, Role.BILLING)
    left = invited(team, bob, "other@example.com", now, Role.MEMBER)
    key = issue(user_id=team.pk, name="ci", made_by_id=bob.pk, now=now).key
    role = {"by_id": alice.pk, "team_id": team.pk, "person_id": bob.pk, "now": now}
    change_member.set_role(**role, role=Role.MANAGER)
    assert [one.pk for one in Invitation.objects.all()] == [left.pk]
    key.refresh_from_db()
    assert key.revoked_at is None
    change_member.set_role(**role, role=Role.MEMBER)
    assert not Invitation.objects.exists()
    key.refresh_from_db()
    assert key.revoked_at == now


@pytest.mark.parametrize("role", [Role.OWNER, Role.MANAGER, Role.BILLING])
def test_a_manager_raises_nobody_and_takes_no_owner_away(
    alice: User, bob: User, charlie: User, proven: None, now: datetime, role: Role
) -> None:
    team = team_of(alice, now, bob=(bob, Role.MANAGER), charlie=(charlie, Role.MEMBER))
    asked: dict[str, Any] = {"by_id": bob.pk, "team_id": team.pk, "now": now}
    with pytest.raises(teams.RoleMissing):
        invite.invite(**asked, email="new@example.com", role=role)
    for person in (bob, charlie):
        with pytest.raises(teams.RoleMissing):
            change_member.set_role(**asked, person_id=person.pk, role=role)
    with pytest.raises(teams.RoleMissing):
        change_member.remove(**asked, person_id=alice.pk)
    with pytest.raises(teams.RoleMissing):
        make_team.rename(**asked, name="Ours")
    assert roles(team) == {"alice": "owner", "bob": "manager", "charlie": "member"}
    change_member.remove(**asked, person_id=charlie.pk)
    assert "charlie" not in roles(team)


def test_nobody_from_outside_does_anything(
    alice: User, bob: User, proven: None, now: datetime
) -> None:
    team, other = team_of(alice, now), team_of(bob, now)
    made = invited(team, alice, "new@example.com", now)
    asked: dict[str, Any] = {"by_id": bob.pk, "team_id": team.pk, "now": now}
    with pytest.raises(teams.TeamUnknown):
        invite.invite(**asked, email=bob.email, role=Role.OWNER)
    with pytest.raises(teams.TeamUnknown):
        invite.take_back(**asked, invitation_id=made.pk)
    with pytest.raises(teams.TeamUnknown):
        change_member.remove(**asked, person_id=alice.pk)
    with pytest.raises(teams.TeamUnknown):
        make_team.rename(**asked, name="Mine")
    theirs = asked | {"team_id": other.pk}
    with pytest.raises(teams.InvitationUnknown):
        invite.take_back(**theirs, invitation_id=made.pk)
    with pytest.raises(change_member.MemberUnknown):
        change_member.remove(**theirs, person_id=alice.pk)
    with pytest.raises(teams.TeamUnknown):
        teams.acting(alice.pk, alice.pk)


def test_there_is_always_an_owner_who_can_log_in(alice: User, bob: User, now: datetime) -> None:
    team = team_of(alice, now, bob=(bob, Role.OWNER))
    User.objects.filter(pk=bob.pk).update(is_active=False)
    mine = {"by_id": alice.pk, "team_id": team.pk, "person_id": alice.pk, "now": now}
    for act in (
        lambda: change_member.remove(**mine),
        lambda: change_member.set_role(**mine, role=Role.MEMBER),
    ):
        with pytest.raises(change_member.LastOwner):
            act()
    # What a deletion asks for.
    assert teams.only_owner_of(alice.pk) == team
    User.objects.filter(pk=bob.pk).update(is_active=True)
    assert teams.only_owner_of(alice.pk) is None
    change_member.remove(**mine)
    assert roles(team) == {"bob": "owner"}


def test_a_team_or_a_person_who_is_shut_out_does_nothing(
    alice: User, bob: User, now: datetime
) -> None:
    team = team_of(alice, now, bob=(bob, Role.OWNER))
    for shut in (team, bob):
        User.objects.filter(pk=shut.pk).update(is_active=False)
        with pytest.raises(teams.TeamUnknown):
            teams.acting(bob.pk, team.pk)
        with pytest.raises(teams.TeamUnknown):
            make_team.rename(by_id=bob.pk, team_id=team.pk, name="New", now=now)
        User.objects.filter(pk=shut.pk).update(is_active=True)


def test_strangers_are_written_to_so_often_only(alice: User, proven: None, now: datetime) -> None:
    team = team_of(alice, now)
    for _ in range(invite.RECEIVED.attempts_max):
        invited(team, alice, "one@example.com", now)
    with pytest.raises(TooManyAttempts):
        invited(team, alice, "one@example.com", now)
    with pytest.raises(invite.AddressMalformed):
        invited(team, alice, "nobody", now)
    left = invite.WRITTEN.attempts_max - invite.RECEIVED.attempts_max
    for number in range(left):
        invited(team, alice, f"{number}@example.com", now)
    with pytest.raises(TooManyAttempts):
        invited(team, alice, "last@example.com", now + timedelta(hours=1))


def test_who_is_in_it_and_who_has_proven_nothing_invites_in_vain(
    alice: User, bob: User, now: datetime
) -> None:
    team = team_of(alice, now, bob=(bob, Role.MEMBER))
    with pytest.raises(invite.OwnAddressUnproven):
        invited(team, alice, "new@example.com", now)
    prove(user=alice)
    prove(user=bob)
    with pytest.raises(invite.InTeamAlready):
        invited(team, alice, "BOB@example.com", now)


def test_people_are_in_so_many_teams_only(alice: User, now: datetime) -> None:
    for number in range(TEAMS_MAX):
        make_team.make(person_id=alice.pk, name="T", now=now + timedelta(days=number))
    with pytest.raises(make_team.TooManyTeams):
        make_team.make(person_id=alice.pk, name="T", now=now + timedelta(days=40))


def test_a_changed_password_ends_keys_that_were_made_for_teams(alice: User, now: datetime) -> None:
    team = team_of(alice, now)
    secret = issue(user_id=team.pk, name="ci", made_by_id=alice.pk, now=now).secret
    assert queries.key_of(secret, now) is not None
    alice.set_password("another horse battery")
    alice.save()
    assert queries.key_of(secret, now) is None
    assert ApiKey.objects.get().revoked_at is not None


def test_what_was_done_is_kept_for_a_time(alice: User, now: datetime) -> None:
    team = team_of(alice, now)
    note(team_id=team.pk, by_id=alice.pk, kind="did", about="POST /x", now=now + KEPT_FOR)
    assert forget_team_events(now=now + KEPT_FOR) == 1
    assert [one.kind for one in TeamEvent.objects.all()] == ["did"]


def test_the_oldest_go_where_there_are_very_many(
    alice: User, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("marketplace.accounts.actions.note_team_event.KEPT_MAX", 3)
    team = team_of(alice, now)
    for number in range(5):
        note(team_id=team.pk, by_id=alice.pk, kind="did", about=str(number), now=now)
    assert forget_team_events(now=now) == 2
    # Who came and went is never pushed out by what somebody does a thousand times.
    made, *did = TeamEvent.objects.order_by("id")
    assert made.kind == "made"
    assert [one.about for one in did] == ["2", "3", "4"]
