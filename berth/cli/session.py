"""This will hold what one command works with: the configuration, the client, the clock."""

import os
import re

from berth import config
from berth.client import Client
from berth.exchange import Clock
from berth.problem import Refused
from berth.shapes import Offer, OfferFilter, Rental
from berth.ssh import Doors
from protocol.hardware import Resources

_WHOLE_ID = re.compile(r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$")
CLOCK = Clock()


def load() -> config.Config:
    """Return the configuration of this user and environment."""
    return config.load(os.environ)


def client(loaded: config.Config | None = None) -> Client:
    """Return a client that is logged in.

    :raises Refused: ``unauthenticated`` when there is no key.
    """
    loaded = loaded or load()
    if not loaded.key:
        sentence = f"You are not logged in at {loaded.url}. Run: berth login"
        raise Refused("unauthenticated", sentence)
    return Client(loaded.url, loaded.key, clock=CLOCK)


def visitor() -> Client:
    """Return a client for what is open to everybody, logged in where there is a key."""
    loaded = load()
    return Client(loaded.url, loaded.key, clock=CLOCK)


def doors() -> Doors:
    """Return what this user remembers of rentals' SSH doors."""
    return Doors(load().folder)


def find(client: Client, rental: str) -> Rental:
    """Return the rental with this id, or with the only id that begins so.

    :raises Refused: ``not_found`` or ``ambiguous``.
    """
    if _WHOLE_ID.fullmatch(rental):
        return client.rental(rental)
    found = _beginning([one.id for one in client.rentals(everything=True)], rental)
    if len(found) > 1:
        raise Refused("ambiguous", f"{len(found)} rentals begin with {rental!r}; type more of it.")
    if not found:
        raise Refused("not_found", f"You have no rental {rental!r}. See: berth ps --all")
    return client.rental(found[0])


def find_offer(client: Client, offer: str, resources: Resources) -> Offer:
    """Return the offer with this id, or with the only id that begins so, priced for a request.

    :raises Refused: ``not_found`` or ``ambiguous``.
    """
    if _WHOLE_ID.fullmatch(offer):
        return client.offer(offer, resources)
    listed = [one.id for one in client.offers(OfferFilter(verified=False))]
    found = _beginning(listed, offer)
    if len(found) > 1:
        raise Refused("ambiguous", f"{len(found)} offers begin with {offer!r}; type more of it.")
    if not found:
        raise Refused("not_found", f"There is no offer {offer!r}. See: berth offers")
    return client.offer(found[0], resources)


def _beginning(ids: list[str], typed: str) -> list[str]:
    return [one for one in ids if typed and one.startswith(typed.lower())]
