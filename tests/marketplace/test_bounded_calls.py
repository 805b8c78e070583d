"""The API refuses who calls too often, by key or by address, and says when to go on."""

import json
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone
from pytest_django.fixtures import Settings

from marketplace.accounts.actions.issue_api_key import issue
from marketplace.accounts.models import User
from marketplace.api import agent_api, api
from marketplace.domain.scope import Scope
from tests.marketplace import scene

#: more than the six of a window
CALLS = 9


@pytest.fixture(autouse=True)
def _few(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let everybody make six calls in a window, which does not end meanwhile."""
    monkeypatch.setattr("django.utils.timezone.now", lambda: scene.NOW)
    settings.KEY_CALLS_A_MINUTE = settings.ADDRESS_CALLS_A_MINUTE = 36
    settings.PROGRAM_CALLS_A_MINUTE = 36


def ask(path: str, *, key: str = "", times: int = CALLS, **extra: Any) -> list[Any]:
    """Return the answers of so many calls."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    return [Client().get(path, headers=headers, **extra) for _ in range(times)]


def refused(answers: list[Any]) -> list[HttpResponse]:
    """Return those that came too often, each of which says so in the one shape."""
    found = [one for one in answers if one.status_code == 429]
    for one in found:
        assert one.headers["content-type"] == "application/problem+json"
        assert one.json()["code"] == "rate_limited"
        assert 1 <= int(one.headers["Retry-After"]) <= 10
        assert one.headers["Retry-After"] in one.json()["detail"]
    return found


def key_of(user: User, *scopes: Scope) -> str:
    """Return a new key of the person."""
    return issue(user_id=user.pk, name="t", scopes=scopes, now=timezone.now()).secret


def test_a_key_that_calls_too_often_waits_and_no_other_does(alice: User) -> None:
    busy, other = key_of(alice), key_of(alice)
    answers = ask("/api/v1/me", key=busy)
    assert refused(answers)
    assert {one.status_code for one in answers} == {200, 429}
    assert not refused(ask("/api/v1/me", key=other, times=3))


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("/api/v1/offers", ""),
        ("/api/v1/me", ""),
        ("/api/v1/me", "brt_wrong"),
        ("/api/v1/validator/targets", ""),
        ("/api/agent/v1/blobs/" + "0" * 64, ""),
    ],
)
def test_who_is_not_known_is_counted_by_address(db: None, path: str, key: str) -> None:
    assert refused(ask(path, key=key, REMOTE_ADDR="203.0.113.7"))
    assert not refused(ask(path, key=key, times=3, REMOTE_ADDR="203.0.113.8"))
    # Nobody told whose they are.
    assert not refused(ask(path, key=key, REMOTE_ADDR=""))


def test_a_key_goes_on_where_its_address_has_called_too_often(alice: User) -> None:
    key = key_of(alice)
    assert refused(ask("/api/v1/offers"))
    assert not refused(ask("/api/v1/me", key=key, times=3))
    answers = ask("/api/v1/offers", key=key)
    assert answers[0].status_code == 200
    assert refused(answers)


def test_a_key_without_the_scope_is_bounded_too(alice: User) -> None:
    answers = ask("/api/v1/rentals", key=key_of(alice, Scope.HOST_READ))
    assert {one.status_code for one in answers} == {403, 429}


def test_zero_is_no_limit(alice: User, settings: Settings) -> None:
    settings.KEY_CALLS_A_MINUTE = settings.ADDRESS_CALLS_A_MINUTE = 0
    assert not refused(ask("/api/v1/me", key=key_of(alice)))
    assert not refused(ask("/api/v1/offers"))


def test_each_operation_says_that_it_may_be_too_often() -> None:
    described = json.loads(Client().get("/api/v1/openapi.json").content)
    too_many = described["components"]["responses"]["TooMany"]
    assert too_many["headers"]["Retry-After"]["schema"]["type"] == "integer"
    for operations in described["paths"].values():
        for operation in operations.values():
            assert operation["responses"]["429"] == {"$ref": "#/components/responses/TooMany"}


def test_no_operation_is_left_out() -> None:
    for site in (api, agent_api):
        operations = [
            operation
            for router in site._get_bound_routers()
            for view in router.path_operations.values()
            for operation in view.operations
        ]
        assert operations
        assert all(one.throttle_objects for one in operations)
