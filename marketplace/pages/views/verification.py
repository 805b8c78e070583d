"""This will show anyone how a machine was verified, and by whom."""

from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from marketplace.pages.shown import verification as shown
from marketplace.verification import history


@require_safe
def verification(request: HttpRequest, machine_id: UUID) -> HttpResponse:
    """Show what a machine stands as, who says so, and its newest verdicts."""
    try:
        found = history.of_machine(machine_id, now=timezone.now())
    except history.MachineNotThere as unknown:
        raise Http404(unknown.detail) from None
    return render(request, "machines/verification.html", {"page": shown.page(found)})
