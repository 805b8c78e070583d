"""This will hold what one command works with: the configuration, the client, the clock."""

import os
import re
from collections.abc import Callable
from typing import TypeVar

from berth import config
from berth.client import Client
from berth.endpoints import Endpoint
from berth.exchange import DEADLINE_S, Clock
from berth.jobs import Job
from berth.offers import Asked, Offer, OfferFilter
from berth.problem import Refused
from berth.shapes import Rental
from berth.ssh import Doors

_WHOLE_ID = re.compile(r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$")
CLOCK = Clock()
#: of a rental; and how many are named where it is not clear which is meant
NAME_LENGTH_MAX, MEANT_SHOWN = 60, 5
FoundT = TypeVar("FoundT")
#: what ``--team`` said
_chosen = {"team": ""}


def load() -> config.Config:
    """Return the configuration of this user and environment."""
    return config.load(os.environ)


def act_for(team: str) -> None:
    """Let each client of this command act for that team, by its number or name; empty: nobody's."""
    _chosen["team"] = team


def client(
    loaded: config.Config | None = None, *, for_self: bool = False, deadline_s: float = DEADLINE_S
) -> Client:
    """Return a client that is logged in; ``for_self``: whatever team was chosen.

    :raises Refused: ``unauthenticated`` when there is no key, ``team_unknown`` or ``ambiguous``
        when the team that was chosen is none.
    """
    loaded = loaded or load()
    if not loaded.key:
        sentence = f"You are not logged in at {loaded.url}. Run: berth login"
        raise Refused("unauthenticated", sentence)
    team = None if for_self else _team(loaded, deadline_s)
    return Client(loaded.url, loaded.key, team=team, clock=CLOCK, deadline_s=deadline_s)


def visitor() -> Client:
    """Return a client for what is open to everybody, logged in where there is a key."""
    loaded = load()
    team = _team(loaded) if loaded.key else None
    return Client(loaded.url, loaded.key, team=team, clock=CLOCK)


def _team(loaded: config.Config, deadline_s: float = DEADLINE_S) -> int | None:
    typed = _chosen["team"]
    if not typed or typed.isdecimal():
        return int(typed) if typed else None
    with Client(loaded.url, loaded.key, clock=CLOCK, deadline_s=deadline_s) as own:
        return own.teams.find(typed).id


def doors() -> Doors:
    """Return what this user remembers of rentals' SSH doors."""
    return Doors(load().folder)


def find(client: Client, rental: str) -> Rental:
    """Return the rental with this id or name, or with the only id that begins so.

    Of several with one name those that are over are no matter while one goes on.

    :raises Refused: ``not_found`` or ``ambiguous``.
    """
    if _WHOLE_ID.fullmatch(rental):
        return client.rental(rental)
    meant = _meant(client, rental)
    if not meant:
        raise Refused("not_found", f"There is no rental {rental!r}. See: berth ps --all")
    if len(meant) > 1:
        shown = [f"{one.id[:8]} ({one.name or one.image}, {one.state})" for one in meant]
        more = f" and {len(meant) - MEANT_SHOWN} more" if len(meant) > MEANT_SHOWN else ""
        these = ", ".join(shown[:MEANT_SHOWN]) + more
        raise Refused("ambiguous", f"{rental!r} may be {these}. Type an id.")
    return client.rental(meant[0].id)


def _meant(client: Client, typed: str) -> list[Rental]:
    """Return those of this name, and those whose ids begin so: both, as one may be ended."""
    if not typed or len(typed) > NAME_LENGTH_MAX:
        return []
    found = client.rentals(everything=True, search=typed)
    named = [one for one in found if one.name == typed]
    meant = [one for one in named if not one.over] or named
    return meant + [one for one in found if _begins(one.id, typed) and one not in meant]


def find_offer(client: Client, offer: str, asked: Asked) -> Offer:
    """Return the offer with this id, or with the only id that begins so, priced for a request.

    :raises Refused: ``not_found`` or ``ambiguous``.
    """
    return only(
        offer,
        kind="offer",
        see="berth offers",
        ids=lambda: [one.id for one in client.offers(OfferFilter(verified=False, rented=True))],
        find=lambda offer_id: client.offer(offer_id, asked),
    )


def find_job(client: Client, job: str) -> Job:
    """Return the job with this id, or with the only id that begins so.

    :raises Refused: ``not_found`` or ``ambiguous``.
    """
    return only(
        job,
        kind="job",
        see="berth jobs ls",
        ids=lambda: [one.id for one in client.jobs.all()],
        find=client.jobs.find,
    )


def find_endpoint(client: Client, endpoint: str) -> Endpoint:
    """Return the endpoint of this name or id, or with the only id that begins so.

    :raises Refused: ``not_found`` or ``ambiguous``.
    """
    found = () if _WHOLE_ID.fullmatch(endpoint) else client.endpoints.all()
    for one in found:
        if one.name == endpoint:
            return one
    return only(
        endpoint,
        kind="endpoint",
        see="berth endpoints ls",
        ids=lambda: [one.id for one in found],
        find=client.endpoints.find,
    )


def only(
    typed: str,
    *,
    kind: str,
    see: str,
    ids: Callable[[], list[str]],
    find: Callable[[str], FoundT],
) -> FoundT:
    """Return the one with this id, or with the only id that begins so; only then all are listed.

    :raises Refused: ``not_found`` or ``ambiguous``.
    """
    if _WHOLE_ID.fullmatch(typed):
        return find(typed)
    found = _beginning(ids(), typed)
    if len(found) > 1:
        raise Refused("ambiguous", f"{len(found)} {kind}s begin with {typed!r}; type more of it.")
    if not found:
        raise Refused("not_found", f"There is no {kind} {typed!r}. See: {see}")
    return find(found[0])


def _beginning(ids: list[str], typed: str) -> list[str]:
    return [one for one in ids if _begins(one, typed)]


def _begins(identifier: str, typed: str) -> bool:
    return bool(typed) and identifier.startswith(typed.lower())
