"""This will tell of a person's card: what was paid by it, and by which rule it is asked."""

from datetime import datetime

from berth.exchange import Call, Exchange
from berth.paging import pages
from berth.reading import read
from berth.shapes import Shape


class TopUp(Shape):
    id: int | str
    #: pending, paid or refused
    state: str
    reason: str | None = ""
    #: where the bank wants it confirmed
    confirm_url: str | None = ""
    amount_microusd: int = 0
    #: asked for by the rule
    automatic: bool = False
    created_at: datetime | None = None


class TopUps(Shape):
    items: tuple[TopUp, ...] = ()


class Rule(Shape):
    """When the card is asked without its owner."""

    is_on: bool = True
    #: below this balance
    threshold_microusd: int
    amount_microusd: int
    #: of all that it takes in a calendar month, UTC
    month_microusd_max: int
    #: why it was turned off; empty: it was not
    off_because: str = ""


class Cards:
    """One person's card. Every method raises Refused or CannotReach (problem.py)."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def payments(self) -> tuple[TopUp, ...]:
        """Return the payments, newest first."""
        found: list[TopUp] = []
        for answer in pages(self._exchange, "/top-ups"):
            found += read(TopUps, answer).items
        return tuple(found)

    def saved(self) -> str:
        """Return such as ``visa 4242, 12/2030``; empty: no card is saved."""
        answer = self._exchange.send(Call("GET", "/card", repeatable=True))
        return read(dict[str, str], answer).get("card", "")

    def save(self) -> str:
        """Return the address of the page that saves a card, for a browser."""
        return read(dict[str, str], self._exchange.send(Call("POST", "/card"))).get("url", "")

    def remove(self) -> None:
        """Have the card forgotten."""
        self._exchange.send(Call("DELETE", "/card", repeatable=True))

    def rule(self) -> Rule:
        """Return the rule; Refused ``not_found``: there is none."""
        return read(Rule, self._exchange.send(Call("GET", "/auto-top-up", repeatable=True)))

    def set_rule(
        self, *, threshold_microusd: int, amount_microusd: int, month_microusd_max: int
    ) -> Rule:
        """Return the rule by which the card is asked from now on."""
        body = {
            "threshold_microusd": threshold_microusd,
            "amount_microusd": amount_microusd,
            "month_microusd_max": month_microusd_max,
        }
        call = Call("PUT", "/auto-top-up", body=body, repeatable=True)
        return read(Rule, self._exchange.send(call))

    def remove_rule(self) -> None:
        """Have the card asked no more by itself."""
        self._exchange.send(Call("DELETE", "/auto-top-up", repeatable=True))
