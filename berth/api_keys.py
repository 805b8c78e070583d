"""This will list and revoke the account's API keys."""

from datetime import datetime
from urllib.parse import quote

from berth.exchange import Call, Exchange
from berth.problem import Refused
from berth.reading import read
from berth.shapes import Shape


class ApiKey(Shape):
    id: str
    name: str
    #: how it begins; the rest is not kept
    prefix: str
    #: what it may do; empty: all that its owner may
    scopes: tuple[str, ...] = ()
    #: the most that it may ever set aside, and what is counted of that; None: no limit of its own
    spend_limit_microusd: int | None = None
    spend_counted_microusd: int | None = None
    created_at: datetime
    #: None: it lasts until it is revoked
    expires_at: datetime | None = None
    #: to the minute; None: never
    last_used_at: datetime | None = None
    #: it is the one that asks
    current: bool = False


class ApiKeys:
    """The account's API keys, as far as the one that asks may know of them."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def all(self) -> tuple[ApiKey, ...]:
        """Return those that work and may do no more than the one that asks, newest first."""
        answer = self._exchange.send(Call("GET", "/api-keys", repeatable=True))
        return read(tuple[ApiKey, ...], answer)

    def find(self, typed: str) -> ApiKey:
        """Return the one of this id, name or beginning.

        :raises Refused: ``not_found`` or ``ambiguous``.
        """
        known = self.all()
        found = [one for one in known if typed == one.id]
        found = found or [one for one in known if typed == one.name]
        found = found or [
            one for one in known if typed and (one.id.startswith(typed) or one.prefix == typed)
        ]
        if len(found) > 1:
            raise Refused("ambiguous", f"{len(found)} API keys are meant by {typed!r}; give an id.")
        if not found:
            raise Refused("not_found", f"You have no API key {typed!r}. See: berth api-keys")
        return found[0]

    def revoke(self, key_id: str) -> None:
        """Let the key open nothing from now on."""
        path = f"/api-keys/{quote(key_id, safe='')}"
        self._exchange.send(Call("DELETE", path, repeatable=True))

    def revoke_own(self) -> None:
        """Let the key that asks open nothing from now on."""
        # A second try after a lost answer finds no key to let it in: that is known to be done.
        self._exchange.send(Call("DELETE", "/me/key"))
