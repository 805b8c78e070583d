"""This will say when a notice is tried again, and how a web hook's receiver knows it is ours."""

import hashlib
import hmac
from datetime import datetime, timedelta

#: what lies between two attempts at a web hook; after the last one the event is given up
HOOK_WAITS = (
    timedelta(seconds=10),
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=6),
    timedelta(hours=12),
    timedelta(hours=24),
)
#: a hook at which nothing arrived for so long is turned off
HOOK_FAILING_MAX = timedelta(days=3)
#: so long the secret before the newest one signs too
FORMER_SECRET_FOR = timedelta(days=1)
#: the kinds whose letters may be turned off, and when each is sent
LETTERS = {
    "balance_low": "Your balance runs low",
    "rental_ends_soon": "A rental ends soon",
    "rental_idle": "A rental will be stopped as it is idle",
    "rental_outbid": "A rental is outbid",
    "rental_maintenance": "A host works on the machine of a rental",
    "rental_resumed": "An outbid rental runs again",
    "rental_stopped": "A rental was stopped without your doing",
    "rental_ended": "A rental ended at its limit",
    "rental_failed": "A rental failed",
    "rental_unpaid": "A rental's files are kept for some days only",
    "price_asked": "A host asks a higher price",
    "delivered_less": "A machine delivered less than it was listed with",
    "report_answered": "Staff answered a report about a rental",
    "earnings_given_back": "Staff gave a renter money back out of your earnings",
    "credit_given": "Staff gave you credit",
    "payment": "A payment did not go through, came back or is disputed",
    "payout_paid": "A payout arrived",
    "payout_returned": "A payout was sent back by your bank",
    "payout_failed": "A payout came back",
    "web_hook_off": "A web hook was turned off",
}
#: is always written: whoever got hold of an account must not hide it
ALWAYS_WRITTEN = frozenset(
    {
        "spend_limit_changed",
        "api_key_made",
        "second_step_removed",
        "codes_failed",
        "log_in_linked",
        "team_changed",
        "export_ready",
        "account_banned",
        "account_restored",
        "machine_banned",
        "machine_restored",
    }
)
#: of a team's, who pays in for it gets the letters of these too
ABOUT_MONEY = frozenset({"balance_low", "payment", "rental_unpaid", "spend_limit_changed"})
#: all that people are told of; each has a row in docs/notices.md
KINDS = ALWAYS_WRITTEN | LETTERS.keys()
#: a letter that could not be sent for so long is given up
MAIL_AGE_MAX = timedelta(days=3)
MAIL_WAIT_MIN = timedelta(seconds=30)
MAIL_WAIT_MAX = timedelta(hours=1)


def hook_due(*, attempts: int, now: datetime) -> datetime | None:
    """Return when an event that was tried ``attempts`` times (1 or more) is tried again.

    None: never more.
    """
    return now + HOOK_WAITS[attempts - 1] if attempts <= len(HOOK_WAITS) else None


def mail_due(*, at: datetime, now: datetime) -> datetime | None:
    """Return when a letter about something at ``at`` is tried again; None: never more.

    It waits as long as it has waited already, within bounds.
    """
    age = now - at
    if age >= MAIL_AGE_MAX:
        return None
    return now + min(MAIL_WAIT_MAX, max(MAIL_WAIT_MIN, age))


def signature(*secrets: str, timestamp: int, body: bytes) -> str:
    """Return ``v1=`` and the HMAC-SHA256, in hex, of the Unix time, a dot and the body.

    Of several secrets, one after the other with a comma between.
    """
    signed = f"{timestamp}.".encode() + body
    made = (hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest() for secret in secrets)
    return ",".join(f"v1={one}" for one in made)
