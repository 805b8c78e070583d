"""This will answer with a statement as a file, which is written while it is sent."""

from django.http import StreamingHttpResponse

from marketplace.ledger import queries, statement_csv

#: which accounts a statement is of, by its name in addresses
KINDS = {"funds": queries.FUNDS, "earnings": queries.EARNINGS}


def csv_reply(user_id: int, of: str) -> StreamingHttpResponse:
    """Return the file of the person's funds or earnings; ``of`` is a name in KINDS."""
    reply = StreamingHttpResponse(
        statement_csv.lines(user_id, KINDS[of]), content_type="text/csv; charset=utf-8"
    )
    reply["Content-Disposition"] = f'attachment; filename="berth-{of}.csv"'
    reply["Cache-Control"] = "no-store"
    return reply
