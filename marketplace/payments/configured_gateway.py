"""This will choose the gateway that this site's settings name."""

from django.conf import settings

from marketplace.domain.problem import Refused
from marketplace.payments.gateway import Gateway
from marketplace.payments.test_gateway import TestGateway


class PaymentsUnavailable(Refused):
    code = "payments_unavailable"
    status = 503
    sentence = "This site takes no cards yet, so no money can be added here."


def is_there() -> bool:
    """Say whether money can be added at all."""
    return bool(settings.TEST_PAYMENTS)


def get() -> Gateway:
    """Return the gateway.

    :raises PaymentsUnavailable: when none is configured.
    """
    if is_there():
        return TestGateway()
    raise PaymentsUnavailable
