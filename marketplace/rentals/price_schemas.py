"""This will give prices, and what changes them, their shape in the REST API."""

from datetime import datetime
from typing import Annotated

from ninja import Schema
from pydantic import Field

from marketplace.domain.pricing import PriceType
from marketplace.json_body import JsonBody
from marketplace.rentals.requests import LimitsRequest
from protocol.hardware import Resources


class QuoteRequest(LimitsRequest):
    resources: Resources


class QuoteReply(Schema):
    """What a rental would cost. Amounts are exact: renting now sets just that much aside."""

    price_type: PriceType
    price_hour_microusd: int
    #: without a discount or a bid
    on_demand_hour_microusd: int
    #: what a reservation takes off, in millionths; 0: nothing
    discount_ppm: int
    #: the most that it can cost
    worst_total_microusd: int
    #: set aside at once: all of that, or with rolling funding the first hour and 7 days of storage
    held_microusd: int
    #: the same without a discount or a bid
    on_demand_total_microusd: int
    term_s: int
    ends_at: datetime
    #: an hour of its disk while it is stopped, rounded down
    stopped_hour_microusd: int
    #: of a GB and 30 days while it is stopped, and of a GB of traffic
    storage_price_microusd: int
    network_price_microusd: int
    #: what its traffic may cost at most: a part of the worst total
    traffic_microusd_max: int


class TrafficRequest(JsonBody):
    #: in all, since its start
    traffic_bytes_max: Annotated[int, Field(ge=0, le=1 << 50)]


class PriceAnswer(JsonBody):
    """Your answer to a higher price; without a yes the old one holds to the rental's end."""

    accept: bool
    #: as pending_price named it
    price_hour_microusd: Annotated[int, Field(ge=0, le=10**15)]


class ProposedReply(Schema):
    #: rentals that cost less from now on
    lowered: int
    #: renters who are asked for a higher price
    asked: int
