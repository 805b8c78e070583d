"""This will take an invoice back and issue it anew, in the name of staff."""

from datetime import datetime

from django.db import transaction

from marketplace.console.staff import Staff
from marketplace.domain.oversight import ActKind, Right
from marketplace.papers.actions import correct
from marketplace.papers.models import Paper
from marketplace.papers.queries import invoice as find


def correct_invoice(*, by: Staff, number: str, reason: str, now: datetime) -> tuple[Paper, Paper]:
    """Return the credit note and the new invoice, made out by the details of now; no money moves.

    :raises NotYourRole: when they who ask may not.
    :raises InvoiceUnknown: when there is none.
    :raises OwnCase: when it is their own.
    :raises AlreadyCorrected: when it was taken back before.
    :raises ReasonUnfit: when no reason is given, or too long a one.
    :raises TextRefused: when it shows something else than it says.
    """
    by.must(Right.MONEY)
    invoice = find(number)
    by.must_not_be(invoice.user_id)
    words = by.words(reason)
    with transaction.atomic():
        note, made = correct.correct(invoice=invoice, reason=words, now=now)
        by.acted(
            ActKind.CORRECT_INVOICE,
            subject=f"invoice {invoice.number}",
            reason=words,
            person_id=invoice.user_id,
            before={"invoice": invoice.number},
            after={"invoice": made.number, "credit note": note.number},
            now=now,
        )
    return note, made
