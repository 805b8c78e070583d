"""This will show what operators did, newest first."""

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from marketplace.console import queries
from marketplace.domain.oversight import ACT_LABELS, Right
from marketplace.pages.shown import acts
from marketplace.pages.staff import StaffRequest, staff_only
from marketplace.pages.views.console.pages import number


@require_safe
@staff_only(Right.LOG)
def log(request: StaffRequest) -> HttpResponse:
    """Show a page of the log; nobody can change what it shows."""
    kind = request.GET.get("kind", "")
    kind = kind if kind in ACT_LABELS else ""
    found = queries.acts(before=number(request, "before"), kind=kind)
    context = {
        "tab": "log",
        "lines": [acts.line(act) for act in found.acts],
        "older": found.older,
        "kind": kind,
        "kinds": [(each.value, label) for each, label in ACT_LABELS.items()],
    }
    return render(request, "console/log.html", context)
