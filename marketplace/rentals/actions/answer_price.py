"""This will take a renter's answer to a higher price: without a yes nobody is charged more."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from marketplace.domain.price_proposal import WAITING, ProposalState
from marketplace.domain.problem import Refused
from marketplace.machines.actions import lock
from marketplace.rentals import queries
from marketplace.rentals.actions.extend import check_goes_on
from marketplace.rentals.actions.reprice import reprice
from marketplace.rentals.models import PriceProposal

HOST_RAISED = "host_raised"


class ProposalGone(Refused):
    """Its host asks another price by now, or none."""

    code = "price_not_asked"
    status = 409
    sentence = "Its host does not ask this price any more; look again."


def answer_price(
    *, rental_id: UUID, renter_id: int, price_hour_microusd: int, accept: bool, now: datetime
) -> None:
    """Accept or decline the price that a host asks; the same answer twice changes nothing.

    An accepted one holds from its moment on, at once where that is past, and the money for it is
    set aside now. A declined one may still be accepted.

    :raises RentalUnknown: when this renter has no such rental.
    :raises RentalOver: when it is ending or has ended, or its paid time is over.
    :raises ProposalGone: when its host asks no such price.
    :raises CapPassed: when it could cost more than its dollar cap.
    :raises InsufficientFunds: when the wallet can't cover the new worst total.
    """
    rental = queries.find(rental_id, renter_id)
    with transaction.atomic():
        lock.lock(machine_id=rental.placement.machine_id)
        placement = queries.find(rental_id, renter_id).placement
        asked = PriceProposal.objects.filter(
            rental_id=rental.id, price_hour_microusd=price_hour_microusd
        )
        proposal = asked.filter(state__in=WAITING).first()
        if proposal is None:
            newest = asked.order_by("-id").first()
            if accept and newest is not None and newest.state == ProposalState.ACCEPTED:
                return
            raise ProposalGone
        check_goes_on(placement, now)
        proposal.state = ProposalState.ACCEPTED if accept else ProposalState.DECLINED
        proposal.answered_at = now
        proposal.save(update_fields=["state", "answered_at"])
        if accept:
            reprice(
                rental_id=rental.id,
                price_hour_microusd=price_hour_microusd,
                at=proposal.from_at,
                reason=HOST_RAISED,
                now=now,
            )
