"""This will prepare a rental for the list: what it costs an hour now, and how long it has left."""

from dataclasses import dataclass
from datetime import datetime

from marketplace.domain.money import format_usd
from marketplace.domain.rental import LIVE, RentalState
from marketplace.pages import wording
from marketplace.pages.shown.moment import Moment
from marketplace.pages.shown.rental import resources
from marketplace.pages.shown.rental_state import LABELS
from marketplace.rentals.rental_view import RentalView

MINUTE_MS = 60_000


@dataclass(frozen=True, slots=True)
class Line:
    """One rental of a list."""

    url: str
    short_id: str
    #: its name, or what it runs where it has none
    title: str
    name: str
    image: str
    resources: str
    label: str
    tone: str
    started: Moment
    #: until its end; empty: it ends now, or is over
    left: str
    #: what an hour costs as it is now; empty: it is over
    hour: str
    billed: str
    cost: str


def line(rental: RentalView, now: datetime) -> Line:
    """Return what a list shows of the rental."""
    label, tone = LABELS[rental.state]
    is_live = rental.state in LIVE
    return Line(
        url=f"/rentals/{rental.id}/",
        short_id=str(rental.id)[:8],
        title=rental.name or rental.image,
        name=rental.name,
        image=rental.image,
        resources=resources(rental),
        label=label,
        tone=tone,
        started=Moment.of(rental.started_at),
        left=_left(rental.ends_at, now) if is_live and rental.state != RentalState.ENDING else "",
        hour=format_usd(rental.burn_hour_microusd) if is_live else "",
        billed=wording.duration(rental.billed_ms),
        cost=format_usd(rental.cost_microusd),
    )


def _left(ends_at: datetime, now: datetime) -> str:
    ms = max(0, int((ends_at - now).total_seconds()) * 1000)
    # To the minute: a list is read, not counted down.
    return wording.duration(ms - ms % MINUTE_MS if ms >= MINUTE_MS else ms)
