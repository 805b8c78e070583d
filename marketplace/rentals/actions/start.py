"""This will start a stopped rental again, on whatever of its machine is free now."""

from datetime import datetime
from uuid import UUID

from marketplace.domain.matching import ExceedsMachine, MachineOffline, OfferTaken
from marketplace.placements.actions import start as placements
from marketplace.placements.actions.extend_funding import PlacementEnding
from marketplace.rentals import queries
from marketplace.rentals.actions.extend import RentalOver
from marketplace.rentals.doors import check_doors

TAKEN = "Somebody else has rented what it needs; its files are kept, so start it again later."
AWAY = "Its machine does not answer now; its files are kept, so start it again later."


def start(*, rental_id: UUID, renter_id: int, now: datetime) -> None:
    """Ask for the rental to run again; asking twice changes nothing.

    Its files, ports and volumes are as they were; its GPUs may be others. Billing begins when its
    SSH door is seen from outside, and the lease is the one that it had.

    :raises RentalUnknown: when this renter has no such rental.
    :raises RentalOver: when it is ending or has ended.
    :raises StillStopping: when it will be stopped in a moment.
    :raises OfferTaken: when others have rented what it needs.
    :raises MachineOffline: when its machine is silent.
    :raises DoorsLostMany: when too many of the renter's doors were shut.
    """
    rental = queries.find(rental_id, renter_id)
    check_doors(renter_id, now)
    try:
        placements.start(placement_id=rental.placement_id, now=now)
    except PlacementEnding:
        raise RentalOver from None
    except (OfferTaken, ExceedsMachine):
        raise OfferTaken(TAKEN) from None
    except MachineOffline:
        raise MachineOffline(AWAY) from None
