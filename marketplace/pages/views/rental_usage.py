"""This will show what one rental uses: a page, or the part of the rental's own page."""

from uuid import UUID

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from marketplace.pages.shown.usage import panel
from marketplace.pages.visitor import MemberRequest, members_only
from marketplace.rentals import queries
from marketplace.telemetry import queries as telemetry


@require_safe
@vary_on_headers("HX-Request")
@members_only
def rental_usage(request: MemberRequest, rental_id: UUID) -> HttpResponse:
    """Show the newest numbers and what went wrong."""
    try:
        placement = queries.find(rental_id, request.user.pk).placement
    except queries.RentalUnknown as refused:
        raise Http404(refused.detail) from None
    points = telemetry.usage(
        machine_id=placement.machine_id, placement_id=placement.id, now=timezone.now()
    )
    shown = panel(placement, points, telemetry.incidents_of_placement(placement.id))
    template = "rentals/_usage.html" if getattr(request, "htmx", None) else "rentals/usage.html"
    return render(request, template, {"usage": shown, "rental_id": rental_id})
