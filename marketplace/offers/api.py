"""This will serve the search for offers, and a host's terms, over the REST API."""

from typing import Annotated
from uuid import UUID

from django.http import HttpRequest
from django.utils import timezone
from ninja import Query, Router, Schema
from pydantic import Field

from marketplace.accounts.bearer import ApiKeyBearer, caller
from marketplace.domain.offer_query import Cursor, OfferQuery, OfferSort
from marketplace.offers import queries
from marketplace.offers.actions import set_price

router = Router(tags=["offers"], auth=None)
Whole = Annotated[int, Field(ge=0, le=1 << 50)]


class Asked(Schema):
    """How much of a machine is wanted."""

    gpus_min: Whole | None = None
    cpus_min: Whole | None = None
    ram_bytes_min: Whole | None = None
    disk_bytes_min: Whole | None = None


class Filters(Asked):
    #: words that must each stand in the GPU's or CPU's name
    q: Annotated[str, Field(max_length=200)] = ""
    gpu_model: Annotated[str, Field(max_length=200)] = ""
    vram_bytes_min: Whole | None = None
    price_hour_microusd_max: Whole | None = None
    #: false: show unverified machines too
    verified: bool = True
    sort: OfferSort = OfferSort.PRICE
    cursor: Annotated[str, Field(max_length=200)] = ""
    limit: Annotated[int, Field(ge=1, le=100)] = 50


class OfferReply(Schema):
    id: UUID
    machine_id: UUID
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
    longest_term_s: int
    listed: bool
    verified: bool
    #: why nobody vouches for it, where that is so of all machines of its kind; else empty
    unverified_reason: str
    online: bool
    #: PBKDF2-SHA256 iterations per second over all cores; null: not measured
    cpu_hash_rate: int | None
    #: micro-USD per hour and million iterations per second; null: not measured
    value_microusd: int | None


class OfferPage(Schema):
    items: list[OfferReply]
    next_cursor: str | None


class Terms(Schema):
    """A term that is left out stays as it is."""

    price_gpu_hour_microusd: Whole | None = None
    price_cpu_hour_microusd: Whole | None = None
    #: the lowest price that you accept; nothing is interrupted for it yet; null: take no bids
    bid_floor_microusd: Whole | None = None
    longest_term_s: Annotated[int, Field(ge=1, le=366 * 86_400)] | None = None
    listed: bool | None = None


@router.get("/offers", response=OfferPage)
def search(request: HttpRequest, filters: Query[Filters]) -> OfferPage:
    """Find what is for rent; anyone may look."""
    page = queries.search(
        OfferQuery(
            words=tuple(filters.q.split()[:20]),
            gpu_model=filters.gpu_model,
            gpus_min=filters.gpus_min,
            vram_bytes_min=filters.vram_bytes_min,
            cpus_min=filters.cpus_min,
            memory_bytes_min=filters.ram_bytes_min,
            disk_bytes_min=filters.disk_bytes_min,
            price_hour_microusd_max=filters.price_hour_microusd_max,
            verified=filters.verified,
            sort=filters.sort,
            cursor=Cursor.decode(filters.cursor) if filters.cursor else None,
            rows_max=filters.limit,
        ),
        now=timezone.now(),
    )
    return OfferPage(
        items=[OfferReply.from_orm(row) for row in page.items],
        next_cursor=page.next_cursor.encode() if page.next_cursor else None,
    )


@router.get("/offers/{offer_id}", response=OfferReply)
def show(request: HttpRequest, offer_id: UUID, asked: Query[Asked]) -> OfferReply:
    """Show one offer, with the price of what is asked for."""
    wanted = OfferQuery(
        gpus_min=asked.gpus_min,
        cpus_min=asked.cpus_min,
        memory_bytes_min=asked.ram_bytes_min,
        disk_bytes_min=asked.disk_bytes_min,
    )
    return OfferReply.from_orm(queries.row(offer_id, now=timezone.now(), asked=wanted.asked))


@router.patch("/host/machines/{machine_id}/offer", response=OfferReply, auth=ApiKeyBearer())
def set_terms(request: HttpRequest, machine_id: UUID, payload: Terms) -> OfferReply:
    """Set your machine's terms; running rentals keep theirs."""
    now = timezone.now()
    offer = set_price.set_price(
        host_id=caller(request).pk,
        machine_id=machine_id,
        now=now,
        **payload.dict(exclude_unset=True),
    )
    return OfferReply.from_orm(queries.row_of(offer, now=now))
