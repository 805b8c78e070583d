"""This will keep whoever shuts their rentals' doors from computing unpaid again and again."""

from datetime import datetime, timedelta

from marketplace.domain.placement import DOOR_LATE, DOOR_LOST
from marketplace.domain.problem import Refused
from marketplace.placements.models import PlacementEvent

#: so many of a renter's runs may end within a day because of their doors
DOORS_LOST_MAX, DOORS_LOST_WITHIN = 5, timedelta(days=1)


class DoorsLostMany(Refused):
    """Too many of the renter's rentals ended because their doors were shut."""

    code = "doors_lost_many"
    status = 409
    sentence = (
        "Too many of your rentals ended within a day because their SSH doors did not answer. "
        "Check that your image leaves port 22 to the machine, and try again tomorrow."
    )


def check_doors(renter_id: int, now: datetime) -> None:
    """Accept a renter few of whose doors were shut; a rental that stopped for it counts too.

    :raises DoorsLostMany: when there were too many.
    """
    lost = PlacementEvent.objects.filter(
        placement__rental__renter_id=renter_id,
        reason_code__in=(DOOR_LATE.code, DOOR_LOST.code),
        at__gt=now - DOORS_LOST_WITHIN,
    )
    if lost.count() >= DOORS_LOST_MAX:
        raise DoorsLostMany
