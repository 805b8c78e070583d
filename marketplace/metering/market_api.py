"""This will tell hosts where their prices stand, over the REST API."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from django.http import HttpRequest
from django.utils import timezone
from ninja import Query, Router, Schema

from marketplace.accounts.bearer import ApiKeyBearer, caller
from marketplace.domain.market_price import Spread
from marketplace.metering import market

router = Router(tags=["host"], auth=ApiKeyBearer())


class SpreadReply(Schema):
    """Where prices of an hour of one unit lie: a tenth of them is no more than the P10."""

    p10_microusd: int
    median_microusd: int
    p90_microusd: int
    #: how many offers or rentals, and of how many hosts
    prices: int
    hosts: int


class MarketReply(Schema):
    #: the kind: GPUs of this name and memory; empty: machines without a GPU
    gpu_model: str
    vram_bytes: int
    #: of open, verified offers; null: fewer than five, or of fewer than three hosts
    offered: SpreadReply | None
    #: of what renters pay now, each host counted once, in two digits; null: fewer than five hosts
    paid: SpreadReply | None
    #: null: nothing is told of this kind
    counted_at: datetime | None
    #: of an hour of one GPU, or of one CPU where there is none: what was asked for, or yours
    price_unit_microusd: int
    #: the share of the last thirty days that was rented and paid for, in millionths
    occupancy_ppm: int
    #: of thirty days at that price after the fee, as much rented as now
    earns_microusd: int


@router.get("/host/machines/{machine_id}/market", response=MarketReply)
def machine_market(
    request: HttpRequest,
    machine_id: UUID,
    price_unit_microusd: Annotated[int | None, Query(ge=1, le=1_000_000_000)] = None,
) -> MarketReply:
    """Say where prices of machines like yours lie, and what a price would earn you."""
    found = market.of_machine(machine_id, host_id=caller(request).pk, now=timezone.now())
    price = found.price_unit_microusd if price_unit_microusd is None else price_unit_microusd
    return MarketReply(
        gpu_model=found.machine.gpu_model,
        vram_bytes=found.machine.vram_bytes,
        offered=_spread(found.offered),
        paid=_spread(found.paid),
        counted_at=found.counted_at,
        price_unit_microusd=price,
        occupancy_ppm=found.occupancy_ppm,
        earns_microusd=found.earns(price),
    )


def _spread(found: Spread | None) -> SpreadReply | None:
    return None if found is None else SpreadReply.from_orm(found)
