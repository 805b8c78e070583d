"""This will write a statement as CSV, line by line, for spreadsheets and accountants.

One line is one transfer, so that a file can be held against receipts, or all that came back
together; a page shows all charges of a rental as one. What is written last was there when the file
was begun: lines that come meanwhile are in the next file.
"""

import csv
from collections.abc import Iterator, Sequence

from django.db.models import Max, Q

from marketplace.domain.ledger import AccountKind
from marketplace.ledger.models import Account, Transfer
from marketplace.ledger.returns import as_one
from protocol.spreadsheet import cell, dollars

HEAD = ("at_utc", "kind", "amount_usd", "note", "cause", "transfer")
#: transfers read at a time
READ_AT_ONCE = 2000


class _Line:
    """What csv writes to: it hands the line on instead of keeping it."""

    def write(self, text: str) -> str:
        return text


def lines(user_id: int, kinds: Sequence[AccountKind]) -> Iterator[str]:
    """Yield the head, then each movement in or out of these accounts of the person, oldest first.

    Setting money aside and giving it back stays inside the person's funds, and is no line.
    """
    write = csv.writer(_Line()).writerow
    yield write(HEAD)
    mine = set(Account.objects.filter(user_id=user_id, kind__in=kinds).values_list("pk", flat=True))
    accounts = Account.objects.filter(user_id=user_id, kind__in=kinds).order_by().values("pk")
    touching = Transfer.objects.filter(Q(debit__in=accounts) | Q(credit__in=accounts))
    moved = as_one(touching.exclude(debit__in=accounts, credit__in=accounts)).order_by("id")
    newest = touching.aggregate(newest=Max("id"))["newest"] or 0
    after = 0
    while some := list(moved.filter(id__gt=after, id__lte=newest)[:READ_AT_ONCE]):
        for row in some:
            amount = row.whole if row.credit_id in mine else -row.whole
            texts = (row.kind, dollars(amount), cell(row.note), cell(row.cause), row.pk)
            yield write((f"{row.at:%Y-%m-%d %H:%M:%S}", *texts))
        after = some[-1].pk
