"""This will show renters what their rentals use over the REST API."""

from uuid import UUID

from django.http import HttpRequest
from django.utils import timezone
from ninja import Router

from marketplace.accounts.bearer import ApiKeyBearer, caller
from marketplace.domain.usage_summary import Span
from marketplace.rentals import queries
from marketplace.telemetry import queries as telemetry
from marketplace.telemetry.schemas import (
    IncidentReply,
    MetricsPoint,
    MetricsReply,
    PlacementUsageReply,
    UsagePoint,
)

router = Router(tags=["rentals"], auth=ApiKeyBearer())


@router.get("/rentals/{rental_id}/usage", response=PlacementUsageReply)
def usage(request: HttpRequest, rental_id: UUID) -> PlacementUsageReply:
    """Show what a rental of yours used in the last hour, and what went wrong for it."""
    placement = queries.find(rental_id, caller(request).pk).placement
    points = telemetry.usage(
        machine_id=placement.machine_id, placement_id=placement.id, now=timezone.now()
    )
    incidents = telemetry.incidents_of_placement(placement.id)
    return PlacementUsageReply(
        points=[UsagePoint.of(point) for point in points],
        incidents=[IncidentReply.of(one) for one in incidents],
    )


@router.get("/rentals/{rental_id}/metrics", response=MetricsReply)
def metrics(request: HttpRequest, rental_id: UUID, span: Span = Span.DAY) -> MetricsReply:
    """Show what a rental of yours used in the last hour, day or 30 days, after its end too.

    An hour has a point for each ten seconds, a day for each five minutes, a month for each hour.
    """
    placement = queries.find(rental_id, caller(request).pk).placement
    found = telemetry.metrics(
        machine_id=placement.machine_id, placement_id=placement.id, span=span, now=timezone.now()
    )
    points = [MetricsPoint.from_orm(one) for one in found]
    return MetricsReply(span=span, step_s=span.step_s, points=points)
