"""This will say a moment in words and for machines."""

from dataclasses import dataclass
from datetime import datetime

from marketplace.pages import wording


@dataclass(frozen=True, slots=True)
class Moment:
    text: str
    #: ISO 8601 in UTC, for the visitor's own clock; empty: it has not happened
    iso: str

    @classmethod
    def of(cls, at: datetime | None) -> "Moment":
        """Return the moment in words and for machines."""
        return cls(wording.moment(at), "" if at is None else at.isoformat())
