"""This will serve the search for offers, and a host's terms, over the REST API."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Self, TypeVar, cast
from uuid import UUID

from django.http import HttpRequest
from django.utils import timezone
from ninja import Query, Router, Schema
from pydantic import AwareDatetime, Field

from marketplace.accounts.bearer import ApiKeyBearer, caller, viewer_id
from marketplace.accounts.client_address import client_address
from marketplace.domain import country, query_language
from marketplace.domain.matching import Slice
from marketplace.domain.money import PPM
from marketplace.domain.offer_query import Condition, Cursor, OfferQuery, OfferSort, wanted
from marketplace.json_body import JsonBody
from marketplace.offers import bounded, queries
from marketplace.offers.actions import set_terms
from marketplace.offers.found import Found
from marketplace.offers.kinds import narrows
from marketplace.offers.models import Offer
from protocol.hardware import COUNT_MOST, Resources

router = Router(tags=["offers"], auth=None)
_Meant = TypeVar("_Meant")
NO_COUNTRY = "Write the country as two letters: DE."
NO_REGION = "Write the region as a continent: EU, or Europe."
NO_CUDA = "Write the version of CUDA like 12.4."
Whole = Annotated[int, Field(ge=0, le=1 << 50)]
LEASE_S_MAX = 366 * 86_400
#: a country of ISO 3166; empty: any, or none
Country = Annotated[str, Field(max_length=2)]


class Asked(Schema):
    """How much of a machine is wanted."""

    gpus_min: Whole | None = None
    cpus_min: Whole | None = None
    ram_bytes_min: Whole | None = None
    disk_bytes_min: Whole | None = None


class Filters(Asked):
    #: a search such as ``gpu_name=RTX_4090 num_gpus>=2 dph<0.5``; a word alone must stand in the
    #: GPU's or CPU's name
    q: Annotated[str, Field(max_length=query_language.TEXT_MAX)] = ""
    gpu_model: Annotated[str, Field(max_length=200)] = ""
    vram_bytes_min: Whole | None = None
    price_hour_microusd_max: Whole | None = None
    #: two letters, as hosts say it; in ``q`` there may be several
    country: Country = ""
    #: the continent of that country: "EU", "Europe" or "North_America"
    region: Annotated[str, Field(max_length=20)] = ""
    #: what validators measured of its line at least, 10^6 bits a second
    network_down_mbit_s_min: Whole | None = None
    network_up_mbit_s_min: Whole | None = None
    #: the share of the last 30 days that it was there at least, in millionths
    reliability_ppm_min: Annotated[int, Field(ge=0, le=PPM)] | None = None
    #: a rental that begins now may run so long at least
    lease_s_min: Annotated[int, Field(ge=0, le=LEASE_S_MAX)] | None = None
    #: the CUDA that its driver runs at least, such as "12.4"
    cuda_min: Annotated[str, Field(max_length=6)] = ""
    #: true: only those that take bids, or that take something off for reservations
    interruptible: bool = False
    reserved: bool = False
    verified: Annotated[bool, Field(description="False: unverified machines, too.")] = True
    rented: Annotated[
        bool,
        Field(
            description="True: fully rented machines, too."
            " In `q`, `rented=true` asks for these alone."
        ),
    ] = False
    sort: OfferSort = OfferSort.PRICE
    cursor: Annotated[str, Field(max_length=200)] = ""
    limit: Annotated[int, Field(ge=1, le=100)] = 50


class DiscountShape(JsonBody):
    """What a reservation of so many days or more takes off the price."""

    days: int
    #: in millionths
    discount_ppm: int


class OfferReply(Schema):
    id: UUID
    machine_id: UUID
    #: whose it is, as a number: ``host_id notin [17]`` leaves out all machines of one host
    host_id: int
    gpu_model: str
    gpus: int
    gpus_free: int
    vram_bytes: int
    cpu_model: str
    cpus: int
    cpus_free: int
    ram_bytes_free: int
    disk_bytes_free: int
    price_gpu_hour_microusd: int
    price_cpu_hour_microusd: int
    #: an hour of the smallest slice: one GPU, or one CPU where there is no GPU
    price_hour_microusd: int
    #: an hour of exactly what gpus_min, cpus_min, ram_bytes_min and disk_bytes_min ask for, as a
    #: rental of that costs; null: none of them was given
    price_asked_hour_microusd: int | None
    #: the least bid for an hour of the smallest slice; null: this host takes no bids
    bid_floor_microusd: int | None
    #: what reservations take off: the highest step that a term reaches; empty: it takes none
    discounts: list[DiscountShape]
    #: of a GB (10^9 bytes) and 30 days while a rental is stopped; 0: nothing
    storage_price_microusd: int
    #: of a GB of traffic, both ways together; 0: nothing
    network_price_microusd: int
    #: of a rental that begins now
    longest_term_s: int
    #: the fewest that may be rented at once
    cpus_min: int
    gpus_min: int
    #: where its host says that it is, two letters of ISO 3166, which nobody checks; empty: it does
    #: not say
    country: str
    #: no rental that begins now may run beyond it; null: the host named no such moment
    closes_at: datetime | None
    #: only those whom its host named see it
    private: bool
    listed: bool
    verified: bool
    #: why nobody vouches for it, where that is so of all machines of its kind; else empty
    unverified_reason: str
    online: bool
    #: PBKDF2-SHA256 iterations per second over all cores; null: not measured
    cpu_hash_rate: int | None
    #: micro-USD per hour for what was measured: of GPUs for 10^15 int8 operations a second, of CPUs
    #: for 10^6 iterations a second; null: not measured
    value_microusd: int | None
    #: the newest CUDA that its driver runs, such as "12.4"; empty: none is known
    cuda: str
    #: of its least GPU as validators measured it, 10^9 int8 operations and 10^6 bytes a second;
    #: null: not measured
    int8_gops: int | None
    bandwidth_mb_s: int | None
    #: of that GPU's memory, what validators filled and read back; null: nothing
    vram_bytes_proven: int | None
    #: of its line to it and from it as validators measured it, 10^6 bits a second: it has no less;
    #: null: not measured
    network_down_mbit_s: int | None
    network_up_mbit_s: int | None
    #: the share of the last 30 days that it was there, in millionths
    reliability_ppm: int
    #: how long rentals that began in the last 30 days took until SSH answered from outside, half of
    #: them and 95 of 100; null: there were none
    start_p50_ms: int | None
    start_p95_ms: int | None
    #: how many came up, and how many did not by the machine's fault
    starts: int
    starts_failed: int
    #: the site rented all of these itself; else others than the host did
    starts_ours: bool


class OfferShown(OfferReply):
    #: how much of it to rent for what is asked for: its share of all else comes for the same price
    proposed: Resources


class OfferPage(Schema):
    items: list[OfferReply]
    next_cursor: str | None
    #: how much whoever searches so wants to rent, by ``q`` and the rest; null: not named
    asked: Asked
    #: it names a kind of GPU or a word, so that one GPU is meant where no number is named
    of_gpus: bool


class Maintenance(JsonBody):
    """When the host works on the machine."""

    begins_at: AwareDatetime
    ends_at: AwareDatetime


class Terms(JsonBody):
    """A term that is left out stays as it is."""

    price_gpu_hour_microusd: Whole | None = None
    price_cpu_hour_microusd: Whole | None = None
    #: the lowest price that you accept of whoever may be outbid; null: take no bids
    bid_floor_microusd: Whole | None = None
    #: what reservations take off, each step longer than the one before and taking more; empty:
    #: take none
    discounts: Annotated[list[DiscountShape], Field(max_length=100)] | None = None
    #: of a GB (10^9 bytes) and 30 days while a rental is stopped, never more than it costs to run
    storage_price_microusd: Whole | None = None
    #: of a GB of traffic, both ways together
    network_price_microusd: Whole | None = None
    longest_term_s: Annotated[int, Field(ge=1, le=LEASE_S_MAX)] | None = None
    #: the fewest that may be rented at once
    cpus_min: Annotated[int, Field(ge=1, le=COUNT_MOST)] | None = None
    gpus_min: Annotated[int, Field(ge=0, le=64)] | None = None
    #: where the machine is, two letters of ISO 3166; empty: you do not say
    country: Country | None = None
    #: the machine is for rent until then; null: for as long as it is listed
    ends_at: AwareDatetime | None = None
    #: what runs ends when it begins, after an hour's notice at least, and nothing is rented that
    #: would run into it; null: none
    maintenance: Maintenance | None = None
    #: e-mail addresses of those who alone see and rent it, each once its owner has proven it is
    #: theirs; null: everybody does
    guests: Annotated[list[Annotated[str, Field(max_length=254)]], Field(max_length=100)] | None = (
        None
    )
    listed: bool | None = None


class HostOfferReply(OfferReply):
    """An offer as its host sees it."""

    ends_at: datetime | None
    maintenance: Maintenance | None
    #: null: everybody sees it
    guests: list[str] | None
    #: as the host set it; a closing shortens it for renters
    longest_term_set_s: int

    @classmethod
    def of_offer(cls, offer: Offer, now: datetime) -> Self:
        """Return the reply for the host's own offer."""
        seen = OfferReply.from_orm(queries.row_of(Found.of(offer), now=now)).dict()
        begins, ends = offer.maintenance_from, offer.maintenance_until
        window = Maintenance(begins_at=begins, ends_at=ends) if begins and ends else None
        return cls(
            **seen,
            ends_at=offer.ends_at,
            maintenance=window,
            guests=queries.guests(offer) if offer.private else None,
            longest_term_set_s=offer.longest_term_s,
        )


@router.get("/offers", response=OfferPage)
def search(request: HttpRequest, filters: Query[Filters]) -> OfferPage:
    """Find what is for rent; anyone may look, and with an API key sees private offers too."""
    written = query_language.parse(filters.q)
    query = OfferQuery(
        words=written.words,
        conditions=written.conditions + _conditions(filters),
        verified=filters.verified,
        rented=filters.rented,
        sort=filters.sort,
        cursor=Cursor.decode(filters.cursor) if filters.cursor else None,
        rows_max=filters.limit,
    )
    page = bounded.search(
        query,
        now=timezone.now(),
        viewer_id=viewer_id(request),
        address=client_address(request),
    )
    return OfferPage(
        items=[OfferReply.from_orm(row) for row in page.items],
        next_cursor=page.next_cursor.encode() if page.next_cursor else None,
        asked=_asked(query),
        of_gpus=bool(query.words) or narrows(query),
    )


@router.get("/offers/{offer_id}", response=OfferShown)
def show(request: HttpRequest, offer_id: UUID, asked: Query[Asked]) -> OfferShown:
    """Show one offer, with the price of what is asked for."""
    amounts = OfferQuery(
        conditions=wanted(
            gpus_min=asked.gpus_min,
            cpus_min=asked.cpus_min,
            memory_bytes_min=asked.ram_bytes_min,
            disk_bytes_min=asked.disk_bytes_min,
        )
    )
    found = queries.row(
        offer_id, now=timezone.now(), asked=amounts.asked, viewer_id=viewer_id(request)
    )
    much = found.proposed(amounts.asked)
    proposed = Resources.of(
        cpus=much.cpus, gpus=much.gpus, ram_bytes=much.memory_bytes, disk_bytes=much.disk_bytes
    )
    return OfferShown(**OfferReply.from_orm(found).dict(), proposed=proposed)


@router.get("/host/machines/{machine_id}/offer", response=HostOfferReply, auth=ApiKeyBearer())
def show_terms(request: HttpRequest, machine_id: UUID) -> HostOfferReply:
    """Show your machine's terms."""
    offer = queries.of_host(caller(request).pk).filter(machine_id=machine_id).first()
    if offer is None:
        raise queries.OfferUnknown(set_terms.NOT_YOURS)
    return HostOfferReply.of_offer(offer, timezone.now())


@router.patch("/host/machines/{machine_id}/offer", response=HostOfferReply, auth=ApiKeyBearer())
def change_terms(request: HttpRequest, machine_id: UUID, payload: Terms) -> HostOfferReply:
    """Set your machine's terms; running rentals keep theirs."""
    now = timezone.now()
    offer = set_terms.set_terms(
        host_id=caller(request).pk,
        machine_id=machine_id,
        now=now,
        **_terms(payload),
    )
    return HostOfferReply.of_offer(offer, now)


def _conditions(filters: Filters) -> tuple[Condition, ...]:
    return wanted(
        gpu_model=filters.gpu_model,
        gpus_min=filters.gpus_min,
        vram_bytes_min=filters.vram_bytes_min,
        cpus_min=filters.cpus_min,
        memory_bytes_min=filters.ram_bytes_min,
        disk_bytes_min=filters.disk_bytes_min,
        price_hour_microusd_max=filters.price_hour_microusd_max,
        country=_read(country.country, filters.country, NO_COUNTRY) or "",
        region=_read(country.region, filters.region, NO_REGION) or "",
        network_down_mbit_s_min=filters.network_down_mbit_s_min,
        network_up_mbit_s_min=filters.network_up_mbit_s_min,
        reliability_ppm_min=filters.reliability_ppm_min,
        lease_s_min=filters.lease_s_min,
        cuda_min=_read(query_language.version, filters.cuda_min, NO_CUDA),
        interruptible=filters.interruptible,
        reserved=filters.reserved,
    )


def _read(read: Callable[[str], _Meant], told: str, otherwise: str) -> _Meant | None:
    try:
        return read(told) if told else None
    except ValueError:
        raise query_language.QueryInvalid(otherwise) from None


def _terms(payload: Terms) -> set_terms.Terms:
    told = payload.dict(exclude_unset=True)
    if "maintenance" in told:
        window = told.pop("maintenance") or {"begins_at": None, "ends_at": None}
        told["maintenance_from"] = window["begins_at"]
        told["maintenance_until"] = window["ends_at"]
    return cast(set_terms.Terms, told)


def _asked(query: OfferQuery) -> Asked:
    named = query.asked or Slice(0, 0, 0)
    return Asked(
        gpus_min=named.gpus or None,
        cpus_min=named.cpus or None,
        ram_bytes_min=named.memory_bytes or None,
        disk_bytes_min=named.disk_bytes or None,
    )
