"""This will end a rental and empty its renter's account, so that nothing keeps it from going."""

from datetime import datetime

from marketplace.domain.ledger import TransferKind
from marketplace.domain.placement import PlacementState
from marketplace.ledger import queries as ledger
from marketplace.ledger.actions import hold, open_account
from marketplace.ledger.actions.post import post
from marketplace.ledger.models import Hold
from marketplace.placements.models import Placement
from marketplace.rentals.actions import end
from marketplace.rentals.models import Rental


def leave_nothing(rental: Rental, *, now: datetime) -> None:
    end.end(rental_id=rental.id, renter_id=rental.renter_id, now=now)
    hold_id = rental.meter.hold_id
    if Hold.objects.get(id=hold_id).released_at is None:
        hold.release(hold_id=hold_id, cause="over", now=now)
    Placement.objects.filter(id=rental.placement_id).update(
        state=PlacementState.RELEASED, deadline_at=None, ended_at=now
    )
    post(
        debit=open_account.wallet(user_id=rental.renter_id),
        credit=open_account.outside(),
        amount_microusd=ledger.balance(rental.renter_id),
        kind=TransferKind.REFUND,
        cause="back",
        now=now,
    )
