"""This will find what is for rent."""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from django.db.models import QuerySet

from marketplace.domain.cuda import written
from marketplace.domain.matching import GPUS_UNPROVEN, Slice, check_rentable
from marketplace.domain.money import PPM
from marketplace.domain.offer_query import Cursor, OfferQuery, OfferSort
from marketplace.domain.pricing import price_hour
from marketplace.domain.problem import Refused
from marketplace.domain.proposed import proposed
from marketplace.domain.reserved import Discount
from marketplace.domain.terms import Limits, Tariff, Terms, agree
from marketplace.offers.found import Found
from marketplace.offers.models import UNMEASURED, Offer
from marketplace.offers.search import SORTED_BY, find, seen_by
from marketplace.verification import queries as verification


class OfferUnknown(Refused):
    code = "not_found"
    status = 404
    sentence = "There is no such offer, or its host took it off the market."


class OfferRow(NamedTuple):
    """What a renter sees of an offer."""

    id: UUID
    machine_id: UUID
    #: the number of its host's account
    host_id: int
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
    #: where its host says that it is, two letters; empty: it does not say
    country: str
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
    #: micro-USD per hour for what was measured: of GPUs for 10^15 int8 operations a second, of CPUs
    #: for 10^6 iterations a second; None: not measured
    value_microusd: int | None
    #: the newest CUDA that its driver runs, such as "12.4"; empty: none is known
    cuda: str
    #: of its least GPU as measured, 10^9 int8 operations and 10^6 bytes a second; None: unmeasured
    int8_gops: int | None
    bandwidth_mb_s: int | None
    #: of that GPU's memory, what was filled and read back; None: nothing
    vram_bytes_proven: int | None
    #: of its line to it and from it, 10^6 bits a second: it has no less; None: not measured
    network_down_mbit_s: int | None
    network_up_mbit_s: int | None
    #: the share of the last 30 days that it was there, in millionths
    reliability_ppm: int
    #: how long rentals that began lately took until SSH answered, half of them and 95 of 100; None:
    #: there were none
    start_p50_ms: int | None
    start_p95_ms: int | None
    #: how many came up, and how many did not by the machine's fault
    starts: int
    starts_failed: int
    #: these are rentals of the site's own alone
    starts_ours: bool

    def proposed(self, asked: Slice | None) -> Slice:
        """Return how much to rent of it for whoever looks for ``asked``; None: for no amount."""
        free = Slice(self.cpus_free, self.ram_bytes_free, self.disk_bytes_free, self.gpus_free)
        return proposed(
            asked, total=self.total, free=free, cpus_min=self.cpus_min, gpus_min=self.gpus_min
        )

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


def search(query: OfferQuery, *, now: datetime, viewer_id: int | None = None) -> OfferPage:
    """Return one page of the listed offers of online machines that match.

    ``viewer_id``: who looks, and so sees the private ones that they may rent. None: nobody known.

    :raises SearchTooSlow: when too many offers would have to be looked through.
    """
    offers = find(query, now=now, viewer_id=viewer_id)
    page = offers[: query.rows_max]
    more = len(offers) > len(page)
    key = getattr(page[-1], SORTED_BY[query.sort]) if more else 0
    rows = [row_of(offer, now=now, asked=query.asked) for offer in page]
    if query.sort is OfferSort.PRICE:
        # Pages follow each other by the price of the smallest slice, of which there is an index.
        rows.sort(key=lambda one: one.price_asked_hour_microusd or one.price_hour_microusd)
    return OfferPage(
        items=tuple(rows),
        next_cursor=Cursor(key=key, offer_id=page[-1].id) if more else None,
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
    return row_of(Found.of(offer), now=now, asked=asked)


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


def row_of(offer: Found, *, now: datetime, asked: Slice | None = None) -> OfferRow:
    """Return what a renter sees of the offer."""
    total, room, tariff, opening = offer.total, offer.open, offer.tariff, offer.opening
    price_microusd = tariff.price_unit_microusd
    verified = offer.verified_until is not None and offer.verified_until > now
    return OfferRow(
        id=offer.id,
        machine_id=offer.machine_id,
        host_id=offer.machine__host_id,
        gpu_model=offer.machine__gpu_model,
        gpus=total.gpus,
        gpus_free=room.gpus,
        vram_bytes=offer.machine__vram_bytes,
        cpu_model=offer.machine__cpu_model,
        cpus=total.cpus,
        cpus_free=room.cpus,
        ram_bytes_free=room.memory_bytes,
        disk_bytes_free=room.disk_bytes,
        total=total,
        price_gpu_hour_microusd=offer.price_gpu_hour_microusd,
        price_cpu_hour_microusd=offer.price_cpu_hour_microusd,
        price_hour_microusd=price_microusd,
        price_asked_hour_microusd=None
        if asked is None
        else price_hour(asked, total=total, price_unit_microusd=price_microusd),
        bid_floor_microusd=offer.bid_floor_microusd,
        discounts=tariff.discounts,
        storage_price_microusd=offer.storage_price_microusd,
        network_price_microusd=offer.network_price_microusd,
        tariff=tariff,
        longest_term_s=opening.longest_s(offer.longest_term_s, begins_at=now, now=now),
        cpus_min=offer.cpus_min,
        gpus_min=offer.gpus_min,
        country=offer.country,
        closes_at=opening.closes_at(now),
        private=offer.private,
        listed=offer.listed,
        verified=verified,
        unverified_reason=GPUS_UNPROVEN if total.gpus and not verified else "",
        online=offer.machine__online,
        cpu_hash_rate=offer.cpu_hash_rate,
        value_microusd=_measured(offer.value_microusd),
        cuda=written(offer.cuda) if offer.cuda else "",
        int8_gops=offer.int8_gops,
        bandwidth_mb_s=offer.bandwidth_mb_s,
        vram_bytes_proven=offer.vram_bytes_proven,
        network_down_mbit_s=offer.network_down_mbit_s,
        network_up_mbit_s=offer.network_up_mbit_s,
        reliability_ppm=PPM - offer.away_ppm,
        start_p50_ms=_measured(offer.start_p50_ms),
        start_p95_ms=_measured(offer.start_p95_ms),
        starts=offer.starts,
        starts_failed=offer.starts_failed,
        starts_ours=offer.starts_ours,
    )


def _measured(kept: int) -> int | None:
    return None if kept == UNMEASURED else kept


def _listed(offer_id: UUID, viewer_id: int | None) -> Offer | None:
    listed = Offer.objects.select_related("machine").filter(id=offer_id, listed=True)
    return listed.filter(seen_by(viewer_id)).first()
