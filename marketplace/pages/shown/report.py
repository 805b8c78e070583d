"""This will prepare reports about rentals for their renters and for hosts."""

from dataclasses import dataclass

from marketplace.domain.money import format_usd
from marketplace.domain.rental_report import WRONG, ReportState, Wrong
from marketplace.pages.shown.moment import Moment
from marketplace.rentals.models import RentalReport

STATES = {
    ReportState.OPEN: ("Waits for staff", "busy"),
    ReportState.WITHDRAWN: ("Withdrawn", "idle"),
    ReportState.CREDITED: ("Money came back", "good"),
    ReportState.REFUSED: ("Nothing comes back", "idle"),
}


@dataclass(frozen=True, slots=True)
class ReportLine:
    """One report."""

    id: str
    rental: str
    #: of its page for the renter
    url: str
    what: str
    text: str
    #: empty: no money was asked for
    asked: str
    state: str
    tone: str
    is_open: bool
    made: Moment
    closed: Moment
    answer: str
    #: empty: nothing came back
    credited: str
    #: out of the host's earnings; empty: none of it
    taken: str


def line(found: RentalReport) -> ReportLine:
    """Return one report in words."""
    state, tone = STATES[ReportState(found.state)]
    return ReportLine(
        id=str(found.id),
        rental=str(found.rental_id)[:8],
        url=f"/rentals/{found.rental_id}/report",
        what=WRONG[Wrong(found.what)],
        text=found.text,
        asked="" if found.asked_microusd is None else format_usd(found.asked_microusd),
        state=state,
        tone=tone,
        is_open=found.state == ReportState.OPEN,
        made=Moment.of(found.made_at),
        closed=Moment.of(found.closed_at),
        answer=found.answer,
        credited=format_usd(found.credited_microusd) if found.credited_microusd else "",
        taken=format_usd(found.host_microusd) if found.host_microusd else "",
    )
