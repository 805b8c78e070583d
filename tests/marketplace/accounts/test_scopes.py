"""A key does what it was made for, as long as it was made for."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from marketplace.accounts.actions import issue_api_key
from marketplace.accounts.models import ApiKey, User
from marketplace.api import api
from marketplace.domain.scope import AREAS, OPEN, Scope, allows, needed
from tests.marketplace.browsers import enter
from tests.marketplace.conftest import PASSWORD


def issued(user: User, scopes: Sequence[Scope] = (), **more: Any) -> str:
    """Return the text of a key that works now."""
    now = timezone.now()
    return issue_api_key.issue(user_id=user.pk, name="k", scopes=scopes, now=now, **more).secret


def ask(secret: str, path: str, method: str = "GET") -> tuple[int, str]:
    headers = {"authorization": f"Bearer {secret}"}
    reply = Client().generic(method, f"/api/v1{path}", "{}", "application/json", headers=headers)
    is_problem = reply["Content-Type"].startswith("application/problem")
    return reply.status_code, reply.json()["code"] if is_problem else ""


def test_every_way_into_the_api_is_in_an_area_or_open() -> None:
    firsts = {path.split("/")[3] for path in api.get_openapi_schema()["paths"]}
    # A person's password opens the first, a validator's signature the second.
    assert firsts - {"auth", "validator"} == set(AREAS) | OPEN


@pytest.mark.parametrize(
    ("scopes", "method", "path", "allowed"),
    [
        ((), "POST", "/rentals", True),
        (("rentals:read",), "GET", "/rentals", True),
        (("rentals:read",), "HEAD", "/rentals", True),
        (("rentals:read",), "POST", "/rentals", False),
        (("rentals:write",), "GET", "/volumes", True),
        (("rentals:write",), "DELETE", "/volumes/1", True),
        (("rentals:write",), "GET", "/statement", False),
        (("money:read",), "GET", "/statement.csv", True),
        (("money:read",), "PUT", "/auto-top-up", False),
        (("host:write",), "PATCH", "/host/machines/1/offer", True),
        (("account:read",), "POST", "/ssh-keys", False),
        # What a rental said may hold its secrets, so who reads it could log in as well.
        (("rentals:read",), "GET", "/rentals/1/logs", False),
        (("rentals:write",), "GET", "/rentals/1/logs", True),
        (("money:read",), "GET", "/me", True),
        (("money:read",), "GET", "/something-new", False),
        (("account:write",), "POST", "/something-new", True),
    ],
)
def test_a_scope_is_an_area_and_whether_to_change_it(
    scopes: Sequence[str], method: str, path: str, *, allowed: bool
) -> None:
    assert allows(scopes, needed(method, path)) is allowed


def test_a_key_is_refused_what_it_was_not_made_for_and_told_what_it_needs(alice: User) -> None:
    secret = issued(alice, [Scope.RENTALS_READ])
    assert ask(secret, "/rentals") == (200, "")
    assert ask(secret, "/me") == (200, "")
    assert ask(secret, "/statement") == (403, "scope_missing")
    assert ask(secret, "/ssh-keys", "POST") == (403, "scope_missing")
    reply = Client().post("/api/v1/rentals", headers={"authorization": f"Bearer {secret}"})
    assert "rentals:write" in reply.json()["detail"]


def test_a_key_ends_by_itself(alice: User, now: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("django.utils.timezone.now", lambda: now)
    secret = issued(alice, expires_at=now + timedelta(days=1))
    assert ask(secret, "/me") == (200, "")
    monkeypatch.setattr("django.utils.timezone.now", lambda: now + timedelta(days=1))
    assert ask(secret, "/me") == (401, "unauthenticated")


def test_a_key_that_would_have_ended_is_not_made(alice: User, now: datetime) -> None:
    with pytest.raises(issue_api_key.ExpiryPassed):
        issue_api_key.issue(user_id=alice.pk, name="k", now=now, expires_at=now)
    assert not ApiKey.objects.exists()


def test_keys_that_ended_take_no_room(alice: User, now: datetime) -> None:
    for _ in range(issue_api_key.KEYS_MAX):
        ending = now + timedelta(days=1)
        issue_api_key.issue(user_id=alice.pk, name="k", now=now, expires_at=ending)
    with pytest.raises(issue_api_key.TooManyApiKeys):
        issue_api_key.issue(user_id=alice.pk, name="k", now=now)
    issue_api_key.issue(user_id=alice.pk, name="k", now=ending)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("wish", "status"),
    [
        ({"scopes": ["rentals:read"]}, 201),
        ({"scopes": ["everything"]}, 422),
        ({"expires_at": "2999-01-01T00:00:00Z"}, 201),
        ({"expires_at": "2001-01-01T00:00:00Z"}, 422),
        ({"expires_at": "2999-01-01T00:00:00"}, 422),
    ],
)
def test_a_program_asks_for_no_more_than_it_needs(
    alice: User, wish: dict[str, object], status: int
) -> None:
    asked = {"email": alice.email, "password": PASSWORD, **wish}
    reply = Client().post("/api/v1/auth/key", asked, content_type="application/json")
    assert reply.status_code == status


def test_the_page_makes_such_a_key_and_says_what_it_may(alice: User) -> None:
    browser = enter(Client(), alice)
    asked = {"name": "CI", "lasts_days": "7", "scopes": ["rentals:write", "money:read"]}
    page = browser.post("/api-keys/", asked).content.decode()
    assert "money:read, rentals:write" in page
    key = ApiKey.objects.get()
    assert key.expires_at is not None
    assert key.expires_at - key.created_at == timedelta(days=7)
    assert browser.post("/api-keys/", asked | {"scopes": ["x:write"]}).status_code == 422
