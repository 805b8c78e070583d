"""This will say what a renter may report of a rental, how it stands, and who pays what comes back.

Decided in docs/decisions/0056-reports-about-rentals.md.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from marketplace.domain.money import MicroUsd, fee_of

TEXT_LENGTH_MAX = 2000
#: after its end
REPORTED_WITHIN = timedelta(days=30)
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


@dataclass(frozen=True, slots=True)
class Shares:
    """Who gives how much of what comes back."""

    host_microusd: MicroUsd
    site_microusd: MicroUsd


def shares(amount_microusd: int, *, fee_ppm: int, payer: Payer, earned_microusd: int) -> Shares:
    """Return who gives how much; what a host's earnings do not have, the site does."""
    host = amount_microusd - fee_of(amount_microusd, fee_ppm) if payer is Payer.HOST else 0
    host = max(0, min(host, earned_microusd))
    return Shares(MicroUsd(host), MicroUsd(amount_microusd - host))


def may_report(ended_at: datetime | None, now: datetime) -> bool:
    """Say whether a rental that ended then, or goes on, may be reported."""
    return ended_at is None or now - ended_at <= REPORTED_WITHIN
