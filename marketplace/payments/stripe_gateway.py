"""This will be the only doorway to Stripe: what we ask it, and what its answers mean here.

Nothing of the ``stripe`` library passes through it, and no card number ever reaches this site.
"""

import json
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

import stripe
from django.conf import settings

from marketplace.domain.ledger import AccountKind, TransferKind
from marketplace.domain.paying_in import CURRENCY, cents, of_cents
from marketplace.payments.card_processor import (
    Card,
    DisputeFacts,
    DisputeOutcome,
    Event,
    Movement,
    MovementKind,
    RefundAnswer,
    RefundAsked,
    RefundOutcome,
    SignatureRefused,
)
from marketplace.payments.gateway import (
    Answer,
    AnswerDoesNotFit,
    GatewayUnreachable,
    Outcome,
    Payment,
)

#: to connect and then for each part of an answer
TIMEOUT_S = (5.0, 10.0)
#: a web hook signed longer ago, or as far ahead, is refused. Source: stripe.com/docs/webhooks
SIGNED_S_MAX = 300
REASON_LENGTH_MAX = 200
PER_PAGE = 100

CONFIRM_YOURSELF = "The bank wants you to confirm this payment: add the money yourself once."
NOT_TAKEN = "The card processor did not take this payment; nothing was charged. Save the card anew."
NOT_CONFIRMED = "The payment was not confirmed, so nothing was charged."
SIGNED_AT = re.compile(r"(?:^|,)t=(\d{1,12})(?:,|$)")

REFUNDS = {"succeeded": RefundOutcome.DONE, "failed": RefundOutcome.FAILED}
REFUNDS["canceled"] = RefundOutcome.FAILED
DISPUTES = {
    "lost": DisputeOutcome.LOST,
    "won": DisputeOutcome.WON,
    "warning_closed": DisputeOutcome.WON,
}
MOVEMENTS = {
    "charge": MovementKind.PAYMENT,
    "payment": MovementKind.PAYMENT,
    "refund": MovementKind.REFUND,
    "payment_refund": MovementKind.REFUND,
    "refund_failure": MovementKind.REFUND,
    "payment_failure_refund": MovementKind.REFUND,
}
DISPUTE_CATEGORIES = ("dispute", "dispute_reversal")

log = logging.getLogger(__name__)


def client() -> stripe.StripeClient:
    """Return the library's client with this site's key, for all who ask Stripe for something."""
    return _client(settings.STRIPE_SECRET_KEY, settings.STRIPE_API_URL)


@contextmanager
def asking() -> Iterator[None]:
    """Turn every failure to get a definite answer into GatewayUnreachable.

    What Stripe refuses for good stays as it is: CardError and InvalidRequestError.
    """
    try:
        yield
    except (stripe.CardError, stripe.InvalidRequestError):
        raise
    except (stripe.AuthenticationError, stripe.PermissionError) as refused:
        log.exception("stripe refuses the secret key")
        raise GatewayUnreachable from refused
    except stripe.StripeError as error:
        raise GatewayUnreachable from error


@lru_cache(maxsize=4)
def _client(secret_key: str, api_base: str) -> stripe.StripeClient:
    return stripe.StripeClient(
        secret_key,
        base_addresses={"api": api_base} if api_base else None,
        http_client=stripe.RequestsClient(timeout=TIMEOUT_S),
        # Passes ask again; a request that a person waits for ends at its first silence.
        max_network_retries=0,
    )


@dataclass(frozen=True, slots=True)
class StripeGateway:
    """Takes money from saved cards by PaymentIntents, and gives it back."""

    name: str = "stripe"
    source: AccountKind = AccountKind.OUTSIDE
    kind: TransferKind = TransferKind.TOP_UP
    needs_card: bool = True

    def charge(self, payment: Payment) -> Answer:
        """Take the money from the card, or look how far that got."""
        with asking():
            if payment.reference:
                return self._answer(payment, _intent(payment.reference))
            try:
                made = client().v1.payment_intents.create(
                    _charge_params(payment), {"idempotency_key": f"top-up-{payment.top_up_id}"}
                )
            except stripe.CardError as declined:
                return _declined(declined)
            except stripe.InvalidRequestError as refused:
                log.warning("stripe takes no payment", extra=_ids(payment, refused.code))
                return Answer(Outcome.REFUSED, "", NOT_TAKEN)
            return self._answer(payment, made)

    def cancel(self, payment: Payment) -> Answer:
        """Make sure that the money is never taken, unless it came already."""
        with asking():
            found = _intent(payment.reference) if payment.reference else _find(payment)
            if found is None:
                return Answer(Outcome.REFUSED, "", NOT_CONFIRMED)
            return self._answer(payment, _cancelled(found))

    def new_customer(self, *, payer_id: UUID, email: str) -> str:
        """Return Stripe's name for a person."""
        with asking():
            made = client().v1.customers.create(
                {"email": email, "metadata": {"payer": str(payer_id)}},
                {"idempotency_key": f"payer-{payer_id}"},
            )
        return made.id

    def card_page(self, *, customer: str, saved_url: str, cancelled_url: str) -> str:
        """Return the address of a page of Stripe's that saves a card, or leads back."""
        with asking():
            params: Any = {"mode": "setup", "customer": customer, "payment_method_types": ["card"]}
            back = {"success_url": saved_url, "cancel_url": cancelled_url}
            made = client().v1.checkout.sessions.create(params | back)
        return _page(made.url)

    def saved_card(self, customer: str) -> Card | None:
        """Return the newest card; events may come in any order, so what Stripe has now decides."""
        with asking():
            found = _cards(customer)
            for older in found[1:]:
                client().v1.payment_methods.detach(older.id)
        return _card(found[0]) if found else None

    def forget_cards(self, customer: str) -> None:
        """Detach every card."""
        with asking():
            for card in _cards(customer):
                client().v1.payment_methods.detach(card.id)

    def refund(self, asked: RefundAsked) -> RefundAnswer:
        """Give money back. What was asked for before is looked for first: keys live for a day."""
        with asking():
            found = _refund(asked)
            try:
                made = found or client().v1.refunds.create(
                    {
                        "payment_intent": asked.payment,
                        "amount": cents(asked.amount_microusd),
                        "metadata": {"refund": str(asked.refund_id)},
                    },
                    {"idempotency_key": f"refund-{asked.refund_id}"},
                )
            except (stripe.CardError, stripe.InvalidRequestError) as refused:
                return RefundAnswer(RefundOutcome.FAILED, "", _sentence(refused))
        if (made.amount, made.currency) != (cents(asked.amount_microusd), CURRENCY):
            raise AnswerDoesNotFit(f"Refund {made.id} is {made.amount} {made.currency}.")
        outcome = REFUNDS.get(made.status or "", RefundOutcome.PENDING)
        return RefundAnswer(outcome, made.id, getattr(made, "failure_reason", None) or "")

    def dispute(self, dispute_id: str) -> DisputeFacts:
        """Return a dispute as it stands now."""
        with asking():
            found = client().v1.disputes.retrieve(dispute_id)
        due_by = found.evidence_details.due_by
        return DisputeFacts(
            id=found.id,
            payment=_id(found.payment_intent),
            amount_microusd=of_cents(found.amount),
            currency=found.currency,
            outcome=_dispute_outcome(found),
            reason=found.reason,
            opened_at=_moment(found.created),
            evidence_due_at=_moment(due_by) if due_by else None,
        )

    def payment_of(self, reference: str) -> UUID | None:
        """Return the ``top_up_id`` that we wrote into this payment; None: it is none of ours."""
        with asking():
            try:
                return UUID(_meta(_intent(reference), "top_up"))
            except (stripe.InvalidRequestError, ValueError):
                return None

    def movements(self, *, since: datetime, until: datetime) -> Iterator[Movement]:
        """Yield the balance transactions of a time, with what each is about."""
        created = {"gte": int(since.timestamp()), "lt": int(until.timestamp())}
        with asking():
            wanted: Any = {"created": created, "limit": PER_PAGE, "expand": ["data.source"]}
            lines = client().v1.balance_transactions.list(wanted)
            for line in lines.auto_paging_iter():
                yield _movement(line)

    def event(self, *, payload: bytes, signature: str, now: datetime) -> Event:
        """Return what a web hook of Stripe's says, if Stripe signed it just now."""
        signed_at = SIGNED_AT.search(signature)
        if signed_at is None or abs(int(signed_at[1]) - now.timestamp()) > SIGNED_S_MAX:
            raise SignatureRefused
        try:
            text = payload.decode()
            stripe.WebhookSignature.verify_header(text, signature, settings.STRIPE_WEBHOOK_SECRET)
            return self.stored_event(text)
        except (stripe.SignatureVerificationError, ValueError, KeyError, TypeError) as error:
            raise SignatureRefused from error

    def stored_event(self, payload: str) -> Event:
        """Return what a web hook said."""
        told: dict[str, Any] = json.loads(payload)
        about: dict[str, Any] = told["data"]["object"]
        kind, name = str(about["object"]), str(about.get("id", ""))
        payment = name if kind == "payment_intent" else _id(about.get("payment_intent"))
        return Event(
            id=str(told["id"])[:100],
            type=str(told["type"])[:100],
            created_at=_moment(told["created"]),
            object_kind=kind,
            object_id=name,
            payment=payment,
            customer=_id(about.get("customer")),
        )

    def _answer(self, payment: Payment, intent: stripe.PaymentIntent) -> Answer:
        wanted = (cents(payment.amount_microusd), CURRENCY, payment.customer)
        if (intent.amount, intent.currency, _id(intent.customer)) != wanted:
            raise AnswerDoesNotFit(f"Payment {intent.id} is {intent.amount} {intent.currency}.")
        if intent.status == "succeeded":
            received = getattr(intent, "amount_received", intent.amount)
            if received != intent.amount:
                raise AnswerDoesNotFit(f"Payment {intent.id} brought {received} {CURRENCY}.")
            return Answer(Outcome.PAID, intent.id)
        if intent.status == "requires_payment_method":
            # The bank said no, or the person did. It must not be paid later by another card.
            error = intent.last_payment_error
            reason = getattr(error, "message", None) or NOT_CONFIRMED
            answer = self._answer(payment, _cancelled(intent))
            if answer.outcome is not Outcome.REFUSED:
                return answer
            return Answer(Outcome.REFUSED, intent.id, reason[:REASON_LENGTH_MAX])
        if intent.status == "canceled":
            return Answer(Outcome.REFUSED, intent.id, NOT_CONFIRMED)
        return Answer(Outcome.PENDING, intent.id, confirm_url=_confirm_url(intent))


def _charge_params(payment: Payment) -> Any:
    """Return the body of the request: the same for the same payment, as its key demands."""
    params: dict[str, Any] = {
        "amount": cents(payment.amount_microusd),
        "currency": CURRENCY,
        "customer": payment.customer,
        "payment_method": payment.card,
        "payment_method_types": ["card"],
        "confirm": True,
        "metadata": {"top_up": str(payment.top_up_id)},
    }
    if payment.automatic:
        return params | {"off_session": True}
    return params | {"return_url": f"{settings.PUBLIC_URL}/money/top-ups/{payment.top_up_id}/"}


def _intent(reference: str) -> stripe.PaymentIntent:
    return client().v1.payment_intents.retrieve(reference)


def _find(payment: Payment) -> stripe.PaymentIntent | None:
    """Return the payment whose answer was lost; None: it never reached Stripe.

    All of the customer's are looked through, newest first: Stripe's clock is not ours.
    """
    found = client().v1.payment_intents.list({"customer": payment.customer, "limit": PER_PAGE})
    wanted = str(payment.top_up_id)
    return next((one for one in found.auto_paging_iter() if _meta(one, "top_up") == wanted), None)


def _cancelled(intent: stripe.PaymentIntent) -> stripe.PaymentIntent:
    try:
        return client().v1.payment_intents.cancel(intent.id)
    except stripe.InvalidRequestError:
        # It was paid, or cancelled, between two looks; or the bank is at it now.
        return _intent(intent.id)


def _refund(asked: RefundAsked) -> stripe.Refund | None:
    if asked.reference:
        return client().v1.refunds.retrieve(asked.reference)
    found = client().v1.refunds.list({"payment_intent": asked.payment, "limit": PER_PAGE})
    wanted = str(asked.refund_id)
    return next((one for one in found.auto_paging_iter() if _meta(one, "refund") == wanted), None)


def _cards(customer: str) -> list[stripe.PaymentMethod]:
    """Return the person's cards, newest first."""
    found = client().v1.payment_methods.list(
        {"customer": customer, "type": "card", "limit": PER_PAGE}
    )
    return sorted(found.data, key=lambda card: (card.created, card.id), reverse=True)


def _card(method: stripe.PaymentMethod) -> Card:
    card: Any = method.card
    return Card(method.id, card.brand, card.last4, f"{card.exp_month:02d}/{card.exp_year}")


def _confirm_url(intent: stripe.PaymentIntent) -> str:
    step = getattr(intent.next_action, "redirect_to_url", None) if intent.next_action else None
    return _page(getattr(step, "url", None))


def _page(url: str | None) -> str:
    """Return an address that a person may be sent to; no other scheme becomes a link."""
    wanted = url or ""
    ours = bool(settings.STRIPE_API_URL) and wanted.startswith(f"{settings.STRIPE_API_URL}/")
    return wanted if ours or wanted.startswith("https://") else ""


def _dispute_outcome(dispute: stripe.Dispute) -> DisputeOutcome:
    if dispute.status == "prevented":
        # Settled before it began: what moved on the account says in whose favour.
        lost = sum(line.amount for line in dispute.balance_transactions) < 0
        return DisputeOutcome.LOST if lost else DisputeOutcome.WON
    return DISPUTES.get(dispute.status, DisputeOutcome.OPEN)


def _movement(line: stripe.BalanceTransaction) -> Movement:
    source: Any = line.source
    kind = MOVEMENTS.get(line.type, MovementKind.OTHER)
    reference = _id(source)
    if kind is MovementKind.PAYMENT:
        reference = _id(getattr(source, "payment_intent", None)) or reference
    elif line.reporting_category in DISPUTE_CATEGORIES:
        kind = MovementKind.DISPUTE
    amount, at = of_cents(line.amount), _moment(line.created)
    return Movement(line.id, kind, reference, amount, line.currency, at)


def _declined(declined: stripe.CardError) -> Answer:
    intent = getattr(declined.error, "payment_intent", None)
    if declined.code == "authentication_required":
        return Answer(Outcome.REFUSED, _id(intent), CONFIRM_YOURSELF)
    return Answer(Outcome.REFUSED, _id(intent), _sentence(declined))


def _sentence(error: stripe.StripeError) -> str:
    return (error.user_message or "The card processor refused it.")[:REASON_LENGTH_MAX]


def _ids(payment: Payment, code: str | None) -> dict[str, object]:
    return {"top_up_id": payment.top_up_id, "code": code or ""}


def _meta(thing: stripe.PaymentIntent | stripe.Refund, name: str) -> str:
    return str((thing.to_dict().get("metadata") or {}).get(name, ""))


def _id(thing: Any) -> str:
    """Return the name of an object that Stripe may give whole, by name or not at all."""
    if isinstance(thing, dict):
        return str(thing.get("id", ""))
    return str(getattr(thing, "id", None) or (thing if isinstance(thing, str) else ""))


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(int(seconds), tz=UTC)
