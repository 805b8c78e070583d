"""This will answer a price that a host asks, and allow a rental more traffic."""

from typing import Annotated

import typer

from berth.cli import progress, session
from berth.cli.options import AsJson, RentalId, traffic_size, usd
from berth.problem import Refused
from berth.shapes import PendingPrice, Rental

Price = Annotated[
    int,
    typer.Argument(parser=usd, metavar="PRICE", help="An hour of it, USD, as `berth ps` shows it."),
]
InAll = Annotated[
    int,
    typer.Argument(parser=traffic_size, metavar="GB", help="In all since its start: 50, or 500MB."),
]


def accept(*, rental_id: RentalId, price: Price, as_json: AsJson = False) -> None:
    """Accept the higher price that a rental's host asks. You name it, so it can be no other."""
    with session.client() as client:
        found = session.find(client, rental_id)
        rental = client.prices.accept(found.id, price_hour_microusd=price)
    progress.show(rental, as_json=as_json)


def decline(*, rental_id: RentalId, as_json: AsJson = False) -> None:
    """Decline the higher price that a rental's host asks: the old one holds to its end."""
    with session.client() as client:
        found = session.find(client, rental_id)
        price = _pending(found).price_hour_microusd
        rental = client.prices.decline(found.id, price_hour_microusd=price)
    progress.show(rental, as_json=as_json)


def traffic(*, rental_id: RentalId, in_all: InAll, as_json: AsJson = False) -> None:
    """Allow a rental so much traffic that is charged. The money for it is set aside at once."""
    with session.client() as client:
        found = session.find(client, rental_id)
        rental = client.prices.allow_traffic(found.id, traffic_bytes_max=in_all)
    progress.show(rental, as_json=as_json)


def _pending(rental: Rental) -> PendingPrice:
    if rental.pending_price is None:
        raise Refused("no_price_asked", "The host of this rental asks no higher price.")
    return rental.pending_price
