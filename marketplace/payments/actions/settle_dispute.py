"""This will set a disputed payment's money aside, and let it go where the bank decided."""

import logging
from datetime import datetime

from django.db import models, transaction

from marketplace.domain.ledger import TransferKind
from marketplace.domain.money import MicroUsd, format_usd
from marketplace.domain.paying_in import CURRENCY, loss, next_ask
from marketplace.ledger.actions import open_account
from marketplace.ledger.actions.post import Entry, post, post_together
from marketplace.ledger.models import Account
from marketplace.notices.actions.notify import notify
from marketplace.one_by_one import one_by_one
from marketplace.payments import configured_gateway
from marketplace.payments.actions import note_difference
from marketplace.payments.actions.bring_in import bring_in
from marketplace.payments.card_processor import DisputeFacts, DisputeOutcome
from marketplace.payments.gateway import GatewayUnreachable
from marketplace.payments.models import Dispute, DisputeState, Payer, TopUp, TopUpState

DISPUTES_MAX = 100
NOTE = "Payment of {at:%-d %b %Y} disputed"

log = logging.getLogger(__name__)


def look(dispute_id: str, *, now: datetime) -> Dispute | None:
    """Ask the processor how a dispute stands and bring ours there; None: it is none of ours.

    Looking again changes nothing, in whatever order we heard of it. Call it outside a transaction.

    :raises GatewayUnreachable: when no answer came.
    """
    facts = configured_gateway.cards().dispute(dispute_id)
    top_up = _disputed(facts, now)
    if top_up is None:
        detail = f"{format_usd(facts.amount_microusd)} ({facts.currency}) of {facts.payment}"
        note_difference.note(
            kind="dispute_does_not_fit", reference=facts.id, detail=detail, now=now
        )
        return None
    with transaction.atomic():
        Dispute.objects.get_or_create(pk=facts.id, defaults=_new(facts, top_up, now))
        row = Dispute.objects.select_for_update().select_related("top_up").get(pk=facts.id)
        if row.state == DisputeState.OPEN:
            _bring(row, facts, now)
    return row


def tend_disputes(*, now: datetime) -> int:
    """Return how many open disputes this pass looked at; each freezes what came in meanwhile."""
    waiting = Dispute.objects.filter(state=DisputeState.OPEN, ask_at__lt=now)
    looked = one_by_one(
        waiting.order_by("ask_at", "pk"),
        lambda row: _tend(row, now),
        failed="Dispute not settled",
        most=DISPUTES_MAX,
        silence=(GatewayUnreachable,),
    )
    return sum(looked)


def _tend(row: Dispute, now: datetime) -> bool:
    Dispute.objects.filter(pk=row.pk).update(ask_at=next_ask(began_at=row.opened_at, now=now))
    return look(row.pk, now=now) is not None


def freeze_more(*, now: datetime) -> int:
    """Return how many open disputes had something set aside that came in since they were opened."""
    frozen = 0
    short = Dispute.objects.filter(
        state=DisputeState.OPEN, frozen_microusd__lt=models.F("amount_microusd")
    )
    for pk in short.order_by("opened_at", "pk").values_list("pk", flat=True)[:DISPUTES_MAX]:
        with transaction.atomic():
            row = Dispute.objects.select_for_update().select_related("top_up").get(pk=pk)
            if row.state == DisputeState.OPEN:
                frozen += _freeze(row, now)
    return frozen


def _disputed(facts: DisputeFacts, now: datetime) -> TopUp | None:
    """Return the payment that is disputed, if it is one of ours and came in."""
    found = bring_in(facts.payment, now=now)
    if found is None or found.state != TopUpState.PAID or facts.currency != CURRENCY:
        return None
    return found if facts.amount_microusd <= found.amount_microusd else None


def _new(facts: DisputeFacts, top_up: TopUp, now: datetime) -> dict[str, object]:
    return {
        "top_up": top_up,
        "amount_microusd": facts.amount_microusd,
        "reason": facts.reason[:100],
        "opened_at": facts.opened_at,
        "evidence_due_at": facts.evidence_due_at,
        "ask_at": next_ask(began_at=facts.opened_at, now=now),
    }


def _bring(row: Dispute, facts: DisputeFacts, now: datetime) -> None:
    _freeze(row, now)
    if facts.outcome is DisputeOutcome.OPEN:
        _tell(row, "opened", now)
        return
    if facts.outcome is DisputeOutcome.WON:
        row.state = DisputeState.WON
        _thaw(row, now)
    else:
        row.state = DisputeState.LOST
        _lose(row, now)
    row.closed_at = now
    row.save()
    _tell(row, row.state, now)
    log.info("dispute closed", extra={"dispute_id": row.pk, "state": str(row.state)})


def _freeze(row: Dispute, now: datetime) -> bool:
    """Set aside what is missing, as far as the wallet has it."""
    wallet = _locked_wallet(row)
    missing = row.amount_microusd - row.frozen_microusd
    part = MicroUsd(max(0, min(missing, wallet.balance_microusd)))
    if not part:
        return False
    post(
        debit=wallet,
        credit=open_account.frozen(user_id=row.top_up.user_id),
        amount_microusd=part,
        kind=TransferKind.FREEZE,
        cause=f"dispute:{row.pk}:freeze:{row.frozen_microusd}",
        note=NOTE.format(at=row.top_up.created_at),
        now=now,
    )
    row.frozen_microusd += part
    row.save(update_fields=["frozen_microusd"])
    return True


def _thaw(row: Dispute, now: datetime) -> None:
    if not row.frozen_microusd:
        return
    post(
        debit=open_account.frozen(user_id=row.top_up.user_id),
        credit=open_account.wallet(user_id=row.top_up.user_id),
        amount_microusd=MicroUsd(row.frozen_microusd),
        kind=TransferKind.THAW,
        cause=f"dispute:{row.pk}:thaw",
        note=NOTE.format(at=row.top_up.created_at),
        now=now,
    )
    row.frozen_microusd = 0


def _lose(row: Dispute, now: datetime) -> None:
    """Send the money out: what was frozen and, as ``_freeze`` left no more, the site's own."""
    parts = loss(
        amount=MicroUsd(row.amount_microusd),
        frozen=MicroUsd(row.frozen_microusd),
        to_spend=_locked_wallet(row).balance_microusd,
    )
    user_id, outside = row.top_up.user_id, open_account.outside()
    sources = (
        (open_account.frozen(user_id=user_id), parts.frozen_microusd, "frozen"),
        (open_account.wallet(user_id=user_id), parts.wallet_microusd, "wallet"),
        (open_account.fees(), parts.borne_microusd, "borne"),
    )
    note = NOTE.format(at=row.top_up.created_at)
    post_together(
        entries=[
            Entry(source, outside, amount, TransferKind.DISPUTE, f"dispute:{row.pk}:{word}", note)
            for source, amount, word in sources
            if amount
        ],
        now=now,
    )
    row.frozen_microusd, row.borne_microusd = 0, parts.borne_microusd
    if parts.borne_microusd:
        Payer.objects.filter(user_id=user_id, barred_at=None).update(barred_at=now)
        log.warning("dispute borne by the site", extra={"dispute_id": row.pk, "user_id": user_id})


def _locked_wallet(row: Dispute) -> Account:
    wallet = open_account.wallet(user_id=row.top_up.user_id)
    return Account.objects.select_for_update().get(pk=wallet.pk)


def _tell(row: Dispute, what: str, now: datetime) -> None:
    amount, at = format_usd(row.amount_microusd), row.top_up.created_at
    texts = {
        "opened": "Until the bank decides, that much of your balance is set aside.",
        "won": "The bank decided that it stands. What was set aside is yours to spend again.",
        "lost": "The bank gave the money back to the card, so it left your balance.",
    }
    notify(
        user_id=row.top_up.user_id,
        kind="payment",
        cause=f"dispute:{row.pk}:{what}",
        title=f"Your payment of {amount} was disputed: {what}",
        text=f"It is the payment of {at:%-d %b %Y}. {texts[what]}",
        data={"url": "/money/"},
        now=now,
    )
