"""This will say on which terms a host rents a machine out, and change them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from berth.exchange import Call, Exchange
from berth.offers import Offer
from berth.reading import read
from berth.shapes import Shape


class Maintenance(Shape):
    begins_at: datetime
    ends_at: datetime


class HostOffer(Offer):
    """An offer as its host sees it."""

    #: the machine is for rent until then; None: for as long as it is listed
    ends_at: datetime | None = None
    maintenance: Maintenance | None = None
    #: who alone sees it; None: everybody does
    guests: tuple[str, ...] | None = None
    #: as the host set it; a closing shortens it for renters
    longest_term_set_s: int = 0


class Proposed(Shape):
    """What came of asking the present price of what runs."""

    #: how many rentals cost less from now on, and how many renters were asked to pay more
    lowered: int
    asked: int


class TermsOfMachines:
    """The terms of a host's machines at one marketplace."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def find(self, machine_id: str) -> HostOffer:
        """Return the machine's terms as they are."""
        call = Call("GET", _path(machine_id), repeatable=True)
        return read(HostOffer, self._exchange.send(call))

    def change(self, machine_id: str, terms: Mapping[str, Any]) -> HostOffer:
        """Return the machine's terms with these, by the API's names; what is left out stays.

        Rentals that run keep theirs.
        """
        call = Call("PATCH", _path(machine_id), body=terms, repeatable=True)
        return read(HostOffer, self._exchange.send(call))

    def propose(self, machine_id: str) -> Proposed:
        """Ask the machine's present price of what runs on it; a higher one needs a yes."""
        call = Call("POST", f"{_path(machine_id)}/propose", repeatable=True)
        return read(Proposed, self._exchange.send(call))


def _path(machine_id: str) -> str:
    return f"/host/machines/{machine_id}/offer"
