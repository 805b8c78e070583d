"""This will show what one rental uses: a page, or the part of the rental's own page."""

from datetime import datetime, timedelta
from uuid import UUID

from django.http import Http404, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from marketplace.domain.usage import HISTORY_S, Point
from marketplace.pages.shown.usage import panel
from marketplace.pages.shown.usage_history import columns, table
from marketplace.pages.visitor import MemberRequest, members_only
from marketplace.placements.models import Placement
from marketplace.rentals import bills, queries
from marketplace.rentals.models import Rental
from marketplace.telemetry import queries as telemetry


@require_safe
@vary_on_headers("HX-Request")
@members_only
def rental_usage(request: MemberRequest, rental_id: UUID) -> HttpResponse:
    """Show the last hour in words; beside the charts of the rental's own page what went wrong."""
    placement = _own(request, rental_id).placement
    points = _points(placement, timezone.now())
    shown = panel(placement, points, telemetry.incidents_of_placement(placement.id))
    if getattr(request, "htmx", None):
        return render(request, "rentals/_use.html", {"usage": shown})
    context = {"usage": shown, "rental_id": rental_id, "table": table(points)}
    return render(request, "rentals/usage.html", context)


@require_safe
@members_only
def rental_usage_columns(request: MemberRequest, rental_id: UUID) -> HttpResponse:
    """Send the last hour as columns, for the charts."""
    rental, now = _own(request, rental_id), timezone.now()
    spent = bills.spent(rental.meter, since=now - timedelta(seconds=HISTORY_S))
    told = columns(rental.placement, _points(rental.placement, now), spent)
    return JsonResponse(told, headers={"Cache-Control": "no-store"})


def _own(request: MemberRequest, rental_id: UUID) -> Rental:
    try:
        return queries.find(rental_id, request.user.pk)
    except queries.RentalUnknown as refused:
        raise Http404(refused.detail) from None


def _points(placement: Placement, now: datetime) -> tuple[Point, ...]:
    return telemetry.usage(machine_id=placement.machine_id, placement_id=placement.id, now=now)
