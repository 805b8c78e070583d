"""This will find a person's papers."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Q

from marketplace.domain.problem import Refused
from marketplace.papers.models import PREFIXES, Paper, PaperKind

PAPERS_MAX = 500
#: of one page of a list
PAGE_MAX = 100
NUMBER = re.compile(r"(?P<prefix>INV|RCT|CRN)-(?P<serial>[0-9]{6,12})")
KINDS = {prefix: kind for kind, prefix in PREFIXES.items()}


class PaperUnknown(Refused):
    code = "not_found"
    status = 404
    sentence = "You have no paper of this number; see the list of your invoices."


@dataclass(frozen=True, slots=True)
class PaperPage:
    """Some papers, newest first."""

    items: Sequence[Paper]
    #: the number of the last one, after which the next page begins; None: there is none
    next_number: str | None


def page(user_id: int, *, after: str | None = None) -> PaperPage:
    """Return a page of the person's papers. ``after``: the last of the page before.

    :raises PaperUnknown: when they have no such paper.
    """
    rows = Paper.objects.filter(user_id=user_id)
    if after is not None:
        last = find(user_id, after)
        same = Q(issued_at=last.issued_at)
        rows = rows.filter(
            Q(issued_at__lt=last.issued_at)
            | same & Q(kind__gt=last.kind)
            | same & Q(kind=last.kind, serial__lt=last.serial)
        )
    found = tuple(rows.order_by("-issued_at", "kind", "-serial")[: PAGE_MAX + 1])
    some = found[:PAGE_MAX]
    return PaperPage(some, some[-1].number if len(found) > PAGE_MAX else None)


def papers(user_id: int, limit: int = PAPERS_MAX) -> Sequence[Paper]:
    """Return the person's newest papers, newest first."""
    rows = Paper.objects.filter(user_id=user_id).order_by("-issued_at", "kind", "-serial")
    return tuple(rows[:limit])


def invoices(user_id: int, limit: int) -> Sequence[Paper]:
    """Return the person's newest invoices, newest first."""
    rows = Paper.objects.filter(user_id=user_id, kind=PaperKind.INVOICE)
    return tuple(rows.order_by("-issued_at", "-serial")[:limit])


class InvoiceUnknown(Refused):
    """Of nobody's invoices one has this number."""

    code = "not_found"
    status = 404
    sentence = "There is no invoice of this number; write it as INV-000017."


def invoice(number: str) -> Paper:
    """Return the invoice of this number, whoever's it is.

    :raises InvoiceUnknown: when there is none.
    """
    match = NUMBER.fullmatch(number.strip().upper())
    if match is not None and KINDS[match["prefix"]] == PaperKind.INVOICE:
        rows = Paper.objects.filter(kind=PaperKind.INVOICE, serial=int(match["serial"]))
        found = rows.select_related("user").first()
        if found is not None:
            return found
    raise InvoiceUnknown


def correction_of(invoice: Paper) -> Paper | None:
    """Return the credit note that took the invoice back; None: it stands."""
    return Paper.objects.filter(corrects=invoice).first()


def find(user_id: int, number: str) -> Paper:
    """Return the person's paper of this number.

    :raises PaperUnknown: when they have none.
    """
    match = NUMBER.fullmatch(number)
    if match is not None:
        mine = Paper.objects.filter(user_id=user_id, kind=KINDS[match["prefix"]])
        found = mine.filter(serial=int(match["serial"])).first()
        if found is not None:
            return found
    raise PaperUnknown
