"""A call that comes again is answered as before, and what it made is not made again."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django.fixtures import Settings

from marketplace.accounts.actions.issue_api_key import issue
from marketplace.accounts.models import ApiKey, KeptAnswer, User
from marketplace.accounts.once import (
    FORGOTTEN_AT_ONCE,
    KEPT_FOR,
    OPEN_MAX,
    KeyUsed,
    Made,
    Once,
    TooManyKeys,
    forget_answers,
    once,
)
from marketplace.endpoints.models import Endpoint
from marketplace.machines.models import EnrolmentToken
from marketplace.notices.models import WebHook
from protocol.hardware import Resources
from tests.marketplace.conftest import PASSWORD

ENDPOINT = {
    "name": "model",
    "image": "debian:12",
    "http_port": 8000,
    "resources": Resources.of(cpus=1, ram_bytes=1 << 30, disk_bytes=2 << 30).model_dump(),
    "price_hour_microusd_max": 1_000_000,
}
#: what each makes that shows a secret once: where, with what, which rows, and the secret's name
MAKING: dict[str, tuple[Any, type[Any], str]] = {
    "endpoints": (ENDPOINT, Endpoint, "key"),
    "host/enrolment-tokens": (None, EnrolmentToken, "token"),
    "web-hooks": ({"url": "https://example.com/berth"}, WebHook, "secret"),
    "auth/key": ({"email": "alice@example.com", "password": PASSWORD}, ApiKey, "key"),
}
#: of what makes something: why a call that comes again does no harm without a key
WITHOUT = {
    "/card": "the page of the card processor alone is another one",
    "/host/payout-account": "a host has one account, of which it is the page",
    "/ssh-keys": "a key that is there is answered as it is",
    "/blobs": "a file that is there is answered as it is",
    "/teams/{team_id}/invitations": "an address is invited once",
    "/rentals/{rental_id}/proofs": "one proof runs at a time",
    "/rentals/{rental_id}/report": "one waits at a time; its words again are that one",
    "/host/machines/{machine_id}/appeals": "one is open at a time; its words again are that one",
    "/validator/verdicts": "a verdict is known by its signature",
    "/validator/scores": "a report is known by its epoch",
}


@pytest.fixture
def key(alice: User, give: Callable[..., None]) -> str:
    """Give Alice money and a key."""
    give(alice, 5_000_000)
    return issue(user_id=alice.pk, name="t", now=timezone.now()).secret


def post(path: str, body: Any, *, key: str, idempotency_key: str) -> Any:
    """Return the answer."""
    headers = {"Authorization": f"Bearer {key}", "Idempotency-Key": idempotency_key}
    return Client().post(
        f"/api/v1/{path}", body or {}, content_type="application/json", headers=headers
    )


@pytest.mark.parametrize("path", MAKING)
def test_a_call_that_comes_again_shows_the_same_secret_and_makes_nothing(
    path: str, key: str
) -> None:
    body, rows, secret = MAKING[path]
    before = rows.objects.count()
    first = post(path, body, key=key, idempotency_key="one")
    again = post(path, body, key=key, idempotency_key="one")
    assert first.status_code == 201, first.content
    assert again.status_code == 201, again.content
    assert again.json()[secret] == first.json()[secret]
    assert first.json()[secret]
    assert rows.objects.count() == before + 1
    kept = KeptAnswer.objects.get()
    assert first.json()[secret] not in kept.sealed
    assert "one" not in (kept.name_digest, kept.request_digest)


@pytest.mark.parametrize("path", MAKING)
def test_a_key_that_was_used_for_something_else_is_refused(path: str, key: str) -> None:
    body, rows, _ = MAKING[path]
    assert post("ssh-keys", {}, key=key, idempotency_key="one").status_code == 422
    other = "host/enrolment-tokens" if path == "web-hooks" else "web-hooks"
    # Of Alice's own key where it is one, as there only who calls with it is told what it made.
    before = post(other, MAKING[other][0], key=key, idempotency_key="one")
    assert before.status_code == 201
    count = rows.objects.count()
    reply = post(path, body, key=key, idempotency_key="one")
    if path == "auth/key":
        # Nobody calls with a key there, so that it is another call.
        assert reply.status_code == 201
        changed = {**body, "name": "another"}
        reply = post(path, changed, key=key, idempotency_key="one")
        count += 1
    assert reply.status_code == 409
    assert reply.json()["code"] == "idempotency_conflict"
    assert rows.objects.count() == count


def test_new_secrets_too_are_made_once(key: str) -> None:
    hook = post("web-hooks", MAKING["web-hooks"][0], key=key, idempotency_key="a").json()
    endpoint = post("endpoints", ENDPOINT, key=key, idempotency_key="b").json()
    for path, secret in (
        (f"web-hooks/{hook['id']}/rotate", "secret"),
        (f"endpoints/{endpoint['id']}/key", "key"),
    ):
        first, again = (post(path, None, key=key, idempotency_key=path) for _ in range(2))
        assert first.json()[secret] == again.json()[secret]
        another = post(path, None, key=key, idempotency_key=f"{path} again")
        assert another.json()[secret] != first.json()[secret]
    assert WebHook.objects.get().secret_turn == 2


def test_no_other_key_and_nobody_else_is_told_what_one_made(
    alice: User, bob: User, key: str
) -> None:
    path, now = "host/enrolment-tokens", timezone.now()
    mine = post(path, None, key=key, idempotency_key="one").json()["token"]
    for person in (alice, bob):
        other = issue(user_id=person.pk, name="t", now=now).secret
        assert post(path, None, key=other, idempotency_key="one").json()["token"] != mine
    assert EnrolmentToken.objects.count() == 3


def test_what_is_refused_leaves_nothing_behind_and_may_be_asked_again(
    key: str, settings: Settings
) -> None:
    settings.PRIVATE_HOOKS = False
    body = {"url": "http://example.com/berth"}
    assert post("web-hooks", body, key=key, idempotency_key="one").status_code == 422
    assert not KeptAnswer.objects.exists()
    settings.PRIVATE_HOOKS = True
    assert post("web-hooks", body, key=key, idempotency_key="one").status_code == 201


def test_a_day_later_it_is_another_call(alice: User) -> None:
    now = timezone.now()
    call = Once(alice.pk, "one", "POST /x")
    made = iter(Made(str(number), "secret") for number in range(3))
    assert once(call, lambda: next(made), now=now).told == "0"
    assert once(call, lambda: next(made), now=now + KEPT_FOR - timedelta(seconds=1)).told == "0"
    assert once(call, lambda: next(made), now=now + KEPT_FOR).told == "1"
    assert forget_answers(now=now + 2 * KEPT_FOR - timedelta(seconds=1)) == 0
    assert forget_answers(now=now + 2 * KEPT_FOR) == 1
    assert once(call, lambda: next(made), now=now + 2 * KEPT_FOR).told == "2"


def keep(user: User, count: int, *, expires_at: datetime) -> None:
    """Keep answers of calls that nobody makes again, one later than the other by a second."""
    first = KeptAnswer.objects.count()
    KeptAnswer.objects.bulk_create(
        KeptAnswer(
            name_digest=f"{first + number}",
            user=user,
            expires_at=expires_at + timedelta(seconds=number),
        )
        for number in range(count)
    )


def test_who_asks_with_a_fresh_key_each_time_is_refused_before_anything_is_made(
    alice: User, bob: User, key: str
) -> None:
    path, now = "host/enrolment-tokens", timezone.now()
    keep(alice, 5, expires_at=now - timedelta(hours=1))
    keep(alice, OPEN_MAX - 1, expires_at=now + timedelta(hours=2))
    last = post(path, None, key=key, idempotency_key="last").json()["token"]
    reply = post(path, None, key=key, idempotency_key="one more")
    assert reply.status_code == 429
    assert reply.json()["code"] == "idempotency_keys_too_many"
    assert str(OPEN_MAX) in reply.json()["detail"]
    # As soon as the first of them is over there is room again.
    assert 0 < int(reply.headers["Retry-After"]) <= 7200
    assert EnrolmentToken.objects.count() == 1
    assert post(path, None, key=key, idempotency_key="last").json()["token"] == last
    assert post(path, None, key=key, idempotency_key="").status_code == 201
    others = issue(user_id=bob.pk, name="t", now=now).secret
    assert post(path, None, key=others, idempotency_key="one more").status_code == 201
    KeptAnswer.objects.filter(name_digest="5").update(expires_at=now)
    assert post(path, None, key=key, idempotency_key="one more").status_code == 201


def test_a_limit_that_calls_at_the_same_time_went_beyond_says_when_there_is_room(
    alice: User,
) -> None:
    now = timezone.now()
    keep(alice, OPEN_MAX + 3, expires_at=now + timedelta(seconds=1))
    with pytest.raises(TooManyKeys) as refused:
        once(Once(alice.pk, "one", "POST /x"), lambda: Made("1", ""), now=now)
    # Four have to be over.
    assert refused.value.retry_after_s == 4
    made = once(
        Once(alice.pk, "one", "POST /x"), lambda: Made("1", ""), now=now + timedelta(seconds=4)
    )
    assert made.told == "1"


def test_a_pass_forgets_so_many_and_the_next_goes_on(alice: User) -> None:
    now = timezone.now()
    keep(alice, FORGOTTEN_AT_ONCE + 2, expires_at=now - timedelta(hours=1))
    keep(alice, 1, expires_at=now + timedelta(hours=1))
    assert [forget_answers(now=now) for _ in range(3)] == [FORGOTTEN_AT_ONCE, 2, 0]
    assert KeptAnswer.objects.count() == 1


def test_with_another_secret_key_nothing_is_told_and_nothing_made_again(
    alice: User, settings: Settings
) -> None:
    now, call = timezone.now(), Once(alice.pk, "one", "POST /x")
    once(call, lambda: Made("1", "secret"), now=now)
    settings.SECRET_KEY = "another"
    with pytest.raises(KeyUsed):
        once(call, lambda: Made("2", "secret"), now=now)


def test_each_operation_that_makes_something_takes_a_key_or_needs_none() -> None:
    described = json.loads(Client().get("/api/v1/openapi.json").content)
    taking, needing_none = set(), set()
    for path, operations in described["paths"].items():
        operation = operations.get("post")
        if operation is None:
            continue
        name = path.removeprefix("/api/v1")
        if "Idempotency-Key" in {one["name"] for one in operation.get("parameters", ())}:
            taking.add(name)
        elif "201" in operation["responses"]:
            needing_none.add(name)
    assert needing_none == set(WITHOUT)
    assert {f"/{one}" for one in MAKING} <= taking
    assert {"/rentals", "/rentals/{rental_id}/extend", "/jobs", "/top-ups"} <= taking


def test_the_endpoint_of_a_call_that_comes_again_is_the_one_that_is_there(key: str) -> None:
    made = post("endpoints", ENDPOINT, key=key, idempotency_key="one").json()
    Endpoint.objects.filter(pk=UUID(made["id"])).update(wanted=0)
    again = post("endpoints", ENDPOINT, key=key, idempotency_key="one").json()
    assert again["id"] == made["id"]
    assert again["replicas_wanted"] == 0
