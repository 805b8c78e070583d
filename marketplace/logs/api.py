"""This will show renters what their rentals' containers said, over the REST API."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from django.http import HttpRequest
from django.utils import timezone
from ninja import Query, Router, Schema, Status
from pydantic import Field

from marketplace.accounts.bearer import ApiKeyBearer, caller
from marketplace.domain.container_log import LogState
from marketplace.json_body import JsonBody
from marketplace.logs import queries
from marketplace.logs.actions import ask
from protocol.container_log import LINES_MOST, Stream

router = Router(tags=["rentals"], auth=ApiKeyBearer())
#: of an answer where nobody says how many
LINES = 200
Tail = Annotated[int, Query(ge=1, le=LINES_MOST)]
#: the time of a line, as an answer told it
After = Annotated[str, Query(max_length=30)]


class LogRequest(JsonBody):
    tail: Annotated[int, Field(ge=1, le=LINES_MOST)] = LINES


class LogLineReply(Schema):
    """One line as it was said: it may hold what steers a terminal."""

    #: UTC, in nanoseconds; later ones compare as greater
    at: str
    stream: Stream
    text: str


class LogReply(Schema):
    """The newest end of a log that its machine sent."""

    state: LogState
    #: what there is to say beside the lines; empty: they say it all
    sentence: str
    #: its machine can be asked now; otherwise the sentence says why not
    may_ask: bool
    asked_at: datetime | None
    #: when the lines came; null: none did. They are deleted an hour later
    taken_at: datetime | None
    #: it said more before the first of them
    is_cut: bool
    lines: list[LogLineReply]

    @classmethod
    def of(cls, view: queries.LogView, *, tail: int, after: str = "") -> "LogReply":
        """Return the newest lines of it, of those after a moment."""
        newer = [line for line in view.lines if line.at > after]
        lines = newer[-tail:]
        return cls(
            state=view.state,
            sentence=view.sentence,
            may_ask=view.may_ask,
            asked_at=view.asked_at,
            taken_at=view.taken_at,
            # Whoever has a line that is among those that came misses none before it.
            is_cut=len(lines) < len(newer) or (view.is_cut and len(newer) == len(view.lines)),
            lines=[LogLineReply(at=line.at, stream=line.stream, text=line.text) for line in lines],
        )


@router.post("/rentals/{rental_id}/logs", response={202: LogReply})
def ask_for_log(request: HttpRequest, rental_id: UUID, payload: LogRequest) -> Status[LogReply]:
    """Ask the rental's machine for the newest lines that its container said."""
    now, renter_id = timezone.now(), caller(request).pk
    ask.ask(rental_id=rental_id, renter_id=renter_id, lines_most=payload.tail, now=now)
    return Status(202, LogReply.of(queries.view(rental_id, renter_id, now), tail=payload.tail))


@router.get("/rentals/{rental_id}/logs", response=LogReply)
def log(request: HttpRequest, rental_id: UUID, tail: Tail = LINES, after: After = "") -> LogReply:
    """Return the newest lines that came; ``after``: only those later than this moment."""
    view = queries.view(rental_id, caller(request).pk, timezone.now())
    return LogReply.of(view, tail=tail, after=after)
