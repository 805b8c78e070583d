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
    at: datetime
    kind: str
    amount_microusd: int
    note: str
    #: what could be spent and what was set aside together, after this line
    total_microusd: int


class Statement(Schema):
    items: list[Line]
    #: can be spent
    balance_microusd: int
    #: set aside for rentals; with the balance the newest line's total
    held_microusd: int


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
    request: HttpRequest, limit: Annotated[int, Query(), Field(ge=1, le=1000)] = 100
) -> Statement:
    """List what came in and went out, newest first."""
    funds = queries.funds(caller(request).pk, limit)
    lines = [
        Line(
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
    )
