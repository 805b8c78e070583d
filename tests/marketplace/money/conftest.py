"""What a market with real ways of paying needs: a Stripe for cards and one for hosts."""

from collections.abc import Iterator

import pytest
from pytest_django.fixtures import Settings

from scripts.stripe_stand_in import connect
from scripts.stripe_stand_in.payments import Stripe
from tests.marketplace.money.banks import Banks
from tests.marketplace.money.site import Complaints


@pytest.fixture
def banks(stripe: Stripe, settings: Settings) -> Iterator[Banks]:
    """Return both, and have the site charge at once and pay out what is a day old."""
    settings.CHARGE_EVERY_S = 0
    settings.PAYOUT_HOLD_DAYS = 1
    settings.PAYOUT_MICROUSD_MIN = 1_000_000
    with connect.serving() as hosts:
        yield Banks(stripe, hosts)


@pytest.fixture
def complaints() -> Iterator[Complaints]:
    """Fail the test for whatever the site logs as its own fault."""
    heard = Complaints()
    with heard.listening():
        yield heard
    assert heard.heard == []
