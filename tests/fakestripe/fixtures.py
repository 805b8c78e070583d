"""A Stripe on loopback, and people who have a card there.

It is loaded where a test asks for it: most tests of the marketplace do not, and it takes a second.
"""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING

import pytest
from pytest_django.fixtures import Settings

from marketplace.accounts.models import User
from marketplace.payments.actions import save_card
from marketplace.payments.models import Payer

if TYPE_CHECKING:
    from scripts.stripe_stand_in.payments import Stripe

SaveCard = Callable[..., Payer]


@pytest.fixture(scope="session")
def stripe_server() -> "Iterator[Stripe]":
    from scripts.stripe_stand_in.payments import running

    with running() as server:
        yield server


@pytest.fixture
def stripe(stripe_server: "Stripe", settings: Settings, now: datetime) -> "Iterator[Stripe]":
    """Return a Stripe that knows nobody yet; it fails the test that asks it wrongly."""
    from scripts.stripe_stand_in.keys import SECRET_KEY, WEBHOOK_SECRET

    stripe_server.clear(at=now.timestamp())
    settings.TEST_PAYMENTS = False
    settings.STRIPE_SECRET_KEY = SECRET_KEY
    settings.STRIPE_WEBHOOK_SECRET = WEBHOOK_SECRET
    settings.STRIPE_API_URL = stripe_server.url
    yield stripe_server
    assert stripe_server.faults == []


@pytest.fixture
def with_card(stripe: "Stripe") -> SaveCard:
    """Save a card for a person: ``with_card(alice, "4242424242424242")``."""

    def _with_card(user: User, *number: str) -> Payer:
        save_card.card_page(user_id=user.pk)
        payer = Payer.objects.get(user=user)
        stripe.save_card(payer.customer, *number)
        save_card.refresh(customer=payer.customer)
        payer.refresh_from_db()
        return payer

    return _with_card
