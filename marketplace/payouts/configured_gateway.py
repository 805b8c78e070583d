"""This will choose the way of paying hosts, and the terms, that this site's settings name."""

from datetime import timedelta

from django.conf import settings

from marketplace.domain.money import MicroUsd
from marketplace.domain.payout import Terms
from marketplace.domain.problem import Refused
from marketplace.payments.stripe_connect import StripeConnect
from marketplace.payouts.gateway import PayoutGateway
from marketplace.payouts.test_gateway import TestPayouts


class PayoutsUnavailable(Refused):
    code = "payouts_unavailable"
    status = 503
    sentence = "This site pays nothing out yet; what you earn stays yours until it does."


def is_there() -> bool:
    """Say whether hosts can be paid at all."""
    return bool(settings.TEST_PAYMENTS or settings.STRIPE_SECRET_KEY)


def get() -> PayoutGateway:
    """Return the gateway.

    :raises PayoutsUnavailable: when none is configured.
    """
    if settings.TEST_PAYMENTS:
        return TestPayouts()
    if settings.STRIPE_SECRET_KEY:
        return StripeConnect(settings.STRIPE_SECRET_KEY, api_url=settings.STRIPE_API_URL)
    raise PayoutsUnavailable


def terms() -> Terms:
    """Return what this site keeps back, and from how much on it pays."""
    return Terms(
        hold=timedelta(days=settings.PAYOUT_HOLD_DAYS),
        reserve_ppm=settings.PAYOUT_RESERVE_PPM,
        amount_microusd_min=MicroUsd(settings.PAYOUT_MICROUSD_MIN),
    )
