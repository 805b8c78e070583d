"""Programs change who is in a team as far as their person's role goes, and nobody else's do."""

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from marketplace.accounts.actions import change_member, issue_api_key
from marketplace.accounts.actions import invite as inviting
from marketplace.accounts.actions.count_attempt import TooManyAttempts
from marketplace.accounts.actions.prove_email import prove
from marketplace.accounts.models import Invitation, Membership, TeamEvent, User
from marketplace.domain.scope import Scope
from marketplace.domain.team import Role
from tests.marketplace.accounts.test_team_calls import key
from tests.marketplace.teams import team_of


@pytest.fixture
def now() -> datetime:
    # The API reads the clock, and invitations end.
    return timezone.now()


@pytest.fixture
def team(alice: User, bob: User, now: datetime) -> User:
    for person in (alice, bob):
        prove(user=person)
    return team_of(alice, now, bob=(bob, Role.MEMBER))


def ask(
    secret: str, path: str, *, team: object = None, method: str = "GET", body: object = None
) -> tuple[int, Any]:
    """Return the status, and what was said or the code of the refusal."""
    headers = {"authorization": f"Bearer {secret}"}
    if team is not None:
        headers["berth-team"] = str(team)
    sent = "" if body is None else json.dumps(body)
    reply = Client().generic(method, f"/api/v1{path}", sent, "application/json", headers=headers)
    if not reply.content:
        return reply.status_code, None
    said = reply.json()
    return reply.status_code, said["code"] if reply.status_code >= 400 else said


def invite(secret: str, team: User, email: str, role: str = "member") -> tuple[int, Any]:
    body = {"email": email, "role": role}
    return ask(secret, f"/teams/{team.pk}/invitations", method="POST", body=body)


def changes(team: User, whom: User, invitation: object) -> Iterator[tuple[str, str, object]]:
    """Yield every way to change who is in the team."""
    yield "POST", f"/teams/{team.pk}/invitations", {"email": "new@example.com", "role": "member"}
    yield "DELETE", f"/teams/{team.pk}/invitations/{invitation}", None
    yield "PATCH", f"/teams/{team.pk}/members/{whom.pk}", {"role": "owner"}
    yield "DELETE", f"/teams/{team.pk}/members/{whom.pk}", None


def test_somebody_is_invited_goes_in_gets_a_role_and_is_let_go(
    team: User, alice: User, charlie: User, now: datetime
) -> None:
    prove(user=charlie)
    owner, theirs = key(alice, now), key(charlie, now)
    status, made = invite(owner, team, charlie.email.upper(), "billing")
    assert (status, made["email"], made["role"], made["team"]) == (
        *(201, charlie.email),
        *("billing", "Acme"),
    )
    assert ask(owner, f"/teams/{team.pk}/invitations") == (200, [made])
    assert ask(theirs, "/invitations") == (200, [made])
    status, joined = ask(theirs, f"/invitations/{made['id']}/accept", method="POST")
    assert (status, joined["id"], joined["role"]) == (200, team.pk, "billing")
    assert ask(theirs, f"/invitations/{made['id']}/accept", method="POST") == (404, "not_found")
    members = ask(owner, f"/teams/{team.pk}/members")[1]
    assert (charlie.pk, "billing") in [(one["id"], one["role"]) for one in members]
    path = f"/teams/{team.pk}/members/{charlie.pk}"
    for _ in range(2):
        status, changed = ask(owner, path, method="PATCH", body={"role": "manager"})
        assert (status, changed["role"]) == (200, "manager")
    assert ask(owner, path, method="DELETE")[0] == 204
    assert ask(owner, path, method="DELETE") == (404, "not_found")
    kinds = [*TeamEvent.objects.order_by("id").values_list("kind", flat=True)]
    assert kinds == ["made", "invited", "joined", "role_set", "removed"]


def test_an_invitation_is_taken_back_declined_and_nobody_elses(
    team: User, alice: User, bob: User, charlie: User, now: datetime
) -> None:
    prove(user=charlie)
    owner, theirs, other = key(alice, now), key(charlie, now), key(bob, now)
    made = invite(owner, team, charlie.email)[1]["id"]
    assert ask(other, "/invitations") == (200, [])
    for word in ("accept", "decline"):
        assert ask(other, f"/invitations/{made}/{word}", method="POST") == (404, "not_found")
    path = f"/teams/{team.pk}/invitations/{made}"
    assert ask(owner, path, method="DELETE")[0] == 204
    assert ask(theirs, f"/invitations/{made}/accept", method="POST") == (404, "not_found")
    made = invite(owner, team, charlie.email)[1]["id"]
    assert ask(theirs, f"/invitations/{made}/decline", method="POST")[0] == 204
    assert not Invitation.objects.exists()
    assert invite(owner, team, "no address") == (422, "address_invalid")


def test_there_is_always_an_owner_and_anybody_leaves(
    team: User, alice: User, bob: User, now: datetime
) -> None:
    owner, member = key(alice, now), key(bob, now)
    mine = f"/teams/{team.pk}/members/{alice.pk}"
    assert ask(owner, f"/teams/{team.pk}/leave", method="POST") == (409, "last_owner")
    assert ask(owner, mine, method="DELETE") == (409, "last_owner")
    assert ask(member, f"/teams/{team.pk}/leave", method="POST")[0] == 204
    assert ask(member, f"/teams/{team.pk}/leave", method="POST") == (403, "team_unknown")
    assert [*Membership.objects.values_list("person", flat=True)] == [alice.pk]


@pytest.mark.parametrize("role", [None, Role.MEMBER, Role.BILLING, Role.MANAGER])
def test_who_may_not_changes_nothing(
    team: User, alice: User, bob: User, charlie: User, now: datetime, role: Role | None
) -> None:
    made = str(
        inviting.invite(
            by_id=alice.pk, team_id=team.pk, email="owner@example.com", role=Role.OWNER, now=now
        ).pk
    )
    Membership.objects.filter(person=bob).delete()
    if role is not None:
        Membership.objects.create(team=team, person=bob, role=role, since=now)
    secret = key(bob, now)
    code = "team_unknown" if role is None else "role_missing"
    before = [*Membership.objects.order_by("id").values_list("person", "role")]
    for method, path, body in changes(team, alice, made):
        asked = {"email": "x@example.com", "role": "owner"} if method == "POST" else body
        assert ask(secret, path, method=method, body=asked) == (403, code), (method, path)
    if role is not Role.MANAGER:
        assert ask(secret, f"/teams/{team.pk}/invitations") == (403, code)
        assert invite(secret, team, "y@example.com") == (403, code)
    assert [*Membership.objects.order_by("id").values_list("person", "role")] == before
    assert [str(one.pk) for one in Invitation.objects.all()] == [made]


def test_no_key_makes_an_owner_or_lets_one_go(
    team: User, alice: User, bob: User, now: datetime
) -> None:
    owner = key(alice, now)
    theirs = f"/teams/{team.pk}/members/{bob.pk}"
    refused = (403, "owners_on_the_web")
    assert invite(owner, team, "new@example.com", "owner") == refused
    assert ask(owner, theirs, method="PATCH", body={"role": "owner"}) == refused
    Membership.objects.filter(person=bob).update(role=Role.OWNER)
    assert ask(owner, theirs, method="PATCH", body={"role": "member"}) == refused
    assert ask(owner, theirs, method="DELETE") == refused
    assert Membership.objects.filter(role=Role.OWNER).count() == 2
    # An owner goes by themselves.
    assert ask(key(bob, now), f"/teams/{team.pk}/leave", method="POST")[0] == 204


def test_a_key_gives_and_takes_no_role_that_does_more_than_itself(
    team: User, alice: User, bob: User, now: datetime
) -> None:
    narrow = key(alice, now, scopes=(Scope.ACCOUNT_WRITE,))
    theirs = f"/teams/{team.pk}/members/{bob.pk}"
    refused = (403, "scope_missing")
    for role in ("member", "billing", "manager"):
        assert invite(narrow, team, "new@example.com", role) == refused
    assert ask(narrow, theirs, method="PATCH", body={"role": "billing"}) == refused
    assert ask(narrow, theirs, method="DELETE") == refused
    pays = key(alice, now, scopes=(Scope.ACCOUNT_WRITE, Scope.MONEY_WRITE))
    assert invite(pays, team, "new@example.com", "billing")[0] == 201
    assert invite(pays, team, "other@example.com", "member") == refused


def test_nobody_is_told_of_changes_without_end(
    team: User, alice: User, bob: User, now: datetime
) -> None:
    roles = (Role.BILLING, Role.MEMBER)
    count = change_member.CHANGES.attempts_max
    for number in range(count):
        change_member.set_role(
            by_id=alice.pk, team_id=team.pk, person_id=bob.pk, role=roles[number % 2], now=now
        )
    with pytest.raises(TooManyAttempts):
        change_member.remove(by_id=alice.pk, team_id=team.pk, person_id=bob.pk, now=now)
    later = now + change_member.CHANGES.window
    change_member.remove(by_id=alice.pk, team_id=team.pk, person_id=bob.pk, now=later)


def test_what_is_another_teams_is_none_of_this_one(
    team: User, alice: User, bob: User, charlie: User, now: datetime
) -> None:
    prove(user=charlie)
    other = team_of(charlie, now)
    made = invite(key(charlie, now), other, "new@example.com")[1]["id"]
    owner = key(alice, now)
    for method, path, body in changes(team, charlie, made):
        if method != "POST":
            assert ask(owner, path, method=method, body=body) == (404, "not_found")
    for method, path, body in changes(other, charlie, made):
        assert ask(owner, path, method=method, body=body) == (403, "team_unknown")
    assert Membership.objects.get(team=other).role == Role.OWNER


def test_only_a_whole_key_of_a_person_changes_who_is_in_a_team(
    team: User, alice: User, bob: User, now: datetime
) -> None:
    made = invite(key(alice, now), team, "first@example.com")[1]["id"]
    to_alice = uuid4()
    limited = key(alice, now, spend_limit_microusd=1)
    reads = key(alice, now, scopes=[Scope.ACCOUNT_READ, Scope.RENTALS_WRITE])
    teams = key(team, now, made_by_id=alice.pk)
    rows = [
        *changes(team, bob, made),
        ("POST", f"/teams/{team.pk}/leave", None),
        ("POST", f"/invitations/{to_alice}/accept", None),
        ("POST", f"/invitations/{to_alice}/decline", None),
    ]
    for method, path, body in rows:
        asked: dict[str, Any] = {"method": method, "body": body}
        assert ask(limited, path, **asked) == (403, "key_is_limited")
        assert ask(reads, path, **asked) == (403, "scope_missing")
        assert ask(teams, path, **asked) == (403, "not_for_teams")
        assert ask(key(alice, now), path, team=team.pk, **asked) == (403, "not_for_teams")
        assert ask("brt_none", path, **asked) == (401, "unauthenticated")
    assert ask(reads, f"/teams/{team.pk}/invitations")[0] == 200
    assert ask(teams, "/invitations") == (403, "not_for_teams")
    assert Membership.objects.filter(person=bob, role=Role.MEMBER).exists()
    assert Invitation.objects.count() == 1


def test_what_they_made_ends_with_them(team: User, alice: User, bob: User, now: datetime) -> None:
    change_member.set_role(
        by_id=alice.pk, team_id=team.pk, person_id=bob.pk, role=Role.MANAGER, now=now
    )
    made = issue_api_key.issue(user_id=team.pk, name="ci", made_by_id=bob.pk, now=now)
    path = f"/teams/{team.pk}/members/{bob.pk}"
    assert ask(key(alice, now), path, method="PATCH", body={"role": "billing"})[0] == 200
    made.key.refresh_from_db()
    assert made.key.revoked_at is not None


def test_lists_cost_the_same_however_long_they_are(team: User, alice: User, now: datetime) -> None:
    secret = key(alice, now)
    # Its first use is noted.
    ask(secret, "/me")
    counts = []
    for number in (2, 12):
        for one in range(number):
            person = User.objects.create_user(f"p{number}-{one}@example.com")
            Membership.objects.create(team=team, person=person, role=Role.MEMBER, since=now)
            Invitation.objects.create(
                team=team,
                email=f"i{number}-{one}@example.com",
                role=Role.MEMBER,
                invited_by=alice,
                created_at=now,
                expires_at=now.replace(year=now.year + 1, day=1),
            )
        for path in ("members", "invitations"):
            with CaptureQueriesContext(connection) as asked:
                assert len(ask(secret, f"/teams/{team.pk}/{path}")[1]) >= number
            counts.append(len(asked))
    assert counts[:2] == counts[2:]
