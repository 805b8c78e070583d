"""This will take an invoice back by a credit note and issue it anew with the details of now."""

from dataclasses import replace
from datetime import datetime

from django.db import transaction

from marketplace.domain.invoice import opposite
from marketplace.domain.money import MicroUsd
from marketplace.domain.problem import Refused
from marketplace.papers.actions.issue import issue
from marketplace.papers.content import Content, made_out, read
from marketplace.papers.models import BillingDetails, Paper, PaperKind


class AlreadyCorrected(Refused):
    code = "already_corrected"
    status = 409
    sentence = "This invoice was taken back before; correct the one that was issued after it."


def correct(*, invoice: Paper, reason: str, now: datetime) -> tuple[Paper, Paper]:
    """Return the credit note and the new invoice; no money moves by either.

    :raises AlreadyCorrected: when it was taken back before.
    """
    with transaction.atomic():
        # The person's row orders two corrections at once; the first pass made it.
        BillingDetails.objects.select_for_update().get(user_id=invoice.user_id)
        if Paper.objects.filter(corrects=invoice).exists():
            raise AlreadyCorrected
        old = read(invoice.content)
        note = issue(
            user_id=invoice.user_id,
            kind=PaperKind.CREDIT_NOTE,
            content=_taken_back(old, invoice.number, reason),
            corrects=invoice,
            now=now,
        )
        again = made_out(
            user_id=invoice.user_id,
            lines=old.lines,
            about=old.about,
            notes=(f"In place of {invoice.number}, which {note.number} takes back.",),
        )
        made = issue(
            user_id=invoice.user_id,
            kind=PaperKind.INVOICE,
            content=again,
            month=invoice.month,
            edition=invoice.edition + 1,
            now=now,
        )
    return note, made


def _taken_back(old: Content, number: str, reason: str) -> Content:
    return replace(
        old,
        lines=opposite(old.lines),
        vat=replace(old.vat, microusd=MicroUsd(-old.vat.microusd)),
        notes=(f"Takes back {number}: {reason}",),
    )
