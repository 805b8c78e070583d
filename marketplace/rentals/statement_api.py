"""This will serve statements over the REST API: what moved, and what was not charged and why."""

from datetime import datetime
from typing import Annotated

from django.http import HttpRequest
from django.utils import timezone
from ninja import Query, Router, Schema
from pydantic import Field

from marketplace.accounts.bearer import ApiKeyBearer, caller
from marketplace.domain.bill import SENTENCES
from marketplace.ledger import queries
from marketplace.rentals import charged, unbilled
from marketplace.rentals.bill_api import UnbilledReply

router = Router(tags=["money"], auth=ApiKeyBearer())


class Line(Schema):
    """All charges of one rental, or one other movement."""

    #: of the first charge; of anything else the same as at
    since: datetime
    at: datetime
    kind: str
    #: what was charged, such as Job c05b85eb or Rental train (3f2a9c10); empty: it is no charge
    title: str
    amount_microusd: int
    note: str
    #: the sum of this line and all older ones
    total_microusd: int
    #: what of a rental's time was not charged; of a long one its bill may say more
    unbilled: list[UnbilledReply]


class Statement(Schema):
    items: list[Line]
    #: can be spent
    balance_microusd: int
    #: set aside for rentals; with the balance the newest line's total
    held_microusd: int
    #: null: these are the oldest lines
    next_cursor: str | None


@router.get("/statement", response=Statement)
def statement(
    request: HttpRequest,
    limit: Annotated[int, Query(), Field(ge=1, le=1000)] = 100,
    cursor: Annotated[int | None, Query(), Field(ge=1, lt=1 << 63)] = None,
) -> Statement:
    """List what came in and went out, newest first; all charges of a rental are one line."""
    funds = queries.funds(caller(request).pk, limit, before=cursor)
    held = {line.hold_account_id for line in funds.lines if line.hold_account_id is not None}
    found = unbilled.by_account(held, now=timezone.now()) if held else {}
    titles = charged.titles(held) if held else {}
    lines = [
        Line(
            since=line.since,
            at=line.at,
            kind=line.kind,
            title=titles.get(line.hold_account_id, "") if line.hold_account_id else "",
            amount_microusd=line.amount_microusd,
            note=line.note,
            total_microusd=line.total_microusd,
            unbilled=[
                UnbilledReply(reason=reason, sentence=SENTENCES[reason], ms=ms)
                for reason, ms in (
                    found.get(line.hold_account_id, {}) if line.hold_account_id else {}
                ).items()
            ],
        )
        for line in funds.lines
    ]
    return Statement(
        items=lines,
        balance_microusd=funds.balance_microusd,
        held_microusd=funds.held_microusd,
        next_cursor=None if funds.older is None else str(funds.older),
    )
