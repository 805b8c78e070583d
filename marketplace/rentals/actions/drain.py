"""This will end what still runs on a machine when its host's maintenance begins."""

import logging
from datetime import datetime

from marketplace.domain.placement import LIVE
from marketplace.placements.actions import request_end
from marketplace.rentals.models import Rental
from protocol.agent import Want

RENTALS_MAX = 500
#: the reason's code, and the sentence that the renter reads
MAINTENANCE = ("host_maintenance", "The host began to work on the machine, as was announced.")

logger = logging.getLogger(__name__)


def drain(*, now: datetime) -> int:
    """Ask for the end of every rental, stopped or not, whose machine is under maintenance."""
    left = Rental.objects.filter(
        placement__state__in=LIVE,
        offer__maintenance_from__lte=now,
        offer__maintenance_until__gt=now,
    ).exclude(placement__want=Want.END)
    ended = 0
    for rental in left.order_by("started_at", "id")[:RENTALS_MAX]:
        code, reason = MAINTENANCE
        try:
            request_end.request_end(
                placement_id=rental.placement_id, reason_code=code, reason=reason, now=now
            )
        except Exception:
            # One broken rental must not keep the others running; the next pass tries it again.
            logger.exception("Rental not drained", extra={"rental_id": rental.id})
        else:
            ended += 1
    return ended
