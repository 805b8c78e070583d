"""This will end jobs that ran as long as they may."""

from datetime import datetime

from django.db.models import DateTimeField, ExpressionWrapper, F

from marketplace.domain.placement import PlacementState
from marketplace.jobs.models import Job
from marketplace.one_by_one import one_by_one
from marketplace.placements.actions.request_end import request_end

JOBS_MAX = 500
RUN_LIMIT = "run_limit"


def expire(*, now: datetime) -> int:
    """Ask for the end of every job that ran as long as it may; return how many."""
    ends_at = ExpressionWrapper(
        F("placement__running_at") + F("run_limit"), output_field=DateTimeField()
    )
    over = (
        Job.objects.filter(placement__state=PlacementState.RUNNING)
        .annotate(ends_at=ends_at)
        .filter(ends_at__lte=now)
        .order_by("ends_at", "id")
    )
    done = one_by_one(
        over.values_list("placement_id", flat=True),
        lambda placement_id: request_end(
            placement_id=placement_id,
            reason_code=RUN_LIMIT,
            reason="It ran as long as it may.",
            now=now,
        ),
        failed="Job not expired",
        most=JOBS_MAX,
    )
    return len(done)
