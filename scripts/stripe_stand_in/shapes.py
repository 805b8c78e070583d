"""This will say which requests Stripe's API takes of those that Berth makes, and with which fields.

Source: Stripe's API reference, version 2026-10-28, read 2026-11-21 in the ``stripe`` package.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Shape:
    """One request of the API."""

    needed: frozenset[str] = frozenset()
    optional: frozenset[str] = frozenset()
    #: asking for it twice must do it once
    keyed: bool = False


def shape(needed: str = "", optional: str = "", *, keyed: bool = False) -> Shape:
    return Shape(frozenset(needed.split()), frozenset(optional.split()), keyed)


SHAPES = {
    ("POST", r"/v1/customers"): shape("email metadata[payer]", keyed=True),
    ("POST", r"/v1/checkout/sessions"): shape(
        "mode customer payment_method_types[0] success_url cancel_url"
    ),
    ("POST", r"/v1/payment_intents"): shape(
        "amount currency customer payment_method payment_method_types[0] confirm metadata[top_up]",
        "return_url off_session",
        keyed=True,
    ),
    ("GET", r"/v1/payment_intents"): shape("customer limit", "starting_after"),
    ("GET", r"/v1/payment_intents/pi_\w+"): shape(),
    ("POST", r"/v1/payment_intents/pi_\w+/cancel"): shape(),
    ("GET", r"/v1/payment_methods"): shape("customer type limit"),
    ("POST", r"/v1/payment_methods/pm_\w+/detach"): shape(),
    ("POST", r"/v1/refunds"): shape("payment_intent amount metadata[refund]", keyed=True),
    ("GET", r"/v1/refunds"): shape("payment_intent limit", "starting_after"),
    ("GET", r"/v1/refunds/re_\w+"): shape(),
    ("GET", r"/v1/disputes/dp_\w+"): shape(),
    ("GET", r"/v1/balance_transactions"): shape(
        "created[gte] created[lt] limit expand[0]", "starting_after"
    ),
}


def fault(
    method: str, path: str, fields: Mapping[str, str], headers: Mapping[str, str], version: str
) -> str:
    """Return what is wrong with a request in one sentence; empty: nothing is."""
    found = [
        known
        for (verb, pattern), known in SHAPES.items()
        if verb == method and re.fullmatch(pattern, path)
    ]
    if not found:
        return f"{method} {path} is not a request of Berth's."
    missing, names = found[0].needed - fields.keys(), found[0].needed | found[0].optional
    if missing or fields.keys() - names:
        return f"{method} {path} lacks {sorted(missing)} or has too much: {sorted(fields)}."
    if headers.get("Stripe-Version") != version:
        return f"{method} {path} names the version {headers.get('Stripe-Version')}."
    if not headers.get("Authorization", "").startswith("Bearer sk_test_"):
        return f"{method} {path} has no key."
    if found[0].keyed and not headers.get("Idempotency-Key"):
        return f"{method} {path} has no idempotency key."
    return ""
