"""This will show how passes, queues and the ledger do."""

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from marketplace.console.health import passes
from marketplace.console.queues import QueuesUnreachable, lengths
from marketplace.console.waiting import backlogs, newest_audit
from marketplace.domain.oversight import Right
from marketplace.pages.shown import health as shown
from marketplace.pages.staff import StaffRequest, staff_only
from marketplace.schedule import PASSES

LANES = tuple(sorted({entry.lane for entry in PASSES}))


@require_safe
@staff_only(Right.SEE)
def health(request: StaffRequest) -> HttpResponse:
    """Show what runs, what waits, and what is wrong."""
    now = timezone.now()
    found = passes(now=now)
    rows = shown.passes(found, now)
    context = {
        "unwell": [row for row in rows if not row["well"]],
        "well": [row for row in rows if row["well"]],
        "red": shown.red(found),
        "backlogs": shown.backlogs(backlogs(now=now), now),
        "audit": shown.audit(newest_audit()),
        **_queues(),
    }
    return render(request, "console/health.html", context)


def _queues() -> dict[str, object]:
    try:
        found = lengths(settings.QUEUES_URL, LANES)
    except QueuesUnreachable:
        return {"queues": [], "unreachable": True}
    return {"queues": shown.queues(found or {}), "unreachable": False}
