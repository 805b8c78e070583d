"""This will answer what is set aside for a rental, and until when that lasts."""

from dataclasses import dataclass
from datetime import datetime

from marketplace.domain.funding import Funding
from marketplace.placements.models import Placement
from marketplace.rentals.actions.fund import is_about_to_run
from marketplace.rentals.models import Rental


@dataclass(frozen=True, slots=True)
class FundsView:
    """What is set aside for a rental, as its renter sees it."""

    funding: Funding
    held_microusd: int
    #: None: to its end, or it does not run
    paid_until: datetime | None
    #: it ends then with its files, unless money comes before; None: money is there
    files_until: datetime | None


def funds(rental: Rental) -> FundsView:
    """Return it as the rental was read, with its hold's account."""
    placement: Placement = rental.placement
    until = rental.files_until
    return FundsView(
        funding=Funding(rental.funding),
        held_microusd=rental.meter.hold.account.balance_microusd,
        paid_until=placement.paid_until if is_about_to_run(placement) else None,
        files_until=min(until, placement.funded_until) if until is not None else None,
    )
