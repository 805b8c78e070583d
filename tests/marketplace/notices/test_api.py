"""Notices and web hooks by the REST API: each person sees and changes their own alone."""

from collections.abc import Callable
from datetime import datetime

import pytest
from django.test import Client

from marketplace.accounts.actions.issue_api_key import issue
from marketplace.accounts.models import User
from marketplace.domain.scope import Scope
from marketplace.notices.models import WebHook

pytestmark = pytest.mark.django_db
Tell = Callable[..., bool]


def client_of(user: User, now: datetime) -> Client:
    secret = issue(user_id=user.pk, name="t", now=now).secret
    return Client(headers={"authorization": f"Bearer {secret}"})


def test_notices_are_listed_by_pages_and_marked_as_seen(
    alice: User, bob: User, tell: Tell, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("marketplace.notices.queries.PAGE", 2)
    for cause in ("a", "b", "c"):
        tell(alice, cause)
    tell(bob, "d")
    alices = client_of(alice, now)
    first = alices.get("/api/v1/notices").json()
    assert [one["title"] for one in first["items"]] == ["Told of c", "Told of b"]
    rest = alices.get(f"/api/v1/notices?cursor={first['next_cursor']}").json()
    assert ([one["title"] for one in rest["items"]], rest["next_cursor"]) == (["Told of a"], None)
    sent = {"up_to": first["items"][1]["id"]}
    reply = alices.post("/api/v1/notices/read", sent, content_type="application/json")
    assert reply.json() == {"read": 2}
    left = alices.get("/api/v1/notices?unread=true").json()["items"]
    assert [one["title"] for one in left] == ["Told of c"]
    assert len(client_of(bob, now).get("/api/v1/notices?unread=1").json()["items"]) == 1


def test_letters_are_turned_off_and_on_by_kind_and_not_by_a_limited_key(
    alice: User, bob: User, now: datetime
) -> None:
    def off(client: Client) -> list[str]:
        items = client.get("/api/v1/letters").json()["items"]
        return [one["kind"] for one in items if not one["on"]]

    def turn(client: Client, kind: str, *, on: bool) -> int:
        path = f"/api/v1/letters/{kind}"
        return client.put(path, {"on": on}, content_type="application/json").status_code

    alices, bobs = client_of(alice, now), client_of(bob, now)
    assert [turn(alices, kind, on=False) for kind in ("payment", "payment", "rental_idle")] == [
        *(200, 200, 200)
    ]
    assert (off(alices), off(bobs)) == (["rental_idle", "payment"], [])
    assert turn(alices, "payment", on=True) == 200
    assert off(alices) == ["rental_idle"]
    assert [turn(alices, kind, on=False) for kind in ("spend_limit_changed", "nothing")] == [
        *(404, 404)
    ]
    secret = issue(user_id=alice.pk, name="l", spend_limit_microusd=1, now=now).secret
    limited = Client(headers={"authorization": f"Bearer {secret}"})
    assert turn(limited, "payment", on=False) == 403
    assert off(limited) == ["rental_idle"]


def test_a_hooks_secret_is_shown_once_and_bob_cannot_touch_it(
    alice: User, bob: User, now: datetime
) -> None:
    alices, bobs = client_of(alice, now), client_of(bob, now)
    url = {"url": "https://example.com/berth"}
    made = alices.post("/api/v1/web-hooks", url, content_type="application/json")
    assert (made.status_code, made.json()["secret"][:4]) == (201, "whs_")
    (listed,) = alices.get("/api/v1/web-hooks").json()["items"]
    assert (listed["id"], listed["secret"]) == (made.json()["id"], None)
    path = f"/api/v1/web-hooks/{listed['id']}"
    assert bobs.get("/api/v1/web-hooks").json() == {"items": []}
    assert [bobs.post(f"{path}/test").status_code, bobs.delete(path).status_code] == [404, 404]
    assert [bobs.post(f"{path}/{act}").status_code for act in ("on", "rotate")] == [404, 404]
    limited = issue(user_id=alice.pk, name="l", spend_limit_microusd=1, now=now).secret
    reader = issue(user_id=alice.pk, name="r", scopes=[Scope.ACCOUNT_READ], now=now).secret
    for key in (limited, reader):
        refused = Client(headers={"authorization": f"Bearer {key}"}).post(f"{path}/rotate")
        assert refused.status_code == 403
    rotated = alices.post(f"{path}/rotate").json()
    assert (rotated["secret"][:4], rotated["secret"] == made.json()["secret"]) == ("whs_", False)
    assert alices.get("/api/v1/web-hooks").json()["items"][0]["rotated_at"] is not None
    assert alices.post(f"{path}/test").status_code == 202
    assert alices.post(f"{path}/on").json()["off_at"] is None
    assert alices.delete(path).status_code == 204
    assert not WebHook.objects.exists()
