"""This will refuse to start a configuration that could lose money or let strangers in."""

import re
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register

SECRET_KEY_LENGTH_MIN = 32
FEE_PPM_MAX = 1_000_000
PAYOUT_HOLD_DAYS_MAX = 30
#: whoever outbid them waits so long for their room, and for their end after it
OUTBID_NOTICE_S_MAX = 90
#: what the foot of each page may lead to
LINK = re.compile(r"(https?://\S+)?")
CONTACT = re.compile(rf"{LINK.pattern}|[^\s:/@]+@[^\s:/@]+")


@register(Tags.security)
def configuration(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    """Return what is wrong with the settings as a whole."""
    found: list[CheckMessage] = []
    if not settings.EMBEDDED and not settings.DATABASE_URL:
        found.append(
            Error(
                "Several processes on SQLite lock each other out.",
                hint="Set BERTH_DATABASE_URL, or BERTH_EMBEDDED=1 for one process tree.",
                id="berth.E001",
            )
        )
    if len(settings.SECRET_KEY) < SECRET_KEY_LENGTH_MIN:
        found.append(
            Error(
                f"BERTH_SECRET_KEY has fewer than {SECRET_KEY_LENGTH_MIN} characters.",
                hint="Make one by: python -c 'import secrets; print(secrets.token_urlsafe(48))'",
                id="berth.E002",
            )
        )
    if not 0 <= settings.FEE_PPM <= FEE_PPM_MAX:
        found.append(
            Error(
                "BERTH_FEE_PPM is no part of a charge.",
                hint=f"Set it between 0 and {FEE_PPM_MAX}: millionths of each charge.",
                id="berth.E003",
            )
        )
    if not 1 <= settings.OUTBID_NOTICE_S <= OUTBID_NOTICE_S_MAX:
        found.append(
            Error(
                "BERTH_OUTBID_NOTICE_S is no time in which somebody could save their work.",
                hint=f"Set it between 1 and {OUTBID_NOTICE_S_MAX}.",
                id="berth.E013",
            )
        )
    if not 0 <= settings.PAYOUT_HOLD_DAYS <= PAYOUT_HOLD_DAYS_MAX:
        found.append(
            Error(
                "BERTH_PAYOUT_HOLD_DAYS is no time that hosts could wait.",
                hint=f"Set it between 0 and {PAYOUT_HOLD_DAYS_MAX}.",
                id="berth.E011",
            )
        )
    if not 0 <= settings.PAYOUT_RESERVE_PPM <= FEE_PPM_MAX:
        found.append(
            Error(
                "BERTH_PAYOUT_RESERVE_PPM is no part of earnings.",
                hint=f"Set it between 0 and {FEE_PPM_MAX}: millionths of them.",
                id="berth.E012",
            )
        )
    if settings.TEST_PAYMENTS and not settings.EMBEDDED:
        found.append(
            Warning(
                "Anyone can add money without paying.",
                hint="Unset BERTH_TEST_PAYMENTS on a site with real money.",
                id="berth.W001",
            )
        )
    if settings.STRIPE_SECRET_KEY and not settings.STRIPE_WEBHOOK_SECRET:
        found.append(
            Warning(
                "Disputes of payments are heard of a day late.",
                hint="Set BERTH_STRIPE_WEBHOOK_SECRET to what Stripe shows for the web hook.",
                id="berth.W004",
            )
        )
    if settings.STRIPE_SECRET_KEY.startswith(("sk_test_", "rk_test_")) and not settings.EMBEDDED:
        found.append(
            Warning(
                "Anyone can add money by a card number of Stripe's for tests.",
                hint="Set BERTH_STRIPE_SECRET_KEY to a live key on a site with real money.",
                id="berth.W005",
            )
        )
    if settings.STRIPE_SECRET_KEY.startswith(("sk_live_", "rk_live_")) and settings.STRIPE_API_URL:
        found.append(
            Error(
                "A live key of Stripe's would be sent to another server.",
                hint="Unset BERTH_STRIPE_API_URL: it is for tests.",
                id="berth.E005",
            )
        )
    if settings.STRIPE_SECRET_KEY and settings.TEST_PAYMENTS:
        found.append(
            Error(
                "Play money and cards cannot both be taken: hosts are paid from either.",
                hint="Unset BERTH_TEST_PAYMENTS, or BERTH_STRIPE_SECRET_KEY.",
                id="berth.E006",
            )
        )
    if not LINK.fullmatch(settings.SOURCE_URL) or not CONTACT.fullmatch(settings.CONTACT):
        found.append(
            Error(
                "Every page would lead to an address that is none.",
                hint="BERTH_SOURCE_URL is https://..., BERTH_CONTACT that or an e-mail address.",
                id="berth.E014",
            )
        )
    if settings.BEHIND_TLS_PROXY and not settings.TRUSTED_PROXIES:
        found.append(
            Warning(
                "All people behind the proxy count as one who guesses passwords.",
                hint="Set BERTH_TRUSTED_PROXIES to how many proxies append to X-Forwarded-For.",
                id="berth.W002",
            )
        )
    return found


@register(Tags.security, deploy=True)
def mail(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    """Return what a site for people lacks; other commands need not repeat it each time."""
    if settings.SENDS_MAIL:
        return []
    return [
        Warning(
            "Nobody can set a new password by e-mail.",
            hint="Set BERTH_EMAIL_URL to a mail server.",
            id="berth.W003",
        )
    ]
