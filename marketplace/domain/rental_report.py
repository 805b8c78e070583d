"""This will say what a renter may report of a rental, how it stands, and who may pay.

Decided in docs/decisions/0056-reports-about-rentals.md.
"""

from datetime import datetime, timedelta
from enum import StrEnum

from marketplace.domain.payout import RESERVE_LASTS

TEXT_LENGTH_MAX = 2000
#: after its end
REPORTED_WITHIN = timedelta(days=30)
#: before the report: what was charged earlier is in its host's hands, and no part is kept back
CHARGED_WITHIN = RESERVE_LASTS
#: of one rental, and of all of a renter that wait
OF_RENTAL_MAX, OPEN_MAX = 5, 20


class Wrong(StrEnum):
    """What was wrong with a rental."""

    HARDWARE = "hardware"
    UNREACHABLE = "unreachable"
    LOST_DATA = "lost_data"
    CHARGE = "charge"
    OTHER = "other"


WRONG = {
    Wrong.HARDWARE: "Slow, or other hardware than listed",
    Wrong.UNREACHABLE: "It could not be reached",
    Wrong.LOST_DATA: "Files were lost",
    Wrong.CHARGE: "The charge is wrong",
    Wrong.OTHER: "Something else",
}


class ReportState(StrEnum):
    """How a report stands; all but the first are its ends."""

    OPEN = "open"
    WITHDRAWN = "withdrawn"
    CREDITED = "credited"
    REFUSED = "refused"


#: what staff said is in these
ANSWERED = (ReportState.CREDITED, ReportState.REFUSED)


class Payer(StrEnum):
    """Whose money comes back."""

    #: each as it was paid: the host's part of what they have not been paid out, and the site's fee
    HOST = "host"
    #: the site alone
    SITE = "site"


def may_report(ended_at: datetime | None, now: datetime) -> bool:
    """Say whether a rental that ended then, or goes on, may be reported."""
    return ended_at is None or now - ended_at <= REPORTED_WITHIN
