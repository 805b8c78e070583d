"""Spend limits by plain forms, and by the API with and without a limited key."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from marketplace.accounts.models import SpendLimit, User
from marketplace.ledger import queries
from marketplace.rentals.models import Rental
from tests.marketplace import scene
from tests.marketplace.rentals.market import Market

Browser = Callable[[User], Client]
ONE_CPU = {
    "cpu": {"count": 1},
    "gpu": {"count": 0},
    "ram": {"capacity": scene.GIB},
    "hard_disk": {"capacity": 2 * scene.GIB},
}


def test_limits_are_set_and_taken_off_by_a_form(
    alice: User, bob: User, browser_of: Browser
) -> None:
    browser = browser_of(alice)
    set_both = browser.post("/money/limits/", {"day": "10", "month": "0.5"}, follow=True)
    assert "of $10.00" in set_both.content.decode()
    assert "of $0.50" in set_both.content.decode()
    wrong = browser.post("/money/limits/", {"day": "ten"})
    assert (wrong.status_code, SpendLimit.objects.count()) == (422, 2)
    taken_off = browser.post("/money/limits/", {"day": "12", "month": ""}, follow=True)
    assert "of $12.00" in taken_off.content.decode()
    assert "This month" not in taken_off.content.decode()
    assert "Today" not in browser_of(bob).get("/money/limits/").content.decode()


@pytest.fixture
def limited(renter: Client, market: Market) -> Client:
    """A program of Alice's whose key may spend two dollars."""
    made = renter.post("/api-keys/", {"name": "ci", "spend_limit": "2"})
    return Client(headers={"authorization": f"Bearer {made.context['secret']}"})


def asked(market: Market, **more: Any) -> dict[str, Any]:
    offer = str(market.offer.id)
    return {"offer_id": offer, "image": "debian:12", "resources": ONE_CPU, "lease_s": 1000} | more


def send(client: Client, method: str, path: str, body: dict[str, Any]) -> Any:
    return getattr(client, method)(
        f"/api/v1{path}", data=json.dumps(body), content_type="application/json"
    )


def test_a_limited_key_rents_within_its_limit(
    limited: Client, renter: Client, market: Market, alice: User
) -> None:
    refused = send(limited, "post", "/rentals", asked(market, lease_s=2001))
    assert (refused.status_code, refused.json()["code"]) == (409, "spend_limit_reached")
    assert (Rental.objects.count(), queries.held(alice.pk)) == (0, 0)
    made = send(limited, "post", "/rentals", asked(market, lease_s=1500))
    assert made.status_code == 201
    assert "$1.50 of $2.00" in renter.get("/api-keys/").content.decode()
    path = f"/rentals/{made.json()['id']}/extend"
    assert send(limited, "post", path, {"lease_s": 2500}).json()["code"] == "spend_limit_reached"
    assert send(limited, "post", path, {"lease_s": 2000}).status_code == 200
    job = {key: value for key, value in asked(market, run_limit_s=60).items() if key != "lease_s"}
    assert send(limited, "post", "/jobs", job).json()["code"] == "spend_limit_reached"


def test_a_limited_key_changes_no_limits_and_extends_nobody_elses(
    limited: Client, market: Market, alice: User
) -> None:
    by_hand = market.rent(alice, lease_s=60)
    for method, path, body in (
        ("post", f"/rentals/{by_hand.id}/extend", {"lease_s": 100}),
        ("put", f"/rentals/{by_hand.id}/bid", {"bid_microusd": 2_000_000}),
        ("post", f"/rentals/{by_hand.id}/traffic", {"traffic_bytes_max": 10**12}),
        ("post", f"/rentals/{by_hand.id}/price", {"price_hour_microusd": 1, "accept": True}),
        ("put", "/spend-limits", {"day_microusd": 1}),
        (
            "post",
            f"/rentals/{by_hand.id}/price",
            {"price_hour_microusd": 4_000_000, "accept": True},
        ),
        ("post", f"/rentals/{by_hand.id}/traffic", {"traffic_bytes_max": 10**12}),
        ("post", "/top-ups", {"amount_microusd": 10_000_000_000}),
        ("post", "/card", {}),
        ("delete", "/card", {}),
        (
            "put",
            "/auto-top-up",
            {
                "threshold_microusd": 10**9,
                "amount_microusd": 10**10,
                "month_microusd_max": 10**11,
            },
        ),
        ("delete", "/auto-top-up", {}),
        ("post", "/web-hooks", {"url": "https://example.com/"}),
        ("delete", f"/web-hooks/{by_hand.id}", {}),
        ("post", f"/web-hooks/{by_hand.id}/on", {}),
    ):
        assert send(limited, method, path, body).json()["code"] == "key_is_limited"
    assert limited.get("/api/v1/spend-limits").json()["day_microusd"] is None


def test_a_key_without_limit_sets_the_accounts(alice: User, browser_of: Browser) -> None:
    made = browser_of(alice).post("/api-keys/", {"name": "ci"})
    free = Client(headers={"authorization": f"Bearer {made.context['secret']}"})
    reply = send(free, "put", "/spend-limits", {"day_microusd": 5_000_000})
    assert (reply.json()["day_microusd"], reply.json()["day_counted_microusd"]) == (5_000_000, 0)
    assert reply.json()["month_microusd"] is None
