"""This will answer what people paid in, what went back, and what may still."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import QuerySet, Sum

from marketplace.domain.money import MicroUsd
from marketplace.domain.paying_in import refundable
from marketplace.keyset import RowPage, newest_first
from marketplace.ledger import queries as ledger
from marketplace.payments import configured_gateway
from marketplace.payments.models import (
    AutoTopUp,
    Dispute,
    DisputeState,
    Payer,
    Refund,
    RefundState,
    TopUp,
    TopUpState,
)

PAYMENTS_MAX = 20
#: of one page of a list
PAGE_MAX = 100


@dataclass(frozen=True, slots=True)
class PayingIn:
    """What a person's page about adding money shows."""

    payer: Payer | None
    rule: AutoTopUp | None
    #: newest first
    payments: tuple[TopUp, ...]
    refunds: tuple[Refund, ...]
    disputes: tuple[Dispute, ...]


def paying_in(user_id: int) -> PayingIn:
    """Return what a person has set, and their newest payments with what became of them."""
    mine = {"top_up__user_id": user_id}
    refunds = Refund.objects.filter(**mine).order_by("-created_at", "id")
    disputes = Dispute.objects.filter(**mine).order_by("-opened_at", "id")
    return PayingIn(
        payer=Payer.objects.filter(user_id=user_id).first(),
        rule=AutoTopUp.objects.filter(user_id=user_id).first(),
        payments=payments(user_id),
        refunds=tuple(refunds[:PAYMENTS_MAX]),
        disputes=tuple(disputes[:PAYMENTS_MAX]),
    )


def payments_page(user_id: int, *, after: UUID | None = None) -> RowPage[TopUp]:
    """Return a page of a person's payments, newest first."""
    rows = TopUp.objects.filter(user_id=user_id)
    return newest_first(rows, at="created_at", after=after, rows_max=PAGE_MAX)


def added_since(user_id: int, since: datetime, *, but: str) -> bool:
    """Say whether somebody added money since then, or still does, by another cause than this.

    A rule is nobody.
    """
    rows = TopUp.objects.filter(user_id=user_id, created_at__gte=since, automatic=False)
    return rows.exclude(state=TopUpState.REFUSED).exclude(cause=but).exists()


def payments(user_id: int, limit: int = PAYMENTS_MAX) -> tuple[TopUp, ...]:
    """Return a person's newest payments."""
    return tuple(TopUp.objects.filter(user_id=user_id).order_by("-created_at", "id")[:limit])


def of_payment(top_up: TopUp) -> PayingIn:
    """Return one payment with everything that became of it, as a page about paying in shows it."""
    return PayingIn(
        payer=None,
        rule=None,
        payments=(top_up,),
        refunds=tuple(top_up.refunds.order_by("-created_at", "id")),
        disputes=tuple(top_up.disputes.order_by("-opened_at", "id")),
    )


def most_back(top_up: TopUp) -> MicroUsd:
    """Return what of a payment can go back to its card now; a refund decides behind locks."""
    takes_cards = configured_gateway.takes_cards()
    if top_up.state != TopUpState.PAID or not takes_cards:
        return MicroUsd(0)
    if top_up.gateway != configured_gateway.cards().name:
        return MicroUsd(0)
    return refundable(
        paid=MicroUsd(top_up.amount_microusd),
        refunded=refunded(top_up),
        disputed=disputed(top_up),
        to_spend=ledger.money(top_up.user_id),
    )


def has_pending(user_id: int) -> bool:
    """Say whether a payment of the person's is on its way."""
    return TopUp.objects.filter(user_id=user_id, state=TopUpState.PENDING).exists()


def asked_automatically(user_id: int, now: datetime) -> MicroUsd:
    """Return what the person's card was asked for by itself this month and did not refuse."""
    asked = automatic_since_month_began(now).filter(user_id=user_id)
    return MicroUsd(asked.aggregate(sum=Sum("amount_microusd"))["sum"] or 0)


def is_contested(user_id: int) -> bool:
    """Say whether a payment of the person's is disputed, or the site paid for one that they lost.

    Until an operator lets them pay again (let_pay), none of their money leaves the site.
    """
    theirs = Dispute.objects.filter(top_up__user_id=user_id, state=DisputeState.OPEN)
    barred = Payer.objects.filter(user_id=user_id, barred_at__isnull=False)
    return theirs.exists() or barred.exists()


def disputed_of(user_id: int, state: DisputeState) -> MicroUsd:
    """Return what of all the person's payments is disputed, and stands so."""
    theirs = Dispute.objects.filter(top_up__user_id=user_id, state=state)
    return MicroUsd(theirs.aggregate(sum=Sum("amount_microusd"))["sum"] or 0)


def automatic_since_month_began(now: datetime) -> QuerySet[TopUp]:
    """Return the payments that cards were asked for by themselves this month and did not refuse."""
    month = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    asked = TopUp.objects.filter(automatic=True, created_at__gte=month)
    return asked.exclude(state=TopUpState.REFUSED)


def refunded(top_up: TopUp) -> MicroUsd:
    """Return what of a payment went back, or is on its way."""
    going = top_up.refunds.exclude(state=RefundState.FAILED)
    return MicroUsd(going.aggregate(sum=Sum("amount_microusd"))["sum"] or 0)


def disputed(top_up: TopUp) -> MicroUsd:
    """Return what of a payment is disputed, or was lost so."""
    theirs = top_up.disputes.exclude(state=DisputeState.WON)
    return MicroUsd(theirs.aggregate(sum=Sum("amount_microusd"))["sum"] or 0)
