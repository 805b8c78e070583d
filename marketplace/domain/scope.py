"""This will say what an API key may do: an area of the API, and whether it may change it."""

from collections.abc import Collection
from enum import StrEnum


class Scope(StrEnum):
    """To write includes to read."""

    RENTALS_READ = "rentals:read"
    RENTALS_WRITE = "rentals:write"
    MONEY_READ = "money:read"
    MONEY_WRITE = "money:write"
    HOST_READ = "host:read"
    HOST_WRITE = "host:write"
    ACCOUNT_READ = "account:read"
    ACCOUNT_WRITE = "account:write"
    #: SSH keys alone, which ``account`` includes
    KEYS_READ = "keys:read"
    KEYS_WRITE = "keys:write"


#: the first part of a path, and its area; of the others anybody may know
AREAS = {
    **dict.fromkeys(
        ("rentals", "reports", "templates", "volumes", "jobs", "blobs", "endpoints"), "rentals"
    ),
    **dict.fromkeys(
        (
            *("top-ups", "card", "auto-top-up", "invoices", "billing-details", "spend-limits"),
            *("statement", "statement.csv"),
        ),
        "money",
    ),
    **dict.fromkeys(("host", "machines"), "host"),
    "ssh-keys": "keys",
    **dict.fromkeys(
        ("api-keys", "notices", "letters", "web-hooks", "teams", "invitations"), "account"
    ),
}
#: an area, and the one that includes it
WITHIN = {"keys": "account"}
#: what a key may always be asked: whose it is, and what everybody sees
OPEN = frozenset({"me", "offers", "scores"})
#: what may hold secrets of what runs: to read it takes a key that could log in to it, too
_INSIDE = frozenset({("rentals", "logs")})
READS = frozenset({"GET", "HEAD", "OPTIONS"})


def needed(method: str, path: str) -> Scope | None:
    """Return what a request to this path below the API's root needs. None: nothing."""
    parts = path.strip("/").split("/")
    first = parts[0]
    if first in OPEN:
        return None
    # What nobody has put into an area is its owner's most private.
    area = AREAS.get(first, "account")
    reads = method in READS and (first, parts[-1]) not in _INSIDE
    return Scope(f"{area}:{'read' if reads else 'write'}")


def allows(scopes: Collection[str], asked: Scope | None) -> bool:
    """Say whether a key with these scopes may do it; none at all: it may do everything."""
    if asked is None or not scopes or asked in scopes:
        return True
    area, _, what = asked.partition(":")
    wide = {area, WITHIN.get(area, area)}
    enough = {what, "write"}
    return any(f"{each}:{one}" in scopes for each in wide for one in enough)


def covers(scopes: Collection[str], others: Collection[str]) -> bool:
    """Say whether a key with ``scopes`` may do all that one with ``others`` may."""
    if not scopes or not others:
        return not scopes
    return all(allows(scopes, Scope(one)) for one in others)
