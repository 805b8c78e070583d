"""This will tell renters how long the files of a stopped rental are kept, where that ends."""

from datetime import datetime, timedelta

from marketplace.domain.funding import KEPT
from marketplace.domain.placement import LIVE
from marketplace.notices.actions.notify import notify
from marketplace.rentals.funds import lacks_money
from marketplace.rentals.models import Rental
from protocol.agent import Want

ROWS_MAX = 500
#: what is left of the 7 days when it is told; the first is when they begin
TOLD_AT = (KEPT, timedelta(days=3), timedelta(hours=24), timedelta(hours=1))


def tell_funds(*, now: datetime) -> int:
    """Return how many renters were told, once each time.

    They are told as its 7 days begin, and 3 days, 24 hours and 1 hour before these end. Money calls
    them off; of the next ones they are told anew.
    """
    unpaid = Rental.objects.filter(files_until__isnull=False, placement__state__in=LIVE).exclude(
        placement__want__in=(Want.END, Want.RUN)
    )
    rows = unpaid.select_related("placement", "meter__side").order_by("files_until", "id")
    return sum(_tell(rental, now) for rental in rows[:ROWS_MAX])


def _tell(rental: Rental, now: datetime) -> bool:
    until = rental.files_until or now
    ends_at = min(until, rental.placement.funded_until)
    stage = min((one for one in TOLD_AT if until - now <= one), default=KEPT)
    short, day = rental.called, f"{ends_at:%-d %b}"
    if lacks_money(rental):
        title = f"Your rental {short} has no money: its files are kept until {day}"
        way = "Add money before: then they stay, and you can start it again."
    else:
        title = f"Your rental {short} is stopped: its files are kept until {day}"
        way = "Its disk costs you nothing until then. Start it before, or copy what you need."
    return notify(
        user_id=rental.renter_id,
        kind="rental_unpaid",
        cause=f"rental:{rental.id}:unpaid:{until.isoformat()}:{stage // timedelta(hours=1)}",
        title=title,
        text=f"It is stopped. At {ends_at:%-d %b %Y, %H:%M} UTC it ends and its files are removed."
        f" {way}",
        data={
            "rental_id": str(rental.id),
            "url": f"/rentals/{rental.id}/",
            "files_until": ends_at.isoformat(),
        },
        now=now,
    )
