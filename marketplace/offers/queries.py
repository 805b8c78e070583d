"""This will find what is for rent."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import F, Q, QuerySet, Value
from django.db.models.expressions import CombinedExpression

from marketplace.accounts import queries as accounts
from marketplace.domain.matching import GPUS_UNPROVEN, Slice, check_rentable
from marketplace.domain.offer_query import Cursor, OfferQuery, OfferSort
from marketplace.domain.pricing import price_hour
from marketplace.domain.problem import Refused
from marketplace.domain.reserved import Discount
from marketplace.domain.terms import Limits, Tariff, Terms, agree
from marketplace.offers.models import UNMEASURED, Guest, Offer
from marketplace.verification import queries as verification


class OfferUnknown(Refused):
    code = "not_found"
    status = 404
    sentence = "There is no such offer, or its host took it off the market."


@dataclass(frozen=True, slots=True)
class OfferRow:
    """What a renter sees of an offer."""

    id: UUID
    machine_id: UUID
    gpu_model: str
    gpus: int
    gpus_free: int
    #: of one GPU
    vram_bytes: int
    cpu_model: str
    cpus: int
    cpus_free: int
    ram_bytes_free: int
    disk_bytes_free: int
    #: all that the machine has
    total: Slice
    price_gpu_hour_microusd: int
    price_cpu_hour_microusd: int
    #: an hour of the smallest slice: one GPU, or one CPU where there is no GPU
    price_hour_microusd: int
    #: an hour of exactly what was asked for; None: nothing was
    price_asked_hour_microusd: int | None
    #: None: this host takes no bids
    bid_floor_microusd: int | None
    #: what reservations take off, rising; empty: it takes none
    discounts: tuple[Discount, ...]
    #: of a GB and 30 days while a rental is stopped, and of a GB of traffic
    storage_price_microusd: int
    network_price_microusd: int
    #: all of its prices
    tariff: Tariff
    #: of a rental that begins now
    longest_term_s: int
    #: the fewest that may be rented at once
    cpus_min: int
    gpus_min: int
    #: no rental that begins now may run beyond it; None: the host named no such moment
    closes_at: datetime | None
    #: only those whom its host named see it
    private: bool
    listed: bool
    verified: bool
    #: why nobody vouches for it, where that is so of all machines of its kind
    unverified_reason: str
    online: bool
    #: None: not measured
    cpu_hash_rate: int | None
    #: micro-USD per hour and million measured operations per second; None: not measured
    value_microusd: int | None

    def terms(self, asked: Slice, limits: Limits) -> Terms:
        """Return what a slice costs that is rented now within the limits.

        :raises Refused: when the price, the bid, the term or the traffic is out of bounds.
        """
        longest_term_s = self.longest_term_s
        return agree(self.tariff, asked, limits, total=self.total, longest_term_s=longest_term_s)


@dataclass(frozen=True, slots=True)
class OfferPage:
    items: tuple[OfferRow, ...]
    #: None: this is the last page
    next_cursor: Cursor | None


_SORT_COLUMN = {OfferSort.PRICE: "price_hour_microusd", OfferSort.VALUE: "value_microusd"}


def search(query: OfferQuery, *, now: datetime, viewer_id: int | None = None) -> OfferPage:
    """Return one page of the listed offers of online machines that match, in one query.

    ``viewer_id``: who looks, and so sees the private ones that they may rent. None: nobody known.
    """
    column = _SORT_COLUMN[query.sort]
    found = _matching(query, now).filter(_open(now), _seen_by(viewer_id))
    if query.cursor is not None:
        key, last_id = query.cursor.key, query.cursor.offer_id
        found = found.filter(Q(**{f"{column}__gt": key}) | Q(**{column: key, "id__gt": last_id}))
    offers = list(found.order_by(column, "id")[: query.rows_max + 1])
    page = offers[: query.rows_max]
    more = len(offers) > len(page)
    return OfferPage(
        items=tuple(row_of(offer, now=now, asked=query.asked) for offer in page),
        next_cursor=Cursor(key=getattr(page[-1], column), offer_id=page[-1].id) if more else None,
    )


def row(
    offer_id: UUID, *, now: datetime, asked: Slice | None = None, viewer_id: int | None = None
) -> OfferRow:
    """Return one listed offer, online or not, with the price of what is ``asked`` for.

    :raises OfferUnknown: when there is none that ``viewer_id`` may see.
    """
    offer = _listed(offer_id, viewer_id)
    if offer is None:
        raise OfferUnknown
    return row_of(offer, now=now, asked=asked)


def machine_of(offer_id: UUID) -> UUID:
    """Return whose offer this is, listed or not.

    :raises OfferUnknown: when there is none.
    """
    machine_id = Offer.objects.values_list("machine_id", flat=True).filter(id=offer_id).first()
    if machine_id is None:
        raise OfferUnknown
    return machine_id


def rentable(offer_id: UUID, *, now: datetime, renter_id: int | None = None) -> Offer:
    """Return a listed offer, with its machine, that may be rented now.

    :raises OfferUnknown: when there is none that ``renter_id`` may rent.
    :raises OfferClosed: when its host wants the machine back now.
    :raises MachineOffline: when its machine is silent.
    :raises MachineUnverified: when no validator vouches for the machine.
    """
    offer = _listed(offer_id, renter_id)
    if offer is None:
        raise OfferUnknown
    offer.opening.check_open(now)
    check_rentable(
        online=offer.machine.online, verified=verification.is_verified(offer.machine_id, now)
    )
    return offer


def guests(offer: Offer) -> list[str]:
    """Return who alone sees a private offer, beside its host."""
    return list(offer.guests.order_by("email", "id").values_list("email", flat=True))


def of_host(host_id: int) -> QuerySet[Offer]:
    """Return the host's offers with their machines, oldest machine first."""
    return (
        Offer.objects.filter(machine__host_id=host_id)
        .select_related("machine")
        .prefetch_related("guests")
        .order_by("machine__enrolled_at", "id")
    )


def row_of(offer: Offer, *, now: datetime, asked: Slice | None = None) -> OfferRow:
    """Return what a renter sees of the offer; its machine must be loaded with it."""
    machine, room, tariff = offer.machine, offer.machine.open, offer.tariff
    verified = offer.verified_until is not None and offer.verified_until > now
    return OfferRow(
        id=offer.id,
        machine_id=machine.id,
        gpu_model=machine.gpu_model,
        gpus=machine.gpus_total,
        gpus_free=room.gpus,
        vram_bytes=machine.vram_bytes,
        cpu_model=machine.cpu_model,
        cpus=machine.cpus_total,
        cpus_free=room.cpus,
        ram_bytes_free=room.memory_bytes,
        disk_bytes_free=room.disk_bytes,
        total=machine.total,
        price_gpu_hour_microusd=offer.price_gpu_hour_microusd,
        price_cpu_hour_microusd=offer.price_cpu_hour_microusd,
        price_hour_microusd=offer.price_unit_microusd,
        price_asked_hour_microusd=None
        if asked is None
        else price_hour(asked, total=machine.total, price_unit_microusd=offer.price_unit_microusd),
        bid_floor_microusd=offer.bid_floor_microusd,
        discounts=tariff.discounts,
        storage_price_microusd=offer.storage_price_microusd,
        network_price_microusd=offer.network_price_microusd,
        tariff=tariff,
        longest_term_s=offer.opening.longest_s(offer.longest_term_s, begins_at=now, now=now),
        cpus_min=offer.cpus_min,
        gpus_min=offer.gpus_min,
        closes_at=offer.opening.closes_at(now),
        private=offer.private,
        listed=offer.listed,
        verified=verified,
        unverified_reason=GPUS_UNPROVEN if machine.gpus_total and not verified else "",
        online=machine.online,
        cpu_hash_rate=offer.cpu_hash_rate,
        value_microusd=None if offer.value_microusd == UNMEASURED else offer.value_microusd,
    )


def _listed(offer_id: UUID, viewer_id: int | None) -> Offer | None:
    listed = Offer.objects.select_related("machine").filter(id=offer_id, listed=True)
    return listed.filter(_seen_by(viewer_id)).first()


def _seen_by(viewer_id: int | None) -> Q:
    everybody = Q(private=False)
    if viewer_id is None:
        return everybody
    emails = accounts.proven_emails(viewer_id)
    invited = Guest.objects.filter(email__in=emails).values("offer_id")
    return everybody | Q(machine__host_id=viewer_id) | Q(id__in=invited)


def _open(now: datetime) -> Q:
    worked_on = Q(maintenance_from__lte=now, maintenance_until__gt=now)
    return (Q(ends_at=None) | Q(ends_at__gt=now)) & (Q(maintenance_from=None) | ~worked_on)


def _matching(query: OfferQuery, now: datetime) -> QuerySet[Offer]:
    found = Offer.objects.select_related("machine").filter(listed=True, machine__online=True)
    if query.verified:
        found = found.filter(verified_until__gt=now)
    for word in query.words:
        found = found.filter(
            Q(machine__gpu_model__icontains=word) | Q(machine__cpu_model__icontains=word)
        )
    if query.gpu_model:
        found = found.filter(machine__gpu_model__icontains=query.gpu_model)
    bounds = {
        "machine__gpus_free__gte": _besides("gpus", query.gpus_min),
        "machine__vram_bytes__gte": query.vram_bytes_min,
        "machine__cpus_free__gte": _besides("cpus", query.cpus_min),
        "machine__memory_bytes_free__gte": _besides("memory_bytes", query.memory_bytes_min),
        "machine__disk_bytes_free__gte": query.disk_bytes_min,
        "price_hour_microusd__lte": query.price_hour_microusd_max,
    }
    return found.filter(**{name: bound for name, bound in bounds.items() if bound is not None})


def _besides(name: str, least: int | None) -> CombinedExpression | None:
    """Return how much has to be free for ``least``, as who bids goes for whoever does not."""
    return None if least is None else Value(least) - F(f"machine__{name}_interruptible")
