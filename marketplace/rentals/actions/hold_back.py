"""This will keep outbid rentals from starting by themselves where their renter may start none.

Whoever starts one is asked about the doors that were shut (doors.py); what starts by itself is not.
"""

import logging
from datetime import datetime

from django.db.models import Count, Q, Sum

from marketplace.domain.placement import PlacementState
from marketplace.metering.unseen import WITHIN
from marketplace.placements.models import Placement, PlacementEvent
from marketplace.rentals.doors import (
    DOORS_LOST_MAX,
    LOST,
    UNSEEN_S_DAY_MAX,
    DoorsLostMany,
    check_doors,
)

RENTERS_MAX = 200
RESUMABLE = (PlacementState.STOPPING, PlacementState.STOPPED)
REASON = (
    "Too many of your rentals' SSH doors did not answer within a day, so it does not start by"
    " itself. Its files are kept; start it again tomorrow."
)

logger = logging.getLogger(__name__)


def hold_back(*, now: datetime) -> int:
    """Return how many rentals were held back; their renters may start them once they may rent.

    Who was held back has none to hold back any more, so the next pass goes on with others.
    """
    held = 0
    for renter_id in _suspects(now):
        try:
            check_doors(renter_id, now)
        except DoorsLostMany as refused:
            still = Placement.objects.filter(
                rental__renter_id=renter_id, resume_due_at__isnull=False, state__in=RESUMABLE
            )
            held += still.update(resume_due_at=None, reason_code=refused.code, reason=REASON)
            logger.info("Held back for shut doors", extra={"renter_id": renter_id})
    return held


def _suspects(now: datetime) -> list[int]:
    """Return whose rentals start by themselves and who may have lost too many, the worst first."""
    resumable = Placement.objects.filter(
        rental__isnull=False, resume_due_at__isnull=False, state__in=RESUMABLE
    )
    renter = "placement__rental__renter_id"
    events = PlacementEvent.objects.filter(
        **{f"{renter}__in": resumable.values("rental__renter_id")}, at__gt=now - WITHIN
    )
    sums = events.values(renter).annotate(lost=Count("id", filter=LOST), unseen=Sum("unseen_s"))
    some = sums.filter(Q(lost__gte=DOORS_LOST_MAX) | Q(unseen__gte=UNSEEN_S_DAY_MAX))
    return list(
        some.order_by("-lost", "-unseen", renter).values_list(renter, flat=True)[:RENTERS_MAX]
    )
