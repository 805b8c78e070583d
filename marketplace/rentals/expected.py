"""This will say when a rental that begins is likely to be ready, by how its machine did lately."""

from marketplace.domain.rental import RentalState
from marketplace.domain.starts import Expected, expected
from marketplace.offers.models import UNMEASURED
from marketplace.rentals.models import Rental

BEGINNING = frozenset({RentalState.QUEUED, RentalState.PREPARING, RentalState.STARTING})


def expected_of(rental: Rental, state: RentalState) -> Expected | None:
    """Return when it may be ready; None: it began already, or too little is known."""
    placement, offer = rental.placement, rental.offer
    # The figures are of first starts at a fixed price: a start after a stop has its image already.
    if state not in BEGINNING or placement.starts or placement.is_interruptible:
        return None
    if UNMEASURED in (offer.start_p50_ms, offer.start_p95_ms):
        return None
    return expected(
        asked_at=rental.started_at,
        p50_ms=offer.start_p50_ms,
        p95_ms=offer.start_p95_ms,
        came_up=offer.starts,
        failed=offer.starts_failed,
    )
