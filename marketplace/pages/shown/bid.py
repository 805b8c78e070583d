"""This will prepare what a page shows of a rental's bid."""

from dataclasses import dataclass

from marketplace.domain.money import format_usd
from marketplace.rentals.rental_view import RentalView


@dataclass(frozen=True, slots=True)
class Bid:
    price: str
    #: which bids win now
    wins: str


def shown(rental: RentalView) -> Bid | None:
    """Return what is shown of the bid; None: nobody outbids it."""
    if rental.bid_microusd is None:
        return None
    least = rental.bids_from_microusd
    return Bid(
        price=f"{format_usd(rental.bid_microusd)} an hour",
        wins="No bid wins its room now: on-demand renters have it, or pay as much."
        if least is None
        else f"Bids from {format_usd(least)} an hour win its room now.",
    )
