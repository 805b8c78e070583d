"""This will say when a rental that begins is likely to be ready, by how others did lately."""

from marketplace.domain.rental import RentalState
from marketplace.domain.starts import Expected, Kinds, Starts, expected, known
from marketplace.offers.models import UNMEASURED, Offer
from marketplace.rentals.models import Rental

BEGINNING = frozenset({RentalState.QUEUED, RentalState.PREPARING, RentalState.STARTING})


def expected_of(rental: Rental, state: RentalState, kinds: Kinds) -> Expected | None:
    """Return when it may be ready; None: it began already, or too little is known."""
    placement = rental.placement
    # The figures are of first starts at a fixed price: a start after a stop has its image already.
    if state not in BEGINNING or placement.starts or placement.is_interruptible:
        return None
    offer = rental.offer
    found = known(starts_of(offer), gpu_model=rental.gpu_model, kinds=kinds)
    return None if found is None else expected(*found, asked_at=rental.started_at)


def starts_of(offer: Offer) -> Starts:
    """Return how rentals of this offer's machine began."""
    p50, p95 = (None if ms == UNMEASURED else ms for ms in (offer.start_p50_ms, offer.start_p95_ms))
    return Starts(p50, p95, came_up=offer.starts, failed=offer.starts_failed)
