"""The REST API as the CLI uses it: keys, offers, rentals, refusals, and who may see what."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone

from marketplace.accounts.models import ApiKey, User
from marketplace.domain.money import MicroUsd
from marketplace.ledger import queries as ledger
from marketplace.ledger.actions.grant_credit import grant_credit
from protocol import paths
from tests.marketplace import scene
from tests.marketplace.conftest import PASSWORD
from tests.marketplace.rentals.market import ALICES_KEY, Market, give_key

GIB = scene.GIB
ONE_CPU = {
    "cpu": {"count": 1},
    "gpu": {"count": 0},
    "ram": {"capacity": GIB},
    "hard_disk": {"capacity": 2 * GIB},
}


class Api:
    """A person's API client."""

    def __init__(self, user: User) -> None:
        self.client = Client()
        self.key = ""
        reply = self.post("/auth/key", {"email": user.email, "password": PASSWORD, "name": "t"})
        assert reply.status_code == 201, reply.content
        self.key = reply.json()["key"]

    def post(self, path: str, body: dict[str, Any] | None = None, **headers: str) -> Any:
        return self._send("post", path, json.dumps(body or {}), headers)

    def get(self, path: str) -> Any:
        return self._send("get", path, None, {})

    def patch(self, path: str, body: dict[str, Any]) -> Any:
        return self._send("patch", path, json.dumps(body), {})

    def delete(self, path: str) -> Any:
        return self._send("delete", path, None, {})

    def _send(self, verb: str, path: str, body: str | None, headers: dict[str, str]) -> Any:
        more = {"authorization": f"Bearer {self.key}"} if self.key else {}
        arguments: dict[str, Any] = {"headers": more | headers}
        if body is not None:
            arguments |= {"data": body, "content_type": "application/json"}
        return getattr(self.client, verb)(f"/api/v1{path}", **arguments)


@pytest.fixture
def market(charlie: User, monkeypatch: pytest.MonkeyPatch) -> Market:
    monkeypatch.setattr("django.utils.timezone.now", lambda: scene.NOW)
    return Market.open(charlie)


@pytest.fixture
def api(alice: User, give: Callable[..., None]) -> Api:
    give(alice, 10_000_000)
    return Api(alice)


def test_the_key_is_shown_once_and_hashed_at_rest(api: Api) -> None:
    kept = ApiKey.objects.get()
    assert api.key.startswith("brt_")
    assert api.key not in (kept.digest, kept.prefix)
    assert api.get("/me").json()["balance_microusd"] == 10_000_000


def test_credit_is_told_beside_the_balance_that_holds_it(api: Api, alice: User) -> None:
    now = timezone.now()
    grant_credit(
        user_id=alice.pk,
        amount_microusd=MicroUsd(5),
        expires_at=now + timedelta(days=1),
        cause="welcome",
        note="Welcome",
        now=now,
    )
    me = api.get("/me").json()
    assert (me["balance_microusd"], me["credit"][0]["left_microusd"]) == (10_000_005, 5)


def test_a_statement_comes_as_csv(api: Api) -> None:
    reply = api.get("/statement.csv?of=funds")
    assert reply.getvalue().decode().splitlines()[1].split(",")[1:3] == ["top_up", "10.000000"]
    assert api.get("/statement.csv?of=others").status_code == 422


def test_without_a_key_nothing_opens(db: None) -> None:
    reply = Client().get("/api/v1/me")
    assert reply.status_code == 401
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.json()["code"] == "unauthenticated"


def test_a_wrong_password_gives_no_key(alice: User) -> None:
    reply = Client().post(
        "/api/v1/auth/key",
        json.dumps({"email": alice.email, "password": "guess", "name": "t"}),
        content_type="application/json",
    )
    assert (reply.status_code, reply.json()["code"]) == (401, "unauthenticated")


def test_the_whole_journey(market: Market, api: Api, bob: User) -> None:
    (offer,) = api.get("/offers?sort=value&cpus_min=2").json()["items"]
    assert offer["verified"] is True

    refused = api.post("/rentals", rental_of(offer))
    assert (refused.status_code, refused.json()["code"]) == (409, "ssh_key_missing")
    added = api.post("/ssh-keys", {"name": "laptop", "public_key": ALICES_KEY})
    assert added.status_code == 201

    first = api.post("/rentals", rental_of(offer), **{"Idempotency-Key": "k1"})
    again = api.post("/rentals", rental_of(offer), **{"Idempotency-Key": "k1"})
    assert first.status_code == 201
    assert first.json()["id"] == again.json()["id"]
    rental_id = first.json()["id"]
    assert first.json()["state"] == "queued"

    stranger = Api(bob)
    for reply in (
        stranger.get(f"/rentals/{rental_id}"),
        stranger.post(f"/rentals/{rental_id}/end"),
        stranger.post(f"/rentals/{rental_id}/extend", {"lease_s": 7200}),
        stranger.get(f"/rentals/{rental_id}/receipts"),
        stranger.delete(f"/rentals/{rental_id}"),
    ):
        assert (reply.status_code, reply.json()["code"]) == (404, "not_found")

    assert api.delete(f"/rentals/{rental_id}").json()["code"] == "rental_live"
    ended = api.post(f"/rentals/{rental_id}/end").json()
    assert ended["state"] == "ending"
    assert [one["id"] for one in api.get("/rentals").json()["items"]] == [rental_id]


def rental_of(offer: dict[str, Any]) -> dict[str, Any]:
    return {
        "offer_id": offer["id"],
        "image": "debian:12",
        "resources": ONE_CPU,
        "lease_s": 600,
    }


def test_a_raised_price_is_refused_and_nothing_charged(
    market: Market, api: Api, charlie: User
) -> None:
    (offer,) = api.get("/offers").json()["items"]
    api.post("/ssh-keys", {"name": "laptop", "public_key": ALICES_KEY})
    host = Api(charlie)
    terms = {"price_cpu_hour_microusd": 2 * offer["price_cpu_hour_microusd"]}
    path = f"/host/machines/{offer['machine_id']}/offer"
    assert host.patch(path, terms).json()["bid_floor_microusd"] is None
    body = rental_of(offer) | {"price_hour_microusd_max": offer["price_cpu_hour_microusd"]}
    refused = api.post("/rentals", body)
    assert (refused.status_code, refused.json()["code"]) == (409, "price_raised")
    assert api.get("/me").json()["held_microusd"] == 0


def test_a_bid_needs_a_floor(market: Market, api: Api, charlie: User) -> None:
    (offer,) = api.get("/offers").json()["items"]
    api.post("/ssh-keys", {"name": "laptop", "public_key": ALICES_KEY})
    body = rental_of(offer) | {"bid_microusd": 1_000}
    assert api.post("/rentals", body).json()["code"] == "bids_not_taken"
    host, path = Api(charlie), f"/host/machines/{offer['machine_id']}/offer"
    host.patch(path, {"bid_floor_microusd": 2_000})
    assert api.post("/rentals", body).json()["code"] == "bid_below_floor"
    host.patch(path, {"bid_floor_microusd": 1_000})
    host.patch(path, {"listed": True})
    assert api.post("/rentals", body).json()["price_hour_microusd"] == 1_000


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/rentals", {"offer_id": "no-uuid", "image": "x", "resources": ONE_CPU}),
        ("/rentals", {"image": "x"}),
        ("/ssh-keys", {"public_key": 7}),
        ("/top-ups", {"amount_microusd": -1}),
        ("/top-ups", {"amount_microusd": 10**18}),
        ("/top-ups", {"amount_microusd": "NaN"}),
    ],
)
def test_bad_input_is_one_sentence(api: Api, path: str, body: dict[str, Any]) -> None:
    reply = api.post(path, body)
    assert (reply.status_code, reply.json()["code"]) == (422, "invalid")
    assert set(reply.json()) == {"status", "code", "detail"}


def test_a_malformed_key_is_refused(api: Api) -> None:
    reply = api.post("/ssh-keys", {"name": "x", "public_key": "ssh-rsa AAAA"})
    assert (reply.status_code, reply.json()["code"]) == (422, "ssh_key_malformed")


def test_test_money_arrives_once(api: Api, alice: User) -> None:
    for _ in range(2):
        reply = api.post("/top-ups", {"amount_microusd": 5_000_000}, **{"Idempotency-Key": "t1"})
        assert reply.json()["state"] == "paid"
    assert ledger.balance(alice.pk) == 15_000_000
    assert api.get("/statement").json()["balance_microusd"] == 15_000_000


def test_a_statement_says_what_can_be_spent_and_what_is_set_aside(
    api: Api, alice: User, market: Market
) -> None:
    give_key(alice)
    market.rent(alice, lease_s=3600)
    found = api.get("/statement").json()
    assert (found["balance_microusd"], found["held_microusd"]) == (6_400_000, 3_600_000)
    assert [line["total_microusd"] for line in found["items"]] == [10_000_000]


def test_openapi_describes_it(db: None) -> None:
    paths = Client().get("/api/v1/openapi.json").json()["paths"]
    assert {"/api/v1/offers", "/api/v1/rentals", "/api/v1/me", "/api/v1/statement"} <= set(paths)


def test_a_host_sees_the_machine_with_its_verdict(market: Market, charlie: User) -> None:
    (machine,) = Api(charlie).get("/host/machines").json()["items"]
    assert machine["verdict"] == "verified"
    assert machine["earned_microusd"] == 0
    token = Api(charlie).post("/host/enrolment-tokens").json()
    assert token["token"] in token["command"]


def test_one_extend_key_extends_once_and_keeps_the_cap(market: Market, api: Api) -> None:
    (offer,) = api.get("/offers").json()["items"]
    api.post("/ssh-keys", {"name": "laptop", "public_key": ALICES_KEY})
    body = rental_of(offer) | {"cap_microusd": 1_200_000}
    path = f"/rentals/{api.post('/rentals', body).json()['id']}/extend"
    for _ in range(2):
        reply = api.post(path, {"lease_s": 1200}, **{"Idempotency-Key": "e1"})
        assert (reply.status_code, reply.json()["worst_total_microusd"]) == (200, 1_200_000)
    refused = api.post(path, {"lease_s": 1300}, **{"Idempotency-Key": "e1"})
    assert (refused.status_code, refused.json()["code"]) == (409, "idempotency_conflict")
    assert api.post(path, {"lease_s": 7200}).json()["code"] == "not_longer"


def test_the_price_that_a_search_quotes_is_the_price_of_the_rental(
    market: Market, api: Api
) -> None:
    asked = f"cpus_min=1&gpus_min=0&ram_bytes_min={6 * GIB}&disk_bytes_min={2 * GIB}"
    (offer,) = api.get(f"/offers?{asked}").json()["items"]
    quoted = offer["price_asked_hour_microusd"]
    alone = api.get(f"/offers/{offer['id']}?{asked}").json()
    assert alone["price_asked_hour_microusd"] == quoted == 3 * offer["price_hour_microusd"]
    # What takes as much of the machine as the memory does costs nothing more.
    assert alone["proposed"]["cpu"] == {"count": 3}
    assert alone["proposed"]["ram"] == {"capacity": 6 * GIB}
    api.post("/ssh-keys", {"name": "laptop", "public_key": ALICES_KEY})
    body = rental_of(offer) | {"resources": ONE_CPU | {"ram": {"capacity": 6 * GIB}}}
    refused = api.post("/rentals", body | {"price_hour_microusd_max": quoted - 1})
    assert refused.json()["code"] == "price_raised"
    rented = api.post("/rentals", body | {"price_hour_microusd_max": quoted})
    assert rented.json()["price_hour_microusd"] == quoted


def test_nothing_is_offered_for_nothing(market: Market, charlie: User) -> None:
    path = f"/host/machines/{market.machine.id}/offer"
    refused = Api(charlie).patch(path, {"price_cpu_hour_microusd": 0})
    assert (refused.status_code, refused.json()["code"]) == (422, "terms_invalid")


def test_a_statement_comes_in_pages(alice: User, api: Api, give: Callable[..., None]) -> None:
    give(alice, 5_000_000)
    first = api.get("/statement?limit=1").json()
    second = api.get(f"/statement?limit=1&cursor={first['next_cursor']}").json()
    lines = first["items"] + second["items"]
    assert [line["total_microusd"] for line in lines] == [15_000_000, 10_000_000]
    assert second["next_cursor"] is None


@pytest.mark.parametrize("path", [paths.VALIDATOR_SCORES, paths.AGENT_ENROL])
def test_a_body_longer_than_the_site_reads_is_refused_in_the_problem_shape(
    path: str, db: None
) -> None:
    limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    reply = Client().post(path, b" " * (limit + 1), content_type="application/json")
    assert reply.status_code == 413
    assert reply.headers["Content-Type"] == "application/problem+json"
    assert reply.json()["code"] == "too_large"


def test_an_hour_ahead_is_quoted_held_and_shown(market: Market, api: Api) -> None:
    offer = api.get("/offers").json()["items"][0]
    limits = {"lease_s": 86_400, "funding": "rolling"}
    asked = {"resources": rental_of(offer)["resources"]} | limits
    quoted = api.post(f"/offers/{offer['id']}/quote", asked).json()
    api.post("/ssh-keys", {"name": "laptop", "public_key": ALICES_KEY})
    body = rental_of(offer) | limits
    rented = api.post("/rentals", body).json()
    assert quoted["worst_total_microusd"] == rented["worst_total_microusd"]
    assert quoted["held_microusd"] == rented["funds"]["held_microusd"] > 0
    assert quoted["held_microusd"] * 24 == quoted["worst_total_microusd"]
    assert rented["funds"]["funding"] == "rolling"
    assert rented["funds"]["paid_until"] == "2026-03-01T13:00:00Z"
