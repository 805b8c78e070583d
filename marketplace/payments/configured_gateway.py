"""This will choose the gateway that this site's settings name."""

from django.conf import settings

from marketplace.domain.problem import Refused
from marketplace.payments.card_processor import CardProcessor
from marketplace.payments.gateway import Gateway
from marketplace.payments.stripe_gateway import StripeGateway
from marketplace.payments.test_gateway import TestGateway


class PaymentsUnavailable(Refused):
    code = "payments_unavailable"
    status = 409
    sentence = "This site takes no cards yet, so no money can be added here."


def is_there() -> bool:
    """Say whether money can be added at all."""
    return takes_cards() or settings.TEST_PAYMENTS


def takes_cards() -> bool:
    """Say whether a card processor is configured; it goes before play money."""
    return bool(settings.STRIPE_SECRET_KEY)


def get() -> Gateway:
    """Return the gateway.

    :raises PaymentsUnavailable: when none is configured.
    """
    if settings.TEST_PAYMENTS and not takes_cards():
        return TestGateway()
    return cards()


def cards() -> CardProcessor:
    """Return the card processor.

    :raises PaymentsUnavailable: when none is configured.
    """
    if takes_cards():
        return StripeGateway()
    raise PaymentsUnavailable
