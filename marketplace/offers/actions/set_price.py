"""This will let a host set the terms of a machine."""

import logging
from datetime import datetime
from uuid import UUID

from marketplace.domain.problem import Refused
from marketplace.offers.actions import refresh
from marketplace.offers.models import Offer

logger = logging.getLogger(__name__)
PRICE_HOUR_MICROUSD_MAX = 1_000_000_000
TERM_S_MAX = 366 * 24 * 3600


class OfferUnknown(Refused):
    code = "not_found"
    status = 404
    sentence = "There is no such machine of yours."


class TermsInvalid(Refused):
    code = "invalid"
    status = 422
    sentence = "A price is between $0 and $1000 an hour, a term between a second and 366 days."


def set_price(
    *,
    host_id: int,
    machine_id: UUID,
    now: datetime,
    price_gpu_hour_microusd: int | None = None,
    price_cpu_hour_microusd: int | None = None,
    bid_floor_microusd: int | None = None,
    longest_term_s: int | None = None,
    listed: bool | None = None,
) -> Offer:
    """Return the offer with its new terms; None leaves one as it is. Running rentals keep theirs.

    :raises OfferUnknown: when the machine is not this host's.
    :raises TermsInvalid: when a term is out of bounds.
    """
    prices = {
        "price_gpu_hour_microusd": price_gpu_hour_microusd,
        "price_cpu_hour_microusd": price_cpu_hour_microusd,
        "bid_floor_microusd": bid_floor_microusd,
    }
    if any(p is not None and not 0 <= p <= PRICE_HOUR_MICROUSD_MAX for p in prices.values()):
        raise TermsInvalid
    if longest_term_s is not None and not 1 <= longest_term_s <= TERM_S_MAX:
        raise TermsInvalid
    terms: dict[str, int | bool | None] = prices | {
        "longest_term_s": longest_term_s,
        "listed": listed,
    }
    offers = Offer.objects.filter(machine_id=machine_id, machine__host_id=host_id)
    changes = {name: term for name, term in terms.items() if term is not None}
    if changes and not offers.update(**changes):
        raise OfferUnknown
    refresh.refresh(machine_id=machine_id, now=now)
    offer = offers.first()
    if offer is None:
        raise OfferUnknown
    logger.info("Terms set", extra={"machine_id": machine_id, "host_id": host_id})
    return offer
