"""This will let a host set the terms of a machine."""

import logging
from datetime import datetime
from typing import TypedDict, Unpack
from uuid import UUID

from marketplace.domain.problem import Refused
from marketplace.offers.actions import refresh
from marketplace.offers.models import Offer
from marketplace.offers.queries import OfferUnknown

logger = logging.getLogger(__name__)
PRICE_HOUR_MICROUSD_MIN = 1
PRICE_HOUR_MICROUSD_MAX = 1_000_000_000
TERM_S_MAX = 366 * 24 * 3600
NOT_YOURS = "There is no such machine of yours."
PRICE_FIRST = "Name the price of a GPU-hour to put this machine on the market."


class TermsInvalid(Refused):
    code = "invalid"
    status = 422
    sentence = (
        "A price is between $0.000001 and $1000 an hour, a term between a second and 366 days."
    )


class Terms(TypedDict, total=False):
    """What a host may set; a term that is left out, or None, stays as it is."""

    price_gpu_hour_microusd: int | None
    price_cpu_hour_microusd: int | None
    #: None takes no bids
    bid_floor_microusd: int | None
    longest_term_s: int | None
    listed: bool | None


def set_price(*, host_id: int, machine_id: UUID, now: datetime, **terms: Unpack[Terms]) -> Offer:
    """Return the offer with its new terms. Running rentals keep theirs.

    :raises OfferUnknown: when the machine is not this host's.
    :raises TermsInvalid: when a term is out of bounds, or GPUs come on the market without a price.
    """
    _check(terms)
    changes = {
        name: term
        for name, term in terms.items()
        if term is not None or name == "bid_floor_microusd"
    }
    offers = Offer.objects.filter(machine_id=machine_id, machine__host_id=host_id)
    unlisted = offers.filter(listed=False, machine__gpus_total__gt=0)
    # The price that an unlisted machine has may be one that its host never saw.
    if terms.get("listed") and terms.get("price_gpu_hour_microusd") is None and unlisted.exists():
        raise TermsInvalid(PRICE_FIRST)
    if changes and not offers.update(**changes):
        raise OfferUnknown(NOT_YOURS)
    refresh.refresh(machine_id=machine_id, now=now)
    offer = offers.first()
    if offer is None:
        raise OfferUnknown(NOT_YOURS)
    logger.info("Terms set", extra={"machine_id": machine_id, "host_id": host_id})
    return offer


def _check(terms: Terms) -> None:
    prices = (
        terms.get("price_gpu_hour_microusd"),
        terms.get("price_cpu_hour_microusd"),
        terms.get("bid_floor_microusd"),
    )
    bounds = range(PRICE_HOUR_MICROUSD_MIN, PRICE_HOUR_MICROUSD_MAX + 1)
    if any(price is not None and price not in bounds for price in prices):
        raise TermsInvalid
    longest_term_s = terms.get("longest_term_s")
    if longest_term_s is not None and not 1 <= longest_term_s <= TERM_S_MAX:
        raise TermsInvalid
