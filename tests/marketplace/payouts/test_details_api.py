"""A host says by the REST API who they are and how they are paid; no limited key does."""

import json
from typing import Any

from django.test import Client

from marketplace.accounts.actions.issue_api_key import issue
from marketplace.accounts.models import User
from tests.marketplace.payouts.conftest import day

TOLD = {
    "legal_name": "Charlie Chandler",
    "country": "us",
    "tax_id": "12-3456789",
    "address": "1 Main Street",
}


def call(user: User, method: str, path: str, told: Any = None, **more: int) -> Any:
    secret = issue(user_id=user.pk, name="t", now=day(0), **more).secret
    client = Client(headers={"authorization": f"Bearer {secret}"})
    url = f"/api/v1/host/{path}"
    return client.generic(method.upper(), url, json.dumps(told), "application/json").json()


def details(user: User) -> Any:
    return call(user, "get", "payout-details")


def test_details_are_kept_and_the_tax_number_is_hidden(charlie: User, bob: User) -> None:
    assert details(charlie)["legal_name"] == ""
    kept = call(charlie, "put", "tax-details", TOLD)
    assert kept == TOLD | {"route": "bank", "country": "US", "tax_id": "•••••6789"}
    wrong = call(charlie, "put", "tax-details", TOLD | {"tax_id": "1"})
    assert wrong["code"] == "tax_details_invalid"
    assert call(charlie, "put", "payout-route", {"route": "chain_only"})["route"] == "chain_only"
    assert call(charlie, "put", "payout-route", {"route": "cash"})["code"] == "invalid"
    assert details(charlie) == kept | {"route": "chain_only"}
    assert details(bob)["legal_name"] == ""
    assert call(charlie, "post", "payout-account")["code"] == "chain_only_chosen"


def test_a_key_with_a_limit_changes_no_payouts(charlie: User) -> None:
    kept = call(charlie, "put", "tax-details", TOLD)
    for method, path, told in (
        ("put", "tax-details", TOLD | {"legal_name": "Eve Evil"}),
        ("put", "payout-route", {"route": "chain_only"}),
        ("post", "payout-account", None),
    ):
        assert call(charlie, method, path, told, spend_limit_microusd=1)["code"] == "key_is_limited"
    assert details(charlie) == kept
