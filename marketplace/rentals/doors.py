"""This will keep whoever shuts their rentals' doors from computing unpaid again and again."""

from datetime import datetime

from django.db.models import Q

from marketplace.domain.placement import DEADLINES, DOOR_LOST
from marketplace.domain.problem import Refused
from marketplace.metering.unseen import WITHIN, unseen_s
from marketplace.placements.actions.unseen import SEEN
from marketplace.placements.models import PlacementEvent
from marketplace.rentals import mystery
from protocol.workload import PlacementKind

#: so many of a renter's runs may end within a day because of their doors
DOORS_LOST_MAX = 5
#: a door that opens at all was seen by then; who stops after it had time to open it
UNSEEN_S_MAX = 60
#: so long in all may a renter's runs last before their doors are seen, however short each is
UNSEEN_S_DAY_MAX = DOORS_LOST_MAX * DEADLINES.door_s
#: of PlacementEvent: a run that ended because of its door
LOST = Q(reason_code=DOOR_LOST.code) | Q(unseen_s__gt=UNSEEN_S_MAX) & ~Q(event=SEEN)


class DoorsLostMany(Refused):
    """Too many of the renter's rentals ended because their doors were shut."""

    code = "doors_lost_many"
    status = 409
    sentence = (
        "Too many of your rentals ended within a day because their SSH doors did not answer. "
        "Check that your image leaves port 22 to the machine, and try again tomorrow."
    )


def check_doors(renter_id: int, now: datetime) -> None:
    """Accept a renter few of whose doors were shut.

    Whatever ends a run behind a door that was never seen counts, a stop of the renter's as well: it
    was not billed. A run that stopped for its door and may start again counts too. What the host
    did, or a machine that is out of touch, counts for nothing. The site's own account runs nothing
    that could shut a door: machines with shut ports must not keep it from the others.

    :raises DoorsLostMany: when there were too many, or they ran too long in all.
    """
    if renter_id == mystery.renter_id():
        return
    lost = PlacementEvent.objects.filter(
        LOST,
        placement__rental__renter_id=renter_id,
        at__gt=now - WITHIN,
    )
    if lost.count() >= DOORS_LOST_MAX:
        raise DoorsLostMany
    if unseen_s(renter_id=renter_id, kind=PlacementKind.RENTAL, now=now) >= UNSEEN_S_DAY_MAX:
        raise DoorsLostMany
