"""This will decide until when a machine is for rent: its end date and its maintenance bound it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from marketplace.domain.problem import Refused


class OfferClosed(Refused):
    """Its host rents it out no longer, or works on it now."""

    code = "offer_closed"
    status = 409


@dataclass(frozen=True, slots=True)
class Opening:
    """When a host wants the machine back. None: never."""

    ends_at: datetime | None = None
    #: the host works on it inside [from, until); both or neither are given
    maintenance_from: datetime | None = None
    maintenance_until: datetime | None = None

    def closes_at(self, now: datetime) -> datetime | None:
        """Return when a rental that begins now has to be over. None: nobody said."""
        moments = [self.ends_at]
        if self.maintenance_until is not None and now < self.maintenance_until:
            moments.append(self.maintenance_from)
        return min((moment for moment in moments if moment is not None), default=None)

    def check_open(self, now: datetime) -> None:
        """Accept a moment at which a rental may begin.

        :raises OfferClosed: when the host rents it out no longer, or works on it.
        """
        if self.ends_at is not None and self.ends_at <= now:
            raise OfferClosed("Its host rents this machine out no longer; choose another offer.")
        closes_at = self.closes_at(now)
        if closes_at is not None and closes_at <= now:
            raise OfferClosed(
                "Its host works on this machine until"
                f" {self.maintenance_until:%Y-%m-%d %H:%M} UTC; choose another offer."
            )

    def longest_s(self, longest_term_s: int, *, begins_at: datetime, now: datetime) -> int:
        """Return the longest term, in seconds, of a rental that began or begins then."""
        closes_at = self.closes_at(now)
        if closes_at is None:
            return longest_term_s
        return max(0, min(longest_term_s, (closes_at - begins_at) // timedelta(seconds=1)))
