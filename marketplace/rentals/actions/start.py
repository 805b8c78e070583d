"""This will start a stopped rental again, on whatever of its machine is free now."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from marketplace.domain.funding import Funding
from marketplace.domain.matching import ExceedsMachine, MachineOffline, OfferTaken
from marketplace.domain.placement import PlacementState
from marketplace.ledger.actions.hold import InsufficientFunds
from marketplace.placements.actions import start as placements
from marketplace.placements.actions.extend_funding import PlacementEnding
from marketplace.rentals import queries
from marketplace.rentals.actions import fund as funds
from marketplace.rentals.actions.extend import RentalOver
from marketplace.rentals.doors import check_doors
from marketplace.rentals.funds import lacks_money
from marketplace.rentals.models import Rental
from protocol.agent import Want

TAKEN = "Somebody else has rented what it needs; its files are kept, so start it again later."
HOUR = "It needs an hour's money to start; add some and start it again. Its files are kept."
AWAY = "Its machine does not answer now; its files are kept, so start it again later."


def start(*, rental_id: UUID, renter_id: int, now: datetime) -> None:
    """Ask for the rental to run again; asking twice changes nothing.

    Its files, ports and volumes are as they were; its GPUs may be others. Billing begins when its
    SSH door is seen from outside, and the lease is the one that it had. One that bids starts as
    soon as its bid wins.

    :raises RentalUnknown: when this renter has no such rental.
    :raises RentalOver: when it is ending or has ended.
    :raises StillStopping: when it will be stopped in a moment.
    :raises OfferTaken: when others have rented what it needs.
    :raises MachineOffline: when its machine is silent.
    :raises DoorsLostMany: when too many of the renter's doors were shut.
    :raises InsufficientFunds: when it is paid an hour ahead and the wallet can't cover that.
    :raises SpendLimitReached: when a limit of its renter leaves less than that.
    """
    rental = queries.find(rental_id, renter_id)
    check_doors(renter_id, now)
    try:
        with transaction.atomic():
            if rental.funding == Funding.ROLLING:
                _fund(rental_id, now)
            placements.start(placement_id=rental.placement_id, now=now)
    except PlacementEnding:
        raise RentalOver from None
    except (OfferTaken, ExceedsMachine):
        raise OfferTaken(TAKEN) from None
    except MachineOffline:
        raise MachineOffline(AWAY) from None


def _fund(rental_id: UUID, now: datetime) -> None:
    """Set the next hour aside, and let the pass see to what follows."""
    rental = funds.locked(rental_id)
    placement = rental.placement
    if placement.want == Want.RUN or placement.state != PlacementState.STOPPED:
        return
    try:
        funds.fund(rental, now=now)
    except InsufficientFunds:
        raise InsufficientFunds(HOUR) from None
    # Its free days end once it is seen to run, or who starts and stops it would have them for ever.
    until = None if lacks_money(rental) else rental.files_until
    Rental.objects.filter(id=rental_id).update(files_until=until, fund_due_at=now)
