"""This will bring each payout to its end: sent, seen to arrive, or back in the earnings."""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from marketplace.domain.features import Feature
from marketplace.domain.ledger import TransferKind
from marketplace.domain.money import MicroUsd, format_usd
from marketplace.domain.payout import (
    ATTEMPTS_MAX,
    BANK_MENDED_WITHIN,
    RETRY_LONGEST,
    PayoutState,
    retry_after,
)
from marketplace.domain.transfer_out import Arrival, Landing, Sent, TransferRefused
from marketplace.ledger.actions import open_account
from marketplace.ledger.actions.post import post
from marketplace.notices.actions.notify import notify
from marketplace.oversight import switches
from marketplace.payments import queries as payments
from marketplace.payments.gateway import GatewayUnreachable
from marketplace.payouts import configured_gateway
from marketplace.payouts.actions.open_payouts import sink_account
from marketplace.payouts.disagreeing import disagreeing
from marketplace.payouts.gateway import PayoutGateway
from marketplace.payouts.models import AttemptState, Payout, PayoutAttempt

PAYOUTS_MAX = 50
#: nobody else takes a payout up while one asks; it is longer than all the calls of one step
CLAIMED = timedelta(minutes=5)
MEND_BANK = "Mend your bank account at Stripe within 14 days: Host, Payouts leads there."
CONTESTED = "A payment of yours by card is disputed, and nothing goes out until that is settled."
#: a request that was lost on its way has arrived by then, or never does
REQUEST_LOST = timedelta(hours=1)
SILENT = "The payment processor does not answer; it is asked again."

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Claim:
    """A payout that is this pass's alone for a while."""

    payout: Payout
    #: None: it was sent before
    attempt: PayoutAttempt | None
    #: nobody knows what an earlier request of this attempt did
    asked_before: bool


def send_payouts(*, now: datetime, gateway: PayoutGateway | None = None) -> int:
    """Return how many payouts came further. Call it outside a transaction."""
    due = Payout.objects.filter(due_at__lte=now).order_by("due_at", "id")
    if not due.exists() or (gateway is None and not configured_gateway.is_there()):
        return 0
    chosen = gateway or configured_gateway.get()
    waiting = disagreeing()
    # What was sent is followed on; what is only set apart waits.
    waits = waiting.everybody or switches.is_off(Feature.PAYOUTS)
    mine = due.filter(account__gateway=chosen.name).exclude(
        Q() if waits else Q(host_id__in=waiting.host_ids) | Q(host__is_active=False),
        state=PayoutState.PENDING,
    )
    ids = list(mine.values_list("pk", flat=True)[:PAYOUTS_MAX])
    done = 0
    try:
        for payout_id in ids:
            done += _step(payout_id, chosen, now)
    except GatewayUnreachable:
        # It would keep the pass waiting for each of the others as well.
        log.warning("payouts wait for the gateway", extra={"done": done})
    return done


def _step(payout_id: UUID, gateway: PayoutGateway, now: datetime) -> bool:
    try:
        claim = _claim(payout_id, now)
        if claim is None:
            return False
        if claim.attempt is not None:
            return _send(claim, claim.attempt, gateway, now)
        return _follow(claim.payout, gateway, now)
    except GatewayUnreachable:
        _later(payout_id, now, reason=SILENT)
        raise
    except Exception:
        # The others must not wait for who mends this one; it is tried again once the claim ends.
        log.exception("payout not sent", extra={"payout_id": payout_id})
    return False


def _claim(payout_id: UUID, now: datetime) -> Claim | None:
    """Take the payout, and write down what will be asked; None: somebody else has it."""
    with transaction.atomic():
        payout = (
            Payout.objects.select_for_update(of=("self",))
            .select_related("account")
            .get(pk=payout_id)
        )
        if payout.due_at is None or payout.due_at > now:
            return None
        payout.due_at = now + CLAIMED
        payout.asked += 1
        payout.save(update_fields=["due_at", "asked"])
        if payout.state == PayoutState.SENT:
            return Claim(payout, None, asked_before=False)
        newest = payout.attempts.order_by("-number").first()
        if newest is not None and newest.state == AttemptState.ASKED:
            return Claim(payout, newest, asked_before=True)
        number = newest.number + 1 if newest else 1
        attempt = PayoutAttempt.objects.create(payout=payout, number=number, asked_at=now)
        return Claim(payout, attempt, asked_before=False)


def _send(claim: Claim, attempt: PayoutAttempt, gateway: PayoutGateway, now: datetime) -> bool:
    payout = claim.payout
    try:
        # A processor may forget keys after a day; what it moved it does not forget.
        sent = gateway.find(payout_id=payout.pk) if claim.asked_before else None
        if sent is None and payments.is_contested(payout.host_id):
            return _keep(claim, attempt, now)
        if sent is None:
            sent = gateway.send(
                payout_id=payout.pk,
                key=attempt.key,
                amount_microusd=MicroUsd(payout.amount_microusd),
                destination=payout.account.reference,
            )
    except TransferRefused as refused:
        return _refused(payout, attempt, refused, now)
    return _sent(payout, attempt, sent, now)


def _keep(claim: Claim, attempt: PayoutAttempt, now: datetime) -> bool:
    """Bring back what was set apart before its host's own payment was disputed."""
    if claim.asked_before and now - attempt.asked_at < REQUEST_LOST:
        _later(claim.payout.pk, now, reason=CONTESTED)
        return False
    with transaction.atomic():
        if not _answer(attempt, AttemptState.REFUSED, CONTESTED, now):
            return False
        return _give_back(claim.payout, CONTESTED, now, state=PayoutState.PENDING)


def _sent(payout: Payout, attempt: PayoutAttempt, sent: Sent, now: datetime) -> bool:
    with transaction.atomic():
        _answer(attempt, AttemptState.SENT, "", now)
        moved = Payout.objects.filter(pk=payout.pk, state=PayoutState.PENDING).update(
            state=PayoutState.SENT,
            reference=sent.reference,
            receipt=sent.receipt,
            reason="",
            asked=0,
            sent_at=now,
            due_at=now,
        )
    if moved:
        log.info("payout sent", extra={"payout_id": payout.pk})
    return bool(moved)


def _refused(
    payout: Payout, attempt: PayoutAttempt, refused: TransferRefused, now: datetime
) -> bool:
    """Try again later under another key, as the processor repeats its answer to this one."""
    with transaction.atomic():
        if not _answer(attempt, AttemptState.REFUSED, refused.reason, now):
            return False
        if refused.for_good or attempt.number >= ATTEMPTS_MAX:
            return _give_back(payout, refused.reason, now, state=PayoutState.PENDING)
        Payout.objects.filter(pk=payout.pk, state=PayoutState.PENDING).update(
            reason=refused.reason, due_at=now + retry_after(attempt.number)
        )
    log.warning("payout refused", extra={"payout_id": payout.pk, "attempt": attempt.number})
    return True


def _answer(attempt: PayoutAttempt, state: AttemptState, reason: str, now: datetime) -> bool:
    rows = PayoutAttempt.objects.filter(pk=attempt.pk, state=AttemptState.ASKED)
    return bool(rows.update(state=state, reason=reason, answered_at=now))


def _follow(payout: Payout, gateway: PayoutGateway, now: datetime) -> bool:
    """Look where a sent payout is; take it back where no bank took it for long."""
    sent = Sent(payout.reference, payout.receipt)
    landing = gateway.landing(
        sent=sent, destination=payout.account.reference, sent_at=payout.sent_at or payout.created_at
    )
    if landing.arrival is Arrival.PAID:
        return _paid(payout, now)
    if landing.arrival is Arrival.ON_ITS_WAY or not _is_returned_long(payout, now):
        _note(payout, landing, now)
        return False
    try:
        gateway.take_back(payout_id=payout.pk, sent=sent)
    except TransferRefused as refused:
        log.warning("payout not taken back", extra={"payout_id": payout.pk})
        _later(payout.pk, now, reason=refused.reason)
        return False
    with transaction.atomic():
        return _give_back(payout, landing.reason, now, state=PayoutState.SENT)


def _paid(payout: Payout, now: datetime) -> bool:
    with transaction.atomic():
        moved = Payout.objects.filter(pk=payout.pk, state=PayoutState.SENT).update(
            state=PayoutState.PAID, reason="", due_at=None, settled_at=now
        )
        if moved:
            _tell(payout, "paid", "arrived at your bank", "", now)
    if moved:
        log.info("payout paid", extra={"payout_id": payout.pk})
    return bool(moved)


def _is_returned_long(payout: Payout, now: datetime) -> bool:
    return payout.returned_at is not None and now - payout.returned_at >= BANK_MENDED_WITHIN


def _note(payout: Payout, landing: Landing, now: datetime) -> None:
    """Write down what is known of one that is neither here nor there, and look again later."""
    returned = landing.arrival is Arrival.RETURNED
    with transaction.atomic():
        Payout.objects.filter(pk=payout.pk, state=PayoutState.SENT).update(
            reason=landing.reason,
            returned_at=(payout.returned_at or now) if returned else None,
            due_at=now + (RETRY_LONGEST if returned else timedelta(hours=1)),
        )
        if returned and payout.returned_at is None:
            text = f"{landing.reason} {MEND_BANK}"
            _tell(payout, "returned", "was sent back by your bank", text, now)
    if returned and payout.returned_at is None:
        log.warning("payout returned by the bank", extra={"payout_id": payout.pk})


def _later(payout_id: UUID, now: datetime, *, reason: str) -> None:
    payout = Payout.objects.get(pk=payout_id)
    Payout.objects.filter(pk=payout_id).exclude(due_at=None).update(
        reason=reason, due_at=now + retry_after(payout.asked)
    )


def _give_back(payout: Payout, reason: str, now: datetime, *, state: PayoutState) -> bool:
    """Bring the money back to the host's earnings; the caller holds the transaction."""
    moved = Payout.objects.filter(pk=payout.pk, state=state).update(
        state=PayoutState.FAILED, reason=reason, due_at=None, settled_at=now
    )
    if not moved:
        return False
    post(
        debit=sink_account(payout.sink),
        credit=open_account.earnings(user_id=payout.host_id),
        amount_microusd=MicroUsd(payout.amount_microusd),
        kind=TransferKind.PAYOUT,
        cause=f"payout:{payout.pk}:back",
        note=f"A payout came back: {reason}"[:200],
        now=now,
    )
    text = f"{reason} The money is in your earnings again, and goes out with the next payout."
    _tell(payout, "failed", "came back", text, now)
    log.warning("payout failed", extra={"payout_id": payout.pk})
    return True


def _tell(payout: Payout, what: str, happened: str, text: str, now: datetime) -> None:
    """Tell the host, once of each; the caller holds the transaction."""
    amount = format_usd(payout.amount_microusd)
    notify(
        user_id=payout.host_id,
        kind=f"payout_{what}",
        cause=f"payout:{payout.pk}:{what}",
        title=f"Your payout of {amount} {happened}",
        text=text,
        data={
            "payout_id": str(payout.pk),
            "amount_microusd": payout.amount_microusd,
            "url": "/host/payouts/",
        },
        now=now,
    )
