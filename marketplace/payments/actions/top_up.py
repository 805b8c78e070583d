"""This will add money to a person's wallet through a gateway."""

import logging
from datetime import datetime
from uuid import UUID

from django.db import transaction

from marketplace.accounts.models import User
from marketplace.domain.ledger import AccountKind
from marketplace.domain.money import MICROUSD_PER_USD, MicroUsd, format_usd
from marketplace.domain.problem import Refused
from marketplace.ledger.actions import open_account
from marketplace.ledger.actions.post import CauseReused, post
from marketplace.payments import configured_gateway
from marketplace.payments.gateway import Answer, Gateway, GatewayUnreachable, Outcome
from marketplace.payments.models import TopUp, TopUpState

AMOUNT_MICROUSD_MIN = MicroUsd(1 * MICROUSD_PER_USD)
AMOUNT_MICROUSD_MAX = MicroUsd(10_000 * MICROUSD_PER_USD)
NOTE = "Added to your balance"

log = logging.getLogger(__name__)


class TopUpAmountRefused(Refused):
    code = "invalid"
    status = 422
    sentence = (
        f"Add between {format_usd(AMOUNT_MICROUSD_MIN)} and {format_usd(AMOUNT_MICROUSD_MAX)}."
    )


def top_up(
    *,
    user_id: int,
    amount_microusd: MicroUsd,
    cause: str,
    now: datetime,
    gateway: Gateway | None = None,
) -> TopUp:
    """Return the payment, paid, refused or still pending; the same cause pays once.

    Call it outside a transaction: the gateway is a remote call. A payment that a crash or a silent
    gateway left pending goes on when it is asked for again.

    :raises TopUpAmountRefused: when the amount is outside the limits.
    :raises CauseReused: when the cause stands for another person or amount.
    :raises PaymentsUnavailable: when this site has no gateway.
    """
    if not AMOUNT_MICROUSD_MIN <= amount_microusd <= AMOUNT_MICROUSD_MAX:
        raise TopUpAmountRefused
    chosen = gateway or configured_gateway.get()
    attempt = _attempt(user_id, amount_microusd, cause, chosen, now)
    if attempt.state != TopUpState.PENDING:
        return attempt
    try:
        answer = chosen.charge(
            top_up_id=attempt.pk, amount_microusd=amount_microusd, email=_email(user_id)
        )
    except GatewayUnreachable:
        log.warning("payment gateway unreachable", extra={"top_up_id": attempt.pk})
        return attempt
    return settle(top_up_id=attempt.pk, answer=answer, gateway=chosen, now=now)


def settle(*, top_up_id: UUID, answer: Answer, gateway: Gateway, now: datetime) -> TopUp:
    """Write down what the gateway said; hearing it again changes nothing."""
    if answer.outcome is Outcome.PENDING:
        TopUp.objects.filter(pk=top_up_id, reference="").update(reference=answer.reference)
        return TopUp.objects.get(pk=top_up_id)
    state = TopUpState.PAID if answer.outcome is Outcome.PAID else TopUpState.REFUSED
    with transaction.atomic():
        settled = TopUp.objects.filter(pk=top_up_id, state=TopUpState.PENDING).update(
            state=state, reference=answer.reference, reason=answer.reason, settled_at=now
        )
        attempt = TopUp.objects.get(pk=top_up_id)
        if settled and state is TopUpState.PAID:
            _pay_in(attempt, gateway, now)
    if settled:
        log.info("top-up settled", extra={"top_up_id": top_up_id, "state": state.value})
    return attempt


def _attempt(
    user_id: int, amount_microusd: MicroUsd, cause: str, gateway: Gateway, now: datetime
) -> TopUp:
    attempt, _ = TopUp.objects.get_or_create(
        cause=cause,
        defaults={
            "user_id": user_id,
            "amount_microusd": amount_microusd,
            "gateway": gateway.name,
            "created_at": now,
        },
    )
    wanted = (user_id, amount_microusd, gateway.name)
    if (attempt.user_id, attempt.amount_microusd, attempt.gateway) != wanted:
        raise CauseReused
    return attempt


def _email(user_id: int) -> str:
    return User.objects.values_list("email", flat=True).get(pk=user_id)


def _pay_in(attempt: TopUp, gateway: Gateway, now: datetime) -> None:
    play_money = gateway.source is AccountKind.PROMO
    post(
        debit=open_account.promo() if play_money else open_account.outside(),
        credit=open_account.wallet(user_id=attempt.user_id),
        amount_microusd=MicroUsd(attempt.amount_microusd),
        kind=gateway.kind,
        cause=f"top-up:{attempt.pk}",
        note=NOTE,
        now=now,
    )
