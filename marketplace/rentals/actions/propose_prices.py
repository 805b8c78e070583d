"""This will ask the price of a machine's offer of what runs on it already."""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from marketplace.domain.matching import Slice
from marketplace.domain.placement import LIVE
from marketplace.domain.price_proposal import WAITING, ProposalState
from marketplace.domain.pricing import PriceType, price_hour
from marketplace.machines.actions import lock
from marketplace.offers.actions.set_terms import NOT_YOURS
from marketplace.offers.models import Offer
from marketplace.offers.queries import OfferUnknown
from marketplace.placements.actions import lock as placements
from marketplace.rentals.actions.reprice import reprice
from marketplace.rentals.models import PriceProposal, Rental
from protocol.agent import Want
from protocol.workload import Workload

logger = logging.getLogger(__name__)
#: from the question until the price holds, however soon it is accepted
NOTICE = timedelta(hours=1)
HOST_LOWERED = "host_lowered"


@dataclass(frozen=True, slots=True)
class Proposed:
    """How many rentals cost less from now on, and how many renters are asked for more."""

    lowered: int
    asked: int


def propose_prices(*, host_id: int, machine_id: UUID, now: datetime) -> Proposed:
    """Lower the price of each rental on demand that costs more than the offer, and ask for more of
    each that costs less; asking twice asks once.

    Reservations, bids, jobs and replicas keep their price.

    :raises OfferUnknown: when the machine is not this host's.
    """
    lowered = asked = 0
    with transaction.atomic():
        lock.lock(machine_id=machine_id)
        offer = (
            Offer.objects.select_related("machine")
            .filter(machine_id=machine_id, machine__host_id=host_id)
            .first()
        )
        if offer is None:
            raise OfferUnknown(NOT_YOURS)
        rentals = Rental.objects.filter(
            placement__machine_id=machine_id,
            placement__state__in=LIVE,
            placement__funded_until__gt=now,
            price_type=PriceType.ON_DEMAND,
        ).exclude(placement__want=Want.END)
        # Their placements before them, as everybody locks them.
        placements.lock(placement_ids=list(rentals.values_list("placement_id", flat=True)))
        locked = rentals.select_for_update(of=("self",)).select_related("placement")
        for rental in locked.order_by("id"):
            price = _price_hour(rental, offer)
            asked += _ask(rental, price, now)
            if price < rental.price_hour_microusd:
                reprice(
                    rental_id=rental.id,
                    price_hour_microusd=price,
                    at=now,
                    reason=HOST_LOWERED,
                    now=now,
                )
                lowered += 1
    logger.info(
        "Prices proposed", extra={"machine_id": machine_id, "lowered": lowered, "asked": asked}
    )
    return Proposed(lowered=lowered, asked=asked)


def _price_hour(rental: Rental, offer: Offer) -> int:
    resources = Workload.model_validate(rental.placement.workload).resources
    return price_hour(
        Slice.of(resources),
        total=offer.machine.total,
        price_unit_microusd=offer.price_unit_microusd,
    )


def _ask(rental: Rental, price_hour_microusd: int, now: datetime) -> bool:
    """Ask for a higher price, or for none any more; return whether one is asked for anew."""
    waiting = rental.proposals.filter(state__in=WAITING)
    if waiting.filter(price_hour_microusd=price_hour_microusd).exists():
        return False
    waiting.update(state=ProposalState.WITHDRAWN, answered_at=now)
    if price_hour_microusd <= rental.price_hour_microusd:
        return False
    PriceProposal.objects.create(
        rental=rental,
        price_hour_microusd=price_hour_microusd,
        from_at=now + NOTICE,
        proposed_at=now,
    )
    return True
