"""This will show anyone what there is to know of a machine."""

from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from marketplace.offers import machine_record
from marketplace.pages.shown import machine_page
from marketplace.verification.history import MachineNotThere


@require_safe
def machine(request: HttpRequest, machine_id: UUID) -> HttpResponse:
    """Show a machine: measured hardware, verdict, uptime, starts, score and price."""
    now = timezone.now()
    viewer_id = request.user.pk if request.user.is_authenticated else None
    try:
        facts = machine_record.of_machine(machine_id, now=now, viewer_id=viewer_id)
    except MachineNotThere as unknown:
        raise Http404(unknown.detail) from None
    return render(request, "machines/machine.html", {"page": machine_page.page(facts, now)})
