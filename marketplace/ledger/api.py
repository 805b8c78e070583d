"""This will serve balances and statements over the REST API."""

from datetime import datetime
from typing import Annotated, Literal

from django.http import HttpRequest, StreamingHttpResponse
from django.utils import timezone
from ninja import Router, Schema
from pydantic import Field

from marketplace.accounts.bearer import ApiKeyBearer, caller, caller_key, team_caller
from marketplace.domain.spending import Period
from marketplace.json_body import JsonBody
from marketplace.ledger import queries
from marketplace.ledger.actions import spend_limit
from marketplace.ledger.csv_reply import csv_reply

router = Router(tags=["money"], auth=ApiKeyBearer())


class Credit(Schema):
    """Credit that was given: it is spent before money, and ends."""

    left_microusd: int
    expires_at: datetime
    note: str


class Me(Schema):
    #: of the person whose key it is, who may act for a team
    email: str
    #: whose the rest is; null: the person's own
    team: str | None
    team_id: int | None
    #: can be spent, credit too
    balance_microusd: int
    #: of the balance, what was given; ends soonest first
    credit: list[Credit]
    held_microusd: int
    #: set aside while payments of yours are disputed
    frozen_microusd: int
    earned_microusd: int


class SpendLimits(JsonBody):
    """What the account may set aside, by UTC's days and months. Null: no limit."""

    day_microusd: Annotated[int, Field(ge=0, le=10**15)] | None = None
    month_microusd: Annotated[int, Field(ge=0, le=10**15)] | None = None


class SpendLimitsReply(SpendLimits):
    #: set aside in this day or month, less what came back of it; null where there is no limit
    day_counted_microusd: int | None = None
    month_counted_microusd: int | None = None


@router.get("/me", response=Me)
def me(request: HttpRequest) -> Me:
    """Say who you are and what you have."""
    user, acting = caller(request), team_caller(request)
    credit = queries.credit(user.pk, now=timezone.now())
    return Me(
        email=acting.person.email if acting else user.email,
        team=acting.team.team_name if acting else None,
        team_id=acting.team.pk if acting else None,
        balance_microusd=queries.balance(user.pk),
        credit=[
            Credit(left_microusd=one.left_microusd, expires_at=one.expires_at, note=one.note)
            for one in credit
        ],
        held_microusd=queries.held(user.pk),
        frozen_microusd=queries.frozen(user.pk),
        earned_microusd=queries.earned(user.pk),
    )


@router.get("/spend-limits", response=SpendLimitsReply)
def spend_limits(request: HttpRequest) -> SpendLimitsReply:
    """Say what your account may set aside in a day and in a month, and what is counted."""
    reply = SpendLimitsReply()
    for row in spend_limit.limits(caller(request).pk, timezone.now()):
        setattr(reply, f"{row.period}_microusd", row.limit_microusd)
        setattr(reply, f"{row.period}_counted_microusd", row.counted_microusd)
    return reply


@router.put("/spend-limits", response=SpendLimitsReply)
def set_spend_limits(request: HttpRequest, payload: SpendLimits) -> SpendLimitsReply:
    """Set both limits, at once; what runs goes on. A key with a spend limit may not."""
    spend_limit.check_own(api_key_id=caller_key(request), hold_key_id=None)
    now = timezone.now()
    for period, limit in (
        (Period.DAY, payload.day_microusd),
        (Period.MONTH, payload.month_microusd),
    ):
        spend_limit.set_limit(
            user_id=caller(request).pk, period=period, limit_microusd=limit, now=now
        )
    return spend_limits(request)


@router.get("/statement.csv", response={200: None})
def statement_as_csv(
    request: HttpRequest, of: Literal["funds", "earnings"] = "funds"
) -> StreamingHttpResponse:
    """Return each movement of your money, or of what your machines earn, as CSV, oldest first."""
    return csv_reply(caller(request).pk, of)
