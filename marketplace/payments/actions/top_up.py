"""This will add money to a person's wallet through a gateway."""

import logging
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from marketplace.domain.features import Feature
from marketplace.domain.ledger import AccountKind
from marketplace.domain.money import MICROUSD_PER_USD, MicroUsd, format_usd
from marketplace.domain.paying_in import is_whole_cents, next_ask
from marketplace.domain.problem import Refused
from marketplace.ledger.actions import open_account
from marketplace.ledger.actions.post import CauseReused, post
from marketplace.oversight import switches
from marketplace.payments import configured_gateway
from marketplace.payments.actions import note_difference
from marketplace.payments.actions.count_decline import count_decline, forget_declines
from marketplace.payments.gateway import (
    Answer,
    AnswerDoesNotFit,
    Gateway,
    GatewayUnreachable,
    Outcome,
    Payment,
)
from marketplace.payments.models import Payer, TopUp, TopUpState

AMOUNT_MICROUSD_MIN = MicroUsd(1 * MICROUSD_PER_USD)
AMOUNT_MICROUSD_MAX = MicroUsd(10_000 * MICROUSD_PER_USD)
NOTE = "Added to your balance"
#: nobody waits longer for their money, or for its refusal. A gateway knows a request again for a
#: day: asked after that it would take the money twice, and two clocks may differ by the hour left.
GIVE_UP_AFTER = timedelta(hours=23)

log = logging.getLogger(__name__)


class TopUpAmountRefused(Refused):
    code = "amount_invalid"
    status = 422
    sentence = (
        f"Add between {format_usd(AMOUNT_MICROUSD_MIN)} and {format_usd(AMOUNT_MICROUSD_MAX)}, "
        "in whole cents."
    )


class CardNeeded(Refused):
    code = "card_needed"
    status = 409
    sentence = "Save a card on the page Money first; then add money from it."


class CardsBarred(Refused):
    code = "cards_barred"
    status = 403
    sentence = "No card is taken from this account after a dispute. Write to the site's operator."


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
    :raises CardNeeded: when the gateway wants a saved card and there is none.
    :raises CardsBarred: when this person's cards are not taken any more.
    """
    check_amount(amount_microusd)
    chosen = gateway or configured_gateway.get()
    known = TopUp.objects.filter(cause=cause).first()
    attempt = known or begin(
        user_id=user_id, amount_microusd=amount_microusd, cause=cause, gateway=chosen, now=now
    )
    wanted = (user_id, amount_microusd, chosen.name)
    if (attempt.user_id, attempt.amount_microusd, attempt.gateway) != wanted:
        raise CauseReused
    if attempt.state != TopUpState.PENDING:
        return attempt
    try:
        return ask(attempt, gateway=chosen, now=now)
    except GatewayUnreachable:
        return attempt


def check_amount(amount_microusd: MicroUsd) -> None:
    """Refuse what no card is asked for.

    :raises TopUpAmountRefused: when the amount is outside the limits, or no whole cents.
    """
    inside = AMOUNT_MICROUSD_MIN <= amount_microusd <= AMOUNT_MICROUSD_MAX
    if not inside or not is_whole_cents(amount_microusd):
        raise TopUpAmountRefused


def begin(
    *,
    user_id: int,
    amount_microusd: MicroUsd,
    cause: str,
    gateway: Gateway,
    now: datetime,
    automatic: bool = False,
) -> TopUp:
    """Return the row of a payment that the gateway was not asked for yet; the same cause, one row.

    It keeps the card that is saved now: asked again later, it is still the same request.

    :raises FeatureOff: when no money can be added for now.
    :raises CardNeeded: when the gateway wants a saved card and there is none.
    :raises CardsBarred: when this person's cards are not taken any more.
    """
    if not TopUp.objects.filter(cause=cause).exists():
        switches.check(Feature.TOP_UPS)
    payer = Payer.objects.filter(user_id=user_id).first() if gateway.needs_card else None
    if payer is not None and payer.barred_at is not None:
        raise CardsBarred
    if gateway.needs_card and (payer is None or not payer.card):
        raise CardNeeded
    attempt, _ = TopUp.objects.get_or_create(
        cause=cause,
        defaults={
            "user_id": user_id,
            "amount_microusd": amount_microusd,
            "gateway": gateway.name,
            "automatic": automatic,
            "created_at": now,
            "ask_at": next_ask(began_at=now, now=now),
            "customer": payer.customer if payer else "",
            "card": payer.card if payer else "",
            "card_text": payer.card_text if payer else "",
        },
    )
    return attempt


def ask(attempt: TopUp, *, gateway: Gateway, now: datetime) -> TopUp:
    """Ask the gateway for a pending payment, or what became of it, and write its answer down.

    An old payment is told to take nothing any more. Call it outside a transaction. Silence and an
    answer that does not fit leave the payment as it is.

    :raises GatewayUnreachable: when no answer came.
    """
    ask_at = next_ask(began_at=attempt.created_at, now=now)
    with transaction.atomic():
        TopUp.objects.filter(pk=attempt.pk).update(ask_at=ask_at)
    try:
        is_old = attempt.created_at < now - GIVE_UP_AFTER
        answer = (gateway.cancel if is_old else gateway.charge)(_payment(attempt))
    except GatewayUnreachable:
        log.warning("payment gateway unreachable", extra={"top_up_id": attempt.pk})
        raise
    except AnswerDoesNotFit as strange:
        note_difference.note(
            kind="payment_does_not_fit", reference=str(attempt.pk), detail=str(strange), now=now
        )
        return attempt
    return settle(top_up_id=attempt.pk, answer=answer, gateway=gateway, now=now)


def settle(*, top_up_id: UUID, answer: Answer, gateway: Gateway, now: datetime) -> TopUp:
    """Write down what the gateway said; hearing it again changes nothing.

    Money that it took is its payer's, even where we gave the payment up.
    """
    pending = TopUp.objects.filter(pk=top_up_id, state=TopUpState.PENDING)
    if answer.outcome is Outcome.PENDING:
        pending.update(reference=answer.reference, confirm_url=answer.confirm_url)
        return TopUp.objects.get(pk=top_up_id)
    state, before = TopUpState.REFUSED, [TopUpState.PENDING]
    if answer.outcome is Outcome.PAID:
        state, before = TopUpState.PAID, [TopUpState.PENDING, TopUpState.REFUSED]
    with transaction.atomic():
        settled = TopUp.objects.filter(pk=top_up_id, state__in=before).update(
            state=state,
            reference=answer.reference,
            reason=answer.reason,
            confirm_url="",
            settled_at=now,
        )
        attempt = TopUp.objects.get(pk=top_up_id)
        if settled and state is TopUpState.PAID:
            _pay_in(attempt, gateway, now)
            forget_declines(user_id=attempt.user_id)
        elif settled and attempt.automatic:
            count_decline(user_id=attempt.user_id, reason=answer.reason, now=now)
    if settled:
        log.info("top-up settled", extra={"top_up_id": top_up_id, "state": state.value})
    return attempt


def _payment(attempt: TopUp) -> Payment:
    return Payment(
        top_up_id=attempt.pk,
        amount_microusd=MicroUsd(attempt.amount_microusd),
        customer=attempt.customer,
        card=attempt.card,
        automatic=attempt.automatic,
        reference=attempt.reference,
    )


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
