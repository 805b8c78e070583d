"""This will choose the gateway that this site's settings name."""

from django.conf import settings

from marketplace.domain.problem import Refused
from marketplace.payments.gateway import Gateway
from marketplace.payments.test_gateway import TestGateway


class PaymentsUnavailable(Refused):
    code = "payments_unavailable"
    status = 503
    sentence = "This site does not take payments at the moment."


def get() -> Gateway:
    """Return the gateway.

    :raises PaymentsUnavailable: when none is configured.
    """
    if settings.TEST_PAYMENTS:
        return TestGateway()
    raise PaymentsUnavailable
