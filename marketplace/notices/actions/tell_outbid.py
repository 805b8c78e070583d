"""This will tell renters that they were outbid while there is time to bid more."""

from datetime import datetime

from marketplace.notices.actions.notify import notify
from marketplace.rentals.models import Rental

ROWS_MAX = 500


def tell_outbid(*, now: datetime) -> int:
    """Return how many renters were told that their rental stops soon; nobody is told twice."""
    outbid = Rental.objects.filter(placement__outbid_stop_at__gt=now).select_related("placement")
    rows = outbid.order_by("placement__outbid_stop_at", "id")[:ROWS_MAX]
    return sum(_tell(rental, now) for rental in rows)


def _tell(rental: Rental, now: datetime) -> bool:
    stops_at = rental.placement.outbid_stop_at or now
    return notify(
        user_id=rental.renter_id,
        kind="rental_outbid",
        cause=f"rental:{rental.id}:outbid:{stops_at.isoformat()}",
        title=f"Your rental {rental.called} was outbid",
        text=f"It stops at {stops_at:%H:%M:%S} UTC, keeps its files and starts again by itself once"
        " its bid wins. Bid more until then, and it goes on.",
        data={
            "rental_id": str(rental.id),
            "stops_at": stops_at.isoformat(),
            "url": f"/rentals/{rental.id}/",
        },
        now=now,
    )
