"""This will prepare what a rental's container said for its page: text, and nothing but text."""

from dataclasses import dataclass
from uuid import UUID

from marketplace.domain.container_log import LogState
from marketplace.logs.queries import LogView
from marketplace.pages.shown.moment import Moment
from protocol.container_log import LogLine, plain


@dataclass(frozen=True, slots=True)
class Line:
    #: hours, minutes and seconds, UTC
    time: str
    text: str


@dataclass(frozen=True, slots=True)
class LogPanel:
    url: str
    #: of the rental
    short_id: str
    #: its machine has not answered yet
    waits: bool
    may_ask: bool
    #: empty: the lines say it all
    sentence: str
    taken: Moment
    is_cut: bool
    lines: tuple[Line, ...]


def panel(rental_id: UUID, view: LogView) -> LogPanel:
    """Return what is kept of the log of a rental."""
    return LogPanel(
        url=f"/rentals/{rental_id}/log",
        short_id=str(rental_id)[:8],
        waits=view.state is LogState.ASKED,
        may_ask=view.may_ask,
        sentence=view.sentence,
        taken=Moment.of(view.taken_at),
        is_cut=view.is_cut,
        lines=tuple(Line(time=one.at[11:19], text=plain(one.text)) for one in view.lines),
    )


def as_text(lines: tuple[LogLine, ...]) -> str:
    """Return the lines as a file: what steers a terminal is left out, for people print files."""
    return "".join(f"{one.at} {one.stream} {plain(one.text)}\n" for one in lines)
