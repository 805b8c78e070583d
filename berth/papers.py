"""This will list a person's invoices and receipts, fetch them as PDF, and say who they are for."""

from datetime import datetime
from urllib.parse import quote

from berth.exchange import Call, Exchange
from berth.paging import pages
from berth.reading import read
from berth.shapes import Shape


class Paper(Shape):
    number: str
    #: invoice, receipt or credit_note
    kind: str
    about: str = ""
    total_microusd: int
    issued_at: datetime


class PaperLine(Shape):
    text: str
    #: such as 0.7213 h at $0.427/h; empty: it is no time
    quantity: str = ""
    microusd: int


class WholePaper(Paper):
    seller: tuple[str, ...] = ()
    buyer: tuple[str, ...] = ()
    #: they add up to the total
    lines: tuple[PaperLine, ...] = ()
    #: part of the total
    vat_microusd: int = 0
    notes: tuple[str, ...] = ()


class BillingDetails(Shape):
    """To whom the next papers are made out; any text may be empty."""

    name: str = ""
    address: str = ""
    #: two letters
    country: str = ""
    vat_id: str = ""


class PaperList(Shape):
    items: tuple[Paper, ...] = ()


class Papers:
    """One person's papers. Every method raises Refused or CannotReach (problem.py)."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def all(self) -> tuple[Paper, ...]:
        """Return invoices, receipts and credit notes, newest first."""
        found: list[Paper] = []
        for answer in pages(self._exchange, "/invoices"):
            found += read(PaperList, answer).items
        return tuple(found)

    def find(self, number: str) -> WholePaper:
        """Return one of them with its lines."""
        return read(WholePaper, self._exchange.send(Call("GET", _path(number), repeatable=True)))

    def pdf(self, number: str) -> bytes:
        """Return one of them as a PDF."""
        return self._exchange.fetch(Call("GET", f"{_path(number)}/pdf", repeatable=True))

    def billing(self) -> BillingDetails:
        """Return to whom the next papers are made out."""
        answer = self._exchange.send(Call("GET", "/billing-details", repeatable=True))
        return read(BillingDetails, answer)

    def set_billing(self, details: BillingDetails) -> BillingDetails:
        """Return to whom the next papers are made out from now on."""
        body = details.model_dump(mode="json")
        call = Call("PUT", "/billing-details", body=body, repeatable=True)
        return read(BillingDetails, self._exchange.send(call))


def _path(number: str) -> str:
    return f"/invoices/{quote(number, safe='')}"
