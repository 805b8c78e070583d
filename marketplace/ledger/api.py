"""This will serve balances and statements over the REST API."""

from datetime import datetime
from typing import Annotated

from django.http import HttpRequest
from ninja import Query, Router, Schema
from pydantic import Field

from marketplace.accounts.bearer import ApiKeyBearer, caller
from marketplace.ledger import queries

router = Router(tags=["money"], auth=ApiKeyBearer())


class Me(Schema):
    email: str
    balance_microusd: int
    held_microusd: int
    earned_microusd: int


class Line(Schema):
    """All charges of one rental, or one other movement."""

    #: of the first charge; of anything else the same as at
    since: datetime
    at: datetime
    kind: str
    amount_microusd: int
    note: str
    #: the sum of this line and all older ones
    total_microusd: int


class Statement(Schema):
    items: list[Line]
    #: can be spent
    balance_microusd: int
    #: set aside for rentals; with the balance the newest line's total
    held_microusd: int
    #: null: these are the oldest lines
    next_cursor: str | None


@router.get("/me", response=Me)
def me(request: HttpRequest) -> Me:
    """Say who you are and what you have."""
    user = caller(request)
    return Me(
        email=user.email,
        balance_microusd=queries.balance(user.pk),
        held_microusd=queries.held(user.pk),
        earned_microusd=queries.earned(user.pk),
    )


@router.get("/statement", response=Statement)
def statement(
    request: HttpRequest,
    limit: Annotated[int, Query(), Field(ge=1, le=1000)] = 100,
    cursor: Annotated[int | None, Query(), Field(ge=1, lt=1 << 63)] = None,
) -> Statement:
    """List what came in and went out, newest first; all charges of a rental are one line."""
    funds = queries.funds(caller(request).pk, limit, before=cursor)
    lines = [
        Line(
            since=line.since,
            at=line.at,
            kind=line.kind,
            amount_microusd=line.amount_microusd,
            note=line.note,
            total_microusd=line.total_microusd,
        )
        for line in funds.lines
    ]
    return Statement(
        items=lines,
        balance_microusd=funds.balance_microusd,
        held_microusd=funds.held_microusd,
        next_cursor=None if funds.older is None else str(funds.older),
    )
