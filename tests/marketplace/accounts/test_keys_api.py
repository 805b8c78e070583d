"""A key lists and revokes keys over the API, but none that may do more than it."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from marketplace.accounts.actions import issue_api_key
from marketplace.accounts.models import ApiKey, User
from marketplace.domain.scope import Scope, covers
from marketplace.domain.team import Role
from tests.marketplace.accounts.test_scopes import ask, issued
from tests.marketplace.teams import team_of

ALL = [Scope.ACCOUNT_WRITE, Scope.RENTALS_WRITE]


def names(secret: str, **headers: str) -> list[str]:
    sent = {"authorization": f"Bearer {secret}", **headers}
    reply = Client().get("/api/v1/api-keys", headers=sent)
    assert reply.status_code == 200
    return [one["name"] for one in reply.json()]


def named(user: User, name: str, now: datetime, **more: object) -> issue_api_key.Issued:
    return issue_api_key.issue(user_id=user.pk, name=name, now=now, **more)  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def _at(now: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("django.utils.timezone.now", lambda: now)


@pytest.mark.parametrize(
    ("mine", "others", "covered"),
    [
        ((), (), True),
        ((), ("money:write",), True),
        (("account:write",), (), False),
        (("account:write",), ("account:read", "keys:write"), True),
        (("account:read",), ("account:write",), False),
        (("account:write",), ("rentals:read",), False),
        (("rentals:write", "account:write"), ("rentals:read",), True),
    ],
)
def test_a_key_covers_what_may_do_no_more_than_it(
    mine: Sequence[str], others: Sequence[str], *, covered: bool
) -> None:
    assert covers(mine, others) is covered


def test_a_list_says_what_a_key_may_and_never_the_key(alice: User, now: datetime) -> None:
    whole = named(alice, "laptop", now)
    ending = now + timedelta(days=1)
    named(alice, "CI", now, scopes=ALL, spend_limit_microusd=5_000_000, expires_at=ending)
    named(alice, "over", now - timedelta(days=2), expires_at=now - timedelta(days=1))
    reply = Client().get("/api/v1/api-keys", headers={"authorization": f"Bearer {whole.secret}"})
    told = {one["name"]: one for one in reply.json()}
    assert told.keys() == {"laptop", "CI"}
    assert told["CI"]["scopes"] == ["account:write", "rentals:write"]
    assert (told["CI"]["spend_limit_microusd"], told["CI"]["spend_counted_microusd"]) == (
        5 * 10**6,
        0,
    )
    assert (told["CI"]["current"], told["laptop"]["current"]) == (False, True)
    assert whole.secret not in reply.text
    assert whole.key.digest not in reply.text


def test_a_limited_key_knows_of_no_key_that_may_do_more(alice: User, now: datetime) -> None:
    whole = named(alice, "laptop", now)
    wide = named(alice, "wide", now, scopes=ALL)
    narrow = named(alice, "narrow", now, scopes=[Scope.ACCOUNT_READ])
    held = named(alice, "held", now, spend_limit_microusd=1)
    assert sorted(names(whole.secret)) == ["held", "laptop", "narrow", "wide"]
    assert sorted(names(wide.secret)) == ["narrow", "wide"]
    assert names(narrow.secret) == ["narrow"]
    assert names(held.secret) == ["held"]
    assert ask(wide.secret, f"/api-keys/{whole.key.pk}", "DELETE") == (404, "not_found")
    assert ask(narrow.secret, f"/api-keys/{narrow.key.pk}", "DELETE") == (403, "scope_missing")
    assert ask(held.secret, f"/api-keys/{narrow.key.pk}", "DELETE") == (404, "not_found")
    assert not ApiKey.objects.exclude(revoked_at=None).exists()
    for _ in range(2):
        assert ask(wide.secret, f"/api-keys/{narrow.key.pk}", "DELETE") == (204, "")
    assert sorted(names(whole.secret)) == ["held", "laptop", "wide"]


def test_nobody_else_knows_of_a_key(alice: User, bob: User, now: datetime) -> None:
    alices = named(alice, "laptop", now)
    assert ask(issued(bob), f"/api-keys/{alices.key.pk}", "DELETE") == (404, "not_found")
    assert names(issued(bob)) == ["k", "k"]
    rents = issued(alice, [Scope.RENTALS_WRITE, Scope.KEYS_WRITE])
    assert ask(rents, "/api-keys") == (403, "scope_missing")
    assert ask(rents, f"/api-keys/{alices.key.pk}", "DELETE") == (403, "scope_missing")
    for method, path in (("get", ""), ("delete", f"/{alices.key.pk}")):
        assert getattr(Client(), method)(f"/api/v1/api-keys{path}").status_code == 401
    assert Client().delete("/api/v1/me/key").status_code == 401
    assert ask(alices.secret, "/me") == (200, "")


@pytest.mark.parametrize("scopes", [(), (Scope.RENTALS_READ,)])
def test_any_key_ends_itself_and_no_other(
    alice: User, now: datetime, scopes: Sequence[Scope]
) -> None:
    other, ending = named(alice, "laptop", now), issued(alice, scopes)
    assert ask(ending, "/me/key", "DELETE") == (204, "")
    assert ask(ending, "/me") == (401, "unauthenticated")
    assert ask(other.secret, "/me") == (200, "")


def test_a_teams_keys_are_its_managers_to_revoke(
    alice: User, bob: User, charlie: User, now: datetime
) -> None:
    team = team_of(alice, now, bob=(bob, Role.MEMBER), charlie=(charlie, Role.MANAGER))
    made = named(team, "robot", now, made_by_id=alice.pk)
    header = {"Berth-Team": str(team.pk)}
    path = f"/api/v1/api-keys/{made.key.pk}"
    for person, status in ((bob, 403), (charlie, 204)):
        secret = issued(person)
        assert names(secret, **header) == ["robot"]
        sent = {"authorization": f"Bearer {secret}", **header}
        assert Client().delete(path, headers=sent).status_code == status
    # Whose key acts for a team ends that key, and nothing of the team's.
    secret = issued(alice)
    named(team, "second", now, made_by_id=alice.pk)
    sent = {"authorization": f"Bearer {secret}", **header}
    assert Client().delete("/api/v1/me/key", headers=sent).status_code == 204
    assert ask(secret, "/me") == (401, "unauthenticated")
    assert ApiKey.objects.filter(user=team, revoked_at=None).count() == 1


def test_a_list_of_many_asks_no_more_than_one_of_few(alice: User, now: datetime) -> None:
    asked = []
    first = named(alice, "first", now).secret
    # Its first use is noted.
    assert names(first) == ["first"]
    for count in (2, 20):
        for _ in range(count):
            named(alice, "more", now, spend_limit_microusd=1)
        with CaptureQueriesContext(connection) as seen:
            assert len(names(first)) > count
        asked.append(len(seen))
    assert asked[0] == asked[1]
