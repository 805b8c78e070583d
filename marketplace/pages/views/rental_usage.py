"""This will show what one rental uses: a page, or the part of the rental's own page."""

from datetime import datetime
from uuid import UUID

from django.http import Http404, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from marketplace.domain.usage import Point
from marketplace.domain.usage_summary import Span, Summary
from marketplace.pages.shown import usage_spans
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
    """Show the last hour, day or month as a table; beside the rental's charts what went wrong."""
    placement, now = _own(request, rental_id).placement, timezone.now()
    span, ended_at = _span(request), placement.ended_at
    title = usage_spans.CHOICES[span][1]
    context: dict[str, object] = {
        "rental_id": rental_id,
        "title": title,
        "span": span,
        "spans": usage_spans.choices(),
        "is_forgotten": ended_at is not None and ended_at <= now - span.length,
    }
    if span is not Span.HOUR:
        context["table"] = usage_spans.table(_metrics(placement, span, now))
        return render(request, "rentals/usage.html", context)
    points = _points(placement, now)
    shown = panel(placement, points, telemetry.incidents_of_placement(placement.id))
    if getattr(request, "htmx", None):
        return render(request, "rentals/_use.html", {"usage": shown})
    context |= {"usage": shown, "table": table(points)}
    return render(request, "rentals/usage.html", context)


@require_safe
@members_only
def rental_usage_columns(request: MemberRequest, rental_id: UUID) -> HttpResponse:
    """Send the last hour, day or month as columns, for the charts."""
    rental, now = _own(request, rental_id), timezone.now()
    span = _span(request)
    placement, since = rental.placement, now - span.length
    if span is Span.HOUR:
        spent = bills.spent(rental.meter, since=since)
        told = columns(placement, _points(placement, now), spent)
    else:
        spent = bills.spent_by_hour(rental.meter, since=since)
        told = usage_spans.columns(placement, span, _metrics(placement, span, now), spent)
    return JsonResponse(told, headers={"Cache-Control": "no-store"})


def _span(request: MemberRequest) -> Span:
    """Return how far back is looked; what is none is the hour."""
    asked = request.GET.get("span", "")
    return Span(asked) if asked in list(Span) else Span.HOUR


def _metrics(placement: Placement, span: Span, now: datetime) -> tuple[Summary, ...]:
    return telemetry.metrics(
        machine_id=placement.machine_id, placement_id=placement.id, span=span, now=now
    )


def _own(request: MemberRequest, rental_id: UUID) -> Rental:
    try:
        return queries.find(rental_id, request.user.pk)
    except queries.RentalUnknown as refused:
        raise Http404(refused.detail) from None


def _points(placement: Placement, now: datetime) -> tuple[Point, ...]:
    return telemetry.usage(machine_id=placement.machine_id, placement_id=placement.id, now=now)
