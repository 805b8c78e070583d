"""This will show hosts their earnings and payouts over the REST API."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from django.http import HttpRequest
from django.utils import timezone
from ninja import Path, Router, Schema
from pydantic import Field

from marketplace.accounts.bearer import ApiKeyBearer, caller
from marketplace.payouts import queries, statements
from marketplace.payouts.earned import Earned, earned
from marketplace.payouts.models import Payout, Route
from marketplace.payouts.outlook import Obstacle, outlook

router = Router(tags=["host"], auth=ApiKeyBearer())


class MachineEarned(Schema):
    #: null: credit that no machine earned
    machine_id: UUID | None
    today_microusd: int
    week_microusd: int
    month_microusd: int


class DayEarned(Schema):
    day: date
    microusd: int


class EarningsReply(Schema):
    """After fees; days are those of UTC."""

    balance_microusd: int
    #: of the balance: may be paid out now
    available_microusd: int
    #: of the balance: younger than the hold
    young_microusd: int
    #: of the balance: stays for disputes
    reserve_microusd: int
    today_microusd: int
    #: of the last 7 and of the last 30 days, today included
    week_microusd: int
    month_microusd: int
    #: the 100 that earned most in 30 days, most first; statements have all of them
    machines: list[MachineEarned]
    days: list[DayEarned]
    #: those that have a statement, newest first
    months: list[str]


class PayoutReply(Schema):
    id: UUID
    week: date
    amount_microusd: int
    #: pending, sent, paid or failed
    state: str
    #: the processor's newest reason against it
    reason: str
    created_at: datetime
    sent_at: datetime | None
    settled_at: datetime | None


class PayoutsReply(Schema):
    route: Route
    next_at: datetime
    #: if nothing more is earned or given back until then
    next_amount_microusd: int
    obstacle: Obstacle
    minimum_microusd: int
    #: why the account cannot be paid to
    account_reason: str
    items: list[PayoutReply]
    #: as ``cursor`` it gives the next page; null: there is none
    next_cursor: UUID | None


class StatementReply(Schema):
    month: str
    opening_microusd: int
    #: after the fee
    earned_microusd: int
    fee_microusd: int
    given_back_microusd: int
    paid_out_microusd: int
    closing_microusd: int


@router.get("/host/earnings", response=EarningsReply)
def earnings(request: HttpRequest) -> EarningsReply:
    """Say what you earned, and what of it may be paid out."""
    host_id, now = caller(request).pk, timezone.now()
    present, found = outlook(host_id, now=now).now, earned(host_id, now=now)
    total = found.total
    return EarningsReply(
        balance_microusd=present.balance_microusd,
        available_microusd=present.available_microusd,
        young_microusd=present.young_microusd,
        reserve_microusd=present.reserve_microusd,
        today_microusd=total.today_microusd,
        week_microusd=total.week_microusd,
        month_microusd=total.month_microusd,
        machines=[_machine(machine_id, one) for machine_id, one in found.by_machine.items()],
        days=[DayEarned(day=day, microusd=sum_) for day, sum_ in found.by_day.items()],
        months=list(statements.months(host_id, now=now)),
    )


@router.get("/host/payouts", response=PayoutsReply)
def payouts(request: HttpRequest, cursor: UUID | None = None) -> PayoutsReply:
    """Say when you are paid next and how much, and list what was paid, newest first."""
    host_id = caller(request).pk
    page = queries.payouts_page(host_id, after=cursor)
    found = outlook(host_id, now=timezone.now())
    return PayoutsReply(
        route=Route(found.details.route) if found.details else Route.BANK,
        next_at=found.friday,
        next_amount_microusd=found.amount_microusd,
        obstacle=found.obstacle,
        minimum_microusd=found.terms.amount_microusd_min,
        account_reason=found.account.reason if found.account else "",
        items=[_payout(payout) for payout in page.items],
        next_cursor=page.next_id,
    )


@router.get("/host/statements/{month}", response=StatementReply)
def statement(
    request: HttpRequest, month: Annotated[str, Path(), Field(max_length=7)]
) -> StatementReply:
    """Say what moved in one month, such as 2026-11."""
    found = statements.statement(caller(request).pk, month, now=timezone.now())
    return StatementReply(
        month=found.month,
        opening_microusd=found.opening_microusd,
        earned_microusd=found.moved.earned_microusd,
        fee_microusd=found.moved.fee_microusd,
        given_back_microusd=found.moved.given_back_microusd,
        paid_out_microusd=found.moved.paid_out_microusd,
        closing_microusd=found.closing_microusd,
    )


def _machine(machine_id: UUID | None, found: Earned) -> MachineEarned:
    return MachineEarned(
        machine_id=machine_id,
        today_microusd=found.today_microusd,
        week_microusd=found.week_microusd,
        month_microusd=found.month_microusd,
    )


def _payout(payout: Payout) -> PayoutReply:
    return PayoutReply(
        id=payout.id,
        week=payout.week,
        amount_microusd=payout.amount_microusd,
        state=payout.state,
        reason=payout.reason,
        created_at=payout.created_at,
        sent_at=payout.sent_at,
        settled_at=payout.settled_at,
    )
