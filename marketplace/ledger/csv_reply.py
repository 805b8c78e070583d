"""This will answer with a statement as a file."""

from collections.abc import Iterator, Sequence

from django.http import StreamingHttpResponse

from marketplace.domain.ledger import AccountKind
from marketplace.ledger import queries, statement_csv
from marketplace.streams import let_go

#: which accounts a statement is of, by its name in addresses
KINDS = {"funds": queries.FUNDS, "earnings": queries.EARNINGS}


def csv_reply(user_id: int, of: str) -> StreamingHttpResponse:
    """Return the file of the person's funds or earnings; ``of`` is a name in KINDS."""
    reply = StreamingHttpResponse(
        _written(user_id, KINDS[of]), content_type="text/csv; charset=utf-8"
    )
    reply["Content-Disposition"] = f'attachment; filename="berth-{of}.csv"'
    reply["Cache-Control"] = "no-store"
    return reply


def _written(user_id: int, kinds: Sequence[AccountKind]) -> Iterator[str]:
    try:
        yield from statement_csv.lines(user_id, kinds)
    finally:
        # Under ASGI all of it is written before the first byte goes out, and that may take long.
        let_go()
