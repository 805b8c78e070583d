"""This will answer what is set aside for a rental, and until when that lasts."""

from dataclasses import dataclass
from datetime import datetime

from marketplace.domain.funding import Funding
from marketplace.metering.models import SideMeter
from marketplace.placements.models import Placement
from marketplace.rentals.actions.fund import is_about_to_run
from marketplace.rentals.models import Rental

#: why what is paid an hour ahead was stopped
BALANCE_OUT, LIMIT_OUT = "balance_out", "spend_limit_reached"


@dataclass(frozen=True, slots=True)
class FundsView:
    """What is set aside for a rental, as its renter sees it."""

    funding: Funding
    held_microusd: int
    #: None: to its end, or it does not run
    paid_until: datetime | None
    #: it ends then with its files, unless it starts before, or money comes that it lacks; None: it
    #: has money, and its disk is paid for
    files_until: datetime | None


def funds(rental: Rental) -> FundsView:
    """Return it as the rental was read, with its hold's account."""
    placement: Placement = rental.placement
    until = None if is_about_to_run(placement) else rental.files_until
    return FundsView(
        funding=Funding(rental.funding),
        held_microusd=rental.meter.hold.account.balance_microusd,
        paid_until=placement.paid_until if is_about_to_run(placement) else None,
        files_until=min(until, placement.funded_until) if until is not None else None,
    )


def keeps_free(rental: Rental) -> bool:
    """Say whether its host asks nothing for its disk while it is stopped."""
    side: SideMeter | None = getattr(rental.meter, "side", None)
    return side is None or not side.storage_price_microusd


def lacks_money(rental: Rental) -> bool:
    """Say whether it is money that it needs to keep its files."""
    return rental.placement.reason_code == BALANCE_OUT or not keeps_free(rental)
