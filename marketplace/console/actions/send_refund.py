"""This will send unspent money of a payment back to its card, in the name of staff."""

from datetime import datetime
from uuid import UUID

from marketplace.console.staff import Staff
from marketplace.domain.money import MicroUsd, format_usd
from marketplace.domain.oversight import ActKind, Right
from marketplace.domain.problem import Refused
from marketplace.payments.actions.refund import refund
from marketplace.payments.models import Refund, TopUp


class PaymentUnknown(Refused):
    code = "not_found"
    status = 404
    sentence = "There is no such payment."


def send_refund(
    *,
    by: Staff,
    top_up_id: UUID,
    amount_microusd: MicroUsd,
    reason: str,
    request_key: str,
    now: datetime,
) -> Refund:
    """Return the refund; the same ``request_key`` of the same person sends it once.

    Call it outside a transaction: the card processor is asked.

    :raises NotYourRole: when they who ask may not.
    :raises ReasonUnfit: when no reason is given, or too long a one.
    :raises TextRefused: when it shows something else than it says.
    :raises PaymentUnknown: when there is no such payment.
    :raises OwnCase: when it is their own.
    :raises RefundRefused: when this much of it cannot go back.
    :raises CauseReused: when the key stands for another refund.
    """
    by.must(Right.MONEY)
    words = by.words(reason)
    payment = TopUp.objects.filter(pk=top_up_id).first()
    if payment is None:
        raise PaymentUnknown
    by.must_not_be(payment.user_id)

    def keep(row: Refund) -> None:
        by.acted(
            ActKind.REFUND,
            subject=f"payment {payment.pk}",
            reason=words,
            person_id=payment.user_id,
            after={"sent back": format_usd(row.amount_microusd)},
            now=now,
        )

    return refund(
        top_up_id=payment.pk,
        amount_microusd=amount_microusd,
        note=words,
        cause=f"console:{by.user_id}:{request_key}",
        now=now,
        begun=keep,
    )
