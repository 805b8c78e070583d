"""This will close terminals whose process is gone, and forget old ones."""

from datetime import datetime, timedelta

from marketplace.one_by_one import one_by_one
from marketplace.terminals import queries
from marketplace.terminals.actions.close import close
from marketplace.terminals.models import TerminalSession

ROWS_MAX = 500
KEPT = timedelta(days=30)


def forget(*, now: datetime) -> int:
    """Return how many were closed because their process is gone."""
    closed = one_by_one(
        queries.stale(now).values_list("id", flat=True),
        lambda session_id: close(session_id=session_id, code="lost", now=now),
        failed="Could not close a terminal",
        most=ROWS_MAX,
    )
    TerminalSession.objects.filter(ended_at__isnull=False, opened_at__lt=now - KEPT).delete()
    return len(closed)
