"""This will answer what a renter's rentals are doing and what they cost."""

from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from uuid import UUID

from django.db.models import Prefetch, Q, QuerySet

from marketplace.domain.placement import LIVE
from marketplace.domain.price_proposal import WAITING
from marketplace.domain.problem import Refused
from marketplace.offers import kind_starts
from marketplace.rentals import bids
from marketplace.rentals.models import PriceProposal, Rental
from marketplace.rentals.rental_view import RentalView, view_of, volumes_of

VIEWS_MAX = 100
#: read with each rental, beside its placement and its meter
BESIDE = ("offer__machine", "idle_rule", "failover")


class RentalUnknown(Refused):
    """There is no such rental, or it is somebody else's."""

    code = "not_found"
    status = 404
    sentence = "You have no such rental."


@dataclass(frozen=True, slots=True)
class Views:
    """One page of a renter's rentals."""

    items: tuple[RentalView, ...]
    #: the last of this page where another follows; None: this is the last page
    next_id: UUID | None


def view(rental_id: UUID, renter_id: int, now: datetime) -> RentalView:
    """Return one rental of this renter.

    :raises RentalUnknown: when there is none.
    """
    rental = find(rental_id, renter_id)
    seen = view_of(rental, volumes_of([rental]), now, cache(kind_starts.by_kind))
    return replace(seen, bids_from_microusd=_bids_from(rental))


def views(
    renter_id: int,
    *,
    now: datetime,
    wanted: Q | None = None,
    after: UUID | None = None,
    rows_max: int = VIEWS_MAX,
) -> Views:
    """Return one page of the renter's rentals, newest first.

    ``wanted``: which of them, as filters.py says it; None: all.
    ``after``: what ``Views.next_id`` said on the page before this one. None: begin at the newest.

    :raises RentalUnknown: when ``after`` is no rental of this renter.
    """
    rentals = _rentals(renter_id).filter(wanted or Q())
    if after is not None:
        last = Rental.objects.filter(renter_id=renter_id, id=after).first()
        if last is None:
            raise RentalUnknown
        rentals = rentals.filter(
            Q(started_at__lt=last.started_at) | Q(started_at=last.started_at, id__gt=last.id)
        )
    found = list(rentals.order_by("-started_at", "id")[: rows_max + 1])
    page = found[:rows_max]
    volumes, kinds = volumes_of(page), cache(kind_starts.by_kind)
    return Views(
        items=tuple(view_of(rental, volumes, now, kinds) for rental in page),
        next_id=page[-1].id if len(found) > rows_max else None,
    )


def find(rental_id: UUID, renter_id: int) -> Rental:
    """Return one rental of this renter.

    :raises RentalUnknown: when there is none.
    """
    rental = _rentals(renter_id).filter(id=rental_id).first()
    if rental is None:
        raise RentalUnknown
    return rental


def _rentals(renter_id: int) -> QuerySet[Rental]:
    waiting = PriceProposal.objects.filter(state__in=WAITING).order_by("id")
    return (
        Rental.objects.filter(renter_id=renter_id, forgotten_at=None)
        .select_related("placement", "meter__side", "meter__hold__account", *BESIDE)
        .prefetch_related(Prefetch("proposals", queryset=waiting, to_attr="waiting_proposals"))
    )


def _bids_from(rental: Rental) -> int | None:
    placement = rental.placement
    if not placement.is_interruptible or placement.state not in LIVE:
        return None
    return bids.bids_from(rental.offer, placement.rented, but=placement)
