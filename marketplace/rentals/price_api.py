"""This will say over the REST API what a rental would cost, and let its price change."""

from datetime import timedelta
from uuid import UUID

from django.http import HttpRequest
from django.utils import timezone
from ninja import Router

from marketplace.accounts.bearer import ApiKeyBearer, caller, viewer_id
from marketplace.domain.matching import Slice
from marketplace.domain.metered import Priced
from marketplace.domain.money import MS_PER_HOUR
from marketplace.domain.terms import worst_total
from marketplace.domain.upkeep import storage_cost
from marketplace.offers import queries as offers
from marketplace.rentals import queries
from marketplace.rentals.actions import rent
from marketplace.rentals.actions.allow_traffic import allow_traffic
from marketplace.rentals.actions.answer_price import answer_price
from marketplace.rentals.actions.propose_prices import propose_prices
from marketplace.rentals.limited_keys import check_own_rental
from marketplace.rentals.price_schemas import (
    PriceAnswer,
    ProposedReply,
    QuoteReply,
    QuoteRequest,
    TrafficRequest,
)
from marketplace.rentals.schemas import RentalReply

router = Router(tags=["rentals"], auth=ApiKeyBearer())


@router.post("/offers/{offer_id}/quote", response=QuoteReply, auth=None)
def quote(request: HttpRequest, offer_id: UUID, payload: QuoteRequest) -> QuoteReply:
    """Say what a rental of this offer would cost at most; nothing is held and no room is taken."""
    now = timezone.now()
    offer = offers.row(offer_id, now=now, viewer_id=viewer_id(request))
    asked = Slice.of(payload.resources)
    limits = rent.limits(
        lease_s=payload.lease_s,
        cap_microusd=payload.cap_microusd,
        bid_microusd=payload.bid_microusd,
        price_type=payload.price_type,
        traffic_bytes_max=payload.traffic_bytes_max,
        funding=payload.funding,
    )
    terms = offer.terms(asked, limits)
    on_demand, price = terms.on_demand_hour_microusd, terms.price_hour_microusd
    stopped_hour = storage_cost(terms.storage_price_microusd, asked.disk_bytes, MS_PER_HOUR)
    return QuoteReply(
        price_type=limits.price_type,
        price_hour_microusd=price,
        on_demand_hour_microusd=on_demand,
        discount_ppm=terms.discount_ppm,
        worst_total_microusd=terms.worst_total_microusd,
        held_microusd=terms.held_microusd,
        on_demand_total_microusd=worst_total(Priced(on_demand), terms.term_ms)
        + terms.traffic_microusd_max,
        term_s=terms.term_ms // 1000,
        ends_at=now + timedelta(milliseconds=terms.term_ms),
        stopped_hour_microusd=stopped_hour,
        storage_price_microusd=terms.storage_price_microusd,
        network_price_microusd=terms.network_price_microusd,
        traffic_microusd_max=terms.traffic_microusd_max,
    )


@router.post("/rentals/{rental_id}/price", response=RentalReply)
def answer(request: HttpRequest, rental_id: UUID, payload: PriceAnswer) -> RentalReply:
    """Accept or decline the higher price that your rental's host asks."""
    now = timezone.now()
    if payload.accept:
        check_own_rental(request, rental_id)
    answer_price(
        rental_id=rental_id,
        renter_id=caller(request).pk,
        price_hour_microusd=payload.price_hour_microusd,
        accept=payload.accept,
        now=now,
    )
    return RentalReply.of(queries.view(rental_id, caller(request).pk, now))


@router.post("/rentals/{rental_id}/traffic", response=RentalReply)
def allow(request: HttpRequest, rental_id: UUID, payload: TrafficRequest) -> RentalReply:
    """Allow more traffic that is charged; the money for it is set aside at once."""
    now = timezone.now()
    check_own_rental(request, rental_id)
    allow_traffic(
        rental_id=rental_id,
        renter_id=caller(request).pk,
        traffic_bytes_max=payload.traffic_bytes_max,
        now=now,
    )
    return RentalReply.of(queries.view(rental_id, caller(request).pk, now))


@router.post("/host/machines/{machine_id}/offer/propose", response=ProposedReply)
def propose(request: HttpRequest, machine_id: UUID) -> ProposedReply:
    """Ask your machine's present price of what runs on it: lower holds at once, higher needs a yes.

    Reservations and bids keep their price.
    """
    done = propose_prices(host_id=caller(request).pk, machine_id=machine_id, now=timezone.now())
    return ProposedReply(lowered=done.lowered, asked=done.asked)
