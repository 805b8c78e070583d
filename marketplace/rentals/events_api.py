"""This will serve what happened to a rental over the REST API."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from django.http import HttpRequest
from ninja import Query, Router, Schema

from marketplace.accounts.bearer import ApiKeyBearer, caller
from marketplace.domain.history import Mark
from marketplace.rentals import events, queries

router = Router(tags=["rentals"], auth=ApiKeyBearer())


class RentalEventReply(Schema):
    """One thing that happened."""

    at: datetime
    #: of the rental's state, or "seen", "door_shut", "door_open", "incident"
    event: str
    sentence: str
    #: a stable code of why; empty: nothing is to be explained
    code: str
    reason: str


class EventList(Schema):
    items: list[RentalEventReply]
    #: as ``cursor`` it gives the next page; null: there is none
    next_cursor: str | None


@router.get("/rentals/{rental_id}/events", response=EventList)
def happened(
    request: HttpRequest,
    rental_id: UUID,
    cursor: Annotated[str, Query(max_length=60)] = "",
) -> EventList:
    """Show what happened to a rental of yours, newest first."""
    rental = queries.find(rental_id, caller(request).pk)
    page = events.events(rental, before=Mark.decode(cursor) if cursor else None)
    return EventList(
        items=[
            RentalEventReply(
                at=one.at,
                event=one.event,
                sentence=one.sentence,
                code=one.code,
                reason=one.reason,
            )
            for one in page.items
        ],
        next_cursor=page.older.encode() if page.older else None,
    )
