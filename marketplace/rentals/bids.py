"""This will say which bids win now."""

from uuid import UUID

from marketplace.domain import pricing
from marketplace.domain.delivered import agreed
from marketplace.domain.matching import Slice
from marketplace.domain.money import PPM, MicroUsd
from marketplace.domain.terms import bid_floor
from marketplace.offers.models import Offer
from marketplace.placements import bidding
from marketplace.placements.models import Placement


def on_demand_hour(offer: Offer, asked: Slice) -> MicroUsd:
    """Return what an hour of this costs without a bid; its machine must be loaded with it."""
    return pricing.price_hour(
        asked, total=offer.machine.total, price_unit_microusd=offer.price_unit_microusd
    )


def bids_from(offer: Offer, asked: Slice, *, but: Placement | None = None) -> MicroUsd | None:
    """Return the lowest bid of an hour that wins now, at least the host's floor.

    None: no bid does, or the host takes none, or it costs no less than to rent without a bid.
    ``but``: as if this placement did not bid yet. None: of somebody new.
    """
    price = on_demand_hour(offer, asked)
    floor = bid_floor(offer.tariff, price)
    if floor is None:
        return None
    but_id, paid_ppm = (None, PPM) if but is None else (but.id, but.bid_paid_ppm)
    least = bidding.least_bid(offer.machine_id, asked, floor_hour_microusd=floor, but=but_id)
    if least is not None:
        # It ranks by what it pays of its bid.
        least = MicroUsd(max(floor, agreed(least, paid_ppm)))
    return least if least is not None and least <= price else None


def of_offer(offer_id: UUID, asked: Slice) -> MicroUsd | None:
    """Return the lowest bid of an hour that wins this much of an offer now, as ``bids_from``."""
    return bids_from(Offer.objects.select_related("machine").get(id=offer_id), asked)
