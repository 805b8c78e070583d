"""Programs act for a team by its header or by a key of its own, as far as a person's role goes."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from django.test import Client

from marketplace.accounts.actions import add_ssh_key, issue_api_key
from marketplace.accounts.models import ApiKey, Membership, SshKey, TeamEvent, User
from marketplace.domain.scope import Scope
from marketplace.domain.team import Role
from tests.marketplace.rentals.market import ALICES_KEY
from tests.marketplace.teams import team_of


@pytest.fixture
def team(alice: User, bob: User, now: datetime, give: Callable[..., None]) -> User:
    team = team_of(alice, now, bob=(bob, Role.MEMBER))
    give(team, 5_000_000)
    return team


def key(user: User, now: datetime, **more: Any) -> str:
    return issue_api_key.issue(user_id=user.pk, name="k", now=now, **more).secret


def ask(
    secret: str, path: str, *, team: object = None, method: str = "GET", body: object = None
) -> tuple[int, Any]:
    headers = {"authorization": f"Bearer {secret}"}
    if team is not None:
        headers["berth-team"] = str(team)
    reply = Client().generic(
        method,
        f"/api/v1{path}",
        "{}" if body is None else str(body).replace("'", '"'),
        "application/json",
        headers=headers,
    )
    said = reply.json()
    is_problem = reply["Content-Type"].startswith("application/problem")
    return reply.status_code, said["code"] if is_problem else said


def test_a_key_of_ones_own_acts_for_a_team_by_its_header(
    team: User, alice: User, now: datetime
) -> None:
    secret = key(alice, now)
    listed = ask(secret, "/teams")[1]
    assert [(one["id"], one["name"], one["role"]) for one in listed] == [(team.pk, "Acme", "owner")]
    mine, theirs = ask(secret, "/me")[1], ask(secret, "/me", team=team.pk)[1]
    assert (mine["balance_microusd"], mine["team"]) == (0, None)
    assert (theirs["balance_microusd"], theirs["team"], theirs["team_id"]) == (
        *(5_000_000, "Acme"),
        team.pk,
    )
    assert theirs["email"] == alice.email


def test_role_and_scopes_both_bound_a_call(team: User, bob: User, now: datetime) -> None:
    every, few = key(bob, now), key(bob, now, scopes=[Scope.MONEY_WRITE])
    assert ask(every, "/rentals", team=team.pk)[0] == 200
    assert ask(every, "/spend-limits", team=team.pk)[0] == 200
    assert ask(every, "/spend-limits", team=team.pk, method="PUT") == (403, "role_missing")
    assert ask(every, "/web-hooks", team=team.pk, method="POST") == (403, "role_missing")
    assert ask(every, "/host/machines", team=team.pk) == (403, "role_missing")
    assert ask(few, "/rentals", team=team.pk) == (403, "scope_missing")
    assert ask(few, "/spend-limits", team=team.pk, method="PUT") == (403, "role_missing")


def test_nobody_calls_for_a_team_that_they_are_not_in(
    team: User, charlie: User, now: datetime
) -> None:
    secret = key(charlie, now)
    for wanted in (team.pk, charlie.pk, 0, "9" * 30, "x", "-1"):
        assert ask(secret, "/me", team=wanted) == (403, "team_unknown")
        assert ask(secret, "/offers", team=wanted) == (403, "team_unknown")
    assert ask(secret, f"/teams/{team.pk}/members") == (403, "team_unknown")
    assert ask(secret, "/teams") == (200, [])
    assert ask("brt_wrong", "/teams") == (401, "unauthenticated")
    assert Client().get("/api/v1/teams").status_code == 401
    few = key(charlie, now, scopes=[Scope.RENTALS_WRITE])
    assert ask(few, "/teams") == (403, "scope_missing")


def test_a_key_of_a_team_lasts_as_long_as_its_makers_role(
    team: User, alice: User, bob: User, now: datetime
) -> None:
    Membership.objects.filter(person=bob).update(role=Role.MANAGER)
    secret = key(team, now, made_by_id=bob.pk)
    assert ask(secret, "/me")[1]["email"] == bob.email
    assert ask(secret, "/spend-limits", method="PUT") == (403, "role_missing")
    assert ask(secret, "/me", team=team.pk)[0] == 200
    assert ask(secret, "/me", team=alice.pk) == (403, "team_unknown")
    # No act but the database itself: each call looks anew.
    for change in ({"role": Role.BILLING}, {"role": Role.MANAGER}):
        Membership.objects.filter(person=bob).update(**change)
        wanted = 200 if change["role"] is Role.MANAGER else 403
        assert ask(secret, "/rentals")[0] == wanted
    User.objects.filter(pk=bob.pk).update(is_active=False)
    assert ask(secret, "/me") == (403, "team_unknown")
    User.objects.filter(pk=bob.pk).update(is_active=True)
    Membership.objects.filter(person=bob).delete()
    assert ask(secret, "/me") == (403, "team_unknown")
    assert ApiKey.objects.get().revoked_at is None


def test_a_team_that_is_shut_out_calls_nothing(team: User, alice: User, now: datetime) -> None:
    mine, theirs = key(alice, now), key(team, now, made_by_id=alice.pk)
    User.objects.filter(pk=team.pk).update(is_active=False)
    assert ask(mine, "/me", team=team.pk) == (403, "team_unknown")
    assert ask(theirs, "/me") == (401, "unauthenticated")
    assert ask(mine, "/teams") == (200, [])


def test_a_team_has_no_teams(team: User, alice: User, now: datetime) -> None:
    mine, theirs = key(alice, now), key(team, now, made_by_id=alice.pk)
    assert ask(mine, "/teams", team=team.pk) == (403, "not_for_teams")
    assert ask(theirs, "/teams") == (403, "not_for_teams")
    assert ask(theirs, f"/teams/{team.pk}/members") == (403, "not_for_teams")


def test_what_a_program_did_is_in_the_log_and_its_keys_have_a_name(
    team: User, bob: User, now: datetime
) -> None:
    body = {"name": "ci", "public_key": ALICES_KEY}
    made = ask(key(bob, now), "/ssh-keys", team=team.pk, method="POST", body=body)
    assert made[0] == 201
    row = SshKey.objects.get()
    assert (row.user, row.added_by) == (team, bob)
    event = TeamEvent.objects.get(kind="did")
    assert (event.by, event.about) == (bob, f"POST /api/v1/ssh-keys {row.pk}")
    refused = ask(key(bob, now), "/spend-limits", team=team.pk, method="PUT")
    assert refused[0] == 403
    assert TeamEvent.objects.filter(kind="did").count() == 1


def test_a_members_own_keys_stay_out_of_the_team(team: User, bob: User, now: datetime) -> None:
    add_ssh_key.add(user_id=bob.pk, name="k", public_key=ALICES_KEY, now=now)
    assert len(ask(key(bob, now), "/ssh-keys")[1]) == 1
    assert ask(key(bob, now), "/ssh-keys", team=team.pk) == (200, [])


def test_members_are_listed_to_each_other(team: User, bob: User, now: datetime) -> None:
    status, found = ask(key(bob, now), f"/teams/{team.pk}/members")
    assert status == 200
    assert [(one["email"], one["role"]) for one in found] == [
        ("alice@example.com", "owner"),
        ("bob@example.com", "member"),
    ]
