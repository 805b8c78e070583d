"""This will say what a rental would cost, and let the price of one that runs change."""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal
from urllib.parse import quote

from berth.exchange import Call, Exchange
from berth.reading import read
from berth.shapes import Rental, Shape
from protocol.hardware import Resources


class Quote(Shape):
    """What a rental would cost, and what renting now sets aside."""

    price_type: str = ""
    price_hour_microusd: int
    #: without a discount or a bid
    on_demand_hour_microusd: int = 0
    #: what a reservation takes off, in millionths
    discount_ppm: int = 0
    worst_total_microusd: int
    #: set aside at once; None: all of that
    held_microusd: int | None = None
    on_demand_total_microusd: int = 0
    term_s: int = 0
    ends_at: datetime | None = None
    #: an hour of its disk while it is stopped
    stopped_hour_microusd: int = 0
    #: what its traffic may cost at most: a part of the worst total
    traffic_microusd_max: int = 0


class Prices:
    """Prices of one renter's rentals. Every method raises Refused or CannotReach (problem.py)."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def quote(
        self,
        offer_id: str,
        resources: Resources,
        *,
        lease_s: int | None = None,
        cap_microusd: int | None = None,
        bid_microusd: int | None = None,
        price_type: str | None = None,
        traffic_bytes_max: int | None = None,
        funding: Literal["whole", "rolling"] = "whole",
    ) -> Quote:
        """Return what a rental of this offer would cost at most; nothing is held."""
        body = {
            "resources": resources.model_dump(mode="json"),
            "lease_s": lease_s,
            "cap_microusd": cap_microusd,
            "bid_microusd": bid_microusd,
            "price_type": price_type,
            "traffic_bytes_max": traffic_bytes_max,
            "funding": funding,
        }
        path = f"/offers/{quote(offer_id, safe='')}/quote"
        return read(Quote, self._exchange.send(Call("POST", path, body=body, repeatable=True)))

    def accept(self, rental_id: str, *, price_hour_microusd: int) -> Rental:
        """Return the rental, an hour of which costs the price that its host asks.

        The price is named so that nobody accepts another one than they saw.
        """
        return self._answer(rental_id, price_hour_microusd, accept=True)

    def decline(self, rental_id: str, *, price_hour_microusd: int) -> Rental:
        """Return the rental, whose old price holds to its end."""
        return self._answer(rental_id, price_hour_microusd, accept=False)

    def allow_traffic(self, rental_id: str, *, traffic_bytes_max: int) -> Rental:
        """Return the rental, of which so much traffic may be charged in all."""
        body = {"traffic_bytes_max": traffic_bytes_max}
        return self._post(f"/rentals/{rental_id}/traffic", body)

    def _answer(self, rental_id: str, price_hour_microusd: int, *, accept: bool) -> Rental:
        body = {"accept": accept, "price_hour_microusd": price_hour_microusd}
        return self._post(f"/rentals/{rental_id}/price", body)

    def _post(self, path: str, body: Mapping[str, object]) -> Rental:
        return read(Rental, self._exchange.send(Call("POST", path, body=body, repeatable=True)))
