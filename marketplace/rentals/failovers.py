"""This will say of a rental what became of it where it did not come up."""

from dataclasses import dataclass
from uuid import UUID

from marketplace.rentals.models import Failover, Rental


@dataclass(frozen=True, slots=True)
class FailoverView:
    """Another machine takes the rental over if it does not come up on this one."""

    price_hour_microusd_max: int
    #: it came up, was taken over, or could not be
    settled: bool
    #: what took its place; None: nothing did
    successor_id: UUID | None
    #: why nothing did; empty: something did, or it was not needed
    problem_code: str


def failover_of(rental: Rental) -> FailoverView | None:
    """Return what its renter agreed to; None: no other machine was to take it over."""
    wish: Failover | None = getattr(rental, "failover", None)
    if wish is None:
        return None
    return FailoverView(
        price_hour_microusd_max=wish.price_hour_microusd_max,
        settled=wish.settled_at is not None,
        successor_id=wish.successor_id,
        problem_code=wish.problem_code,
    )
