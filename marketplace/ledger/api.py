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
    #: of everything that is yours, held or not, after this line
    balance_microusd: int


class Statement(Schema):
    items: list[Line]
    balance_microusd: int


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
    user = caller(request)
    lines = [
        Line(
            at=line.at,
            kind=line.kind,
            amount_microusd=line.amount_microusd,
            note=line.note,
            balance_microusd=line.balance_microusd,
        )
        for line in queries.statement(user.pk, limit)
    ]
    return Statement(items=lines, balance_microusd=queries.balance(user.pk))
