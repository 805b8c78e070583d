"""This will send unspent money back to the card that it came from; the operator decides."""

import logging
from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from django.db import transaction

from marketplace.domain.ledger import TransferKind
from marketplace.domain.money import MicroUsd, format_usd
from marketplace.domain.paying_in import is_whole_cents, next_ask, refundable
from marketplace.domain.problem import Refused
from marketplace.ledger.actions import open_account
from marketplace.ledger.actions.post import CauseReused, post
from marketplace.ledger.models import Account
from marketplace.notices.actions.notify import notify
from marketplace.one_by_one import one_by_one
from marketplace.payments import configured_gateway, queries
from marketplace.payments.actions import note_difference
from marketplace.payments.card_processor import RefundAnswer, RefundAsked, RefundOutcome
from marketplace.payments.gateway import AnswerDoesNotFit, GatewayUnreachable
from marketplace.payments.models import Refund, RefundState, TopUp, TopUpState

REFUNDS_MAX = 100
NOTE_LENGTH_MAX = 200

log = logging.getLogger(__name__)


class RefundRefused(Refused):
    """So much of this payment cannot go back."""

    code = "refund_refused"
    status = 409


def refund(
    *,
    top_up_id: UUID,
    amount_microusd: MicroUsd,
    note: str,
    cause: str,
    now: datetime,
    begun: Callable[[Refund], object],
) -> Refund:
    """Take money from the wallet and send it back to its card; the same cause sends it once.

    Call it outside a transaction: the processor is a remote call. What it does not answer stays
    pending and goes on by a pass; what it refuses is in the wallet again.
    ``begun``: writes down who sends it, in the transaction that takes the money, once for a cause.

    :raises RefundRefused: when this much of the payment is spent, sent back or disputed already.
    :raises CauseReused: when the cause stands for another refund.
    """
    row = _begun(top_up_id, amount_microusd, note, cause, now, begun)
    if row.state != RefundState.PENDING:
        return row
    try:
        return ask(row, now=now)
    except GatewayUnreachable:
        return row


def settle_refunds(*, now: datetime) -> int:
    """Return how many refunds this pass brought to an end."""
    waiting = Refund.objects.filter(state=RefundState.PENDING, ask_at__lt=now)
    settled = one_by_one(
        waiting.order_by("ask_at", "id"),
        lambda row: ask(row, now=now).state != RefundState.PENDING,
        failed="Refund not settled",
        most=REFUNDS_MAX,
        silence=(GatewayUnreachable,),
    )
    return sum(settled)


def ask(row: Refund, *, now: datetime) -> Refund:
    """Ask the processor to send the money, or how far it is, and write its answer down.

    :raises GatewayUnreachable: when no answer came.
    """
    with transaction.atomic():
        Refund.objects.filter(pk=row.pk).update(ask_at=next_ask(began_at=row.created_at, now=now))
    asked = RefundAsked(
        refund_id=row.pk,
        payment=row.top_up.reference,
        amount_microusd=MicroUsd(row.amount_microusd),
        reference=row.reference,
    )
    try:
        answer = configured_gateway.cards().refund(asked)
    except AnswerDoesNotFit as strange:
        note_difference.note(
            kind="refund_does_not_fit", reference=str(row.pk), detail=str(strange), now=now
        )
        return row
    return _settle(row.pk, answer, now)


def _begun(
    top_up_id: UUID,
    amount: MicroUsd,
    note: str,
    cause: str,
    now: datetime,
    begun: Callable[[Refund], object],
) -> Refund:
    with transaction.atomic():
        # The payment's row is locked, so two refunds of it cannot both see the same rest.
        top_up = TopUp.objects.select_for_update().get(pk=top_up_id)
        known = Refund.objects.select_related("top_up").filter(cause=cause).first()
        if known is not None:
            if (known.top_up_id, known.amount_microusd) != (top_up_id, amount):
                raise CauseReused
            return known
        _check(top_up, amount)
        row = Refund.objects.create(
            top_up=top_up,
            amount_microusd=amount,
            note=note[:NOTE_LENGTH_MAX],
            cause=cause,
            created_at=now,
            ask_at=next_ask(began_at=now, now=now),
        )
        wallet = open_account.wallet(user_id=top_up.user_id)
        _move(row, wallet, open_account.outside(), "out", now)
        begun(row)
    return row


def _check(top_up: TopUp, amount: MicroUsd) -> None:
    if top_up.state != TopUpState.PAID or top_up.gateway != configured_gateway.cards().name:
        raise RefundRefused("This payment did not come from a card, or never came.")
    wallet = open_account.wallet(user_id=top_up.user_id)
    # Money alone: credit came from no card, and goes to none.
    locked = Account.objects.select_for_update().get(pk=wallet.pk)
    most = refundable(
        paid=MicroUsd(top_up.amount_microusd),
        refunded=queries.refunded(top_up),
        disputed=queries.disputed(top_up),
        to_spend=locked.balance_microusd,
    )
    if not 0 < amount <= most or not is_whole_cents(amount):
        raise RefundRefused(f"At most {format_usd(most)} can go back, in whole cents.")


def _settle(refund_id: UUID, answer: RefundAnswer, now: datetime) -> Refund:
    """Write the answer down once. A refund that was done may still fail: banks send money back."""
    with transaction.atomic():
        row = Refund.objects.select_for_update().select_related("top_up").get(pk=refund_id)
        before = row.state
        row.reference = answer.reference or row.reference
        if answer.outcome is RefundOutcome.FAILED and before != RefundState.FAILED:
            row.state, row.reason, row.settled_at = RefundState.FAILED, answer.reason[:200], now
            wallet = open_account.wallet(user_id=row.top_up.user_id)
            _move(row, open_account.outside(), wallet, "back", now)
        elif answer.outcome is RefundOutcome.DONE and before == RefundState.PENDING:
            row.state, row.settled_at = RefundState.DONE, now
            _tell(row, now)
        row.save(update_fields=["reference", "state", "reason", "settled_at"])
    if row.state != before:
        log.info("refund settled", extra={"refund_id": row.pk, "state": str(row.state)})
    return row


def _move(row: Refund, debit: Account, credit: Account, word: str, now: datetime) -> None:
    post(
        debit=debit,
        credit=credit,
        amount_microusd=MicroUsd(row.amount_microusd),
        kind=TransferKind.REFUND,
        cause=f"refund:{row.pk}:{word}",
        note="Sent back to your card" if word == "out" else "The card did not take it back",
        now=now,
    )


def _tell(row: Refund, now: datetime) -> None:
    notify(
        user_id=row.top_up.user_id,
        kind="payment",
        cause=f"refund:{row.pk}",
        title=f"{format_usd(row.amount_microusd)} goes back to your card",
        text=f"It came from {row.top_up.card_text or 'your card'}. Banks take some days.",
        data={"url": "/money/"},
        now=now,
    )
