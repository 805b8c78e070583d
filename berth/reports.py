"""This will report what was wrong with rentals, and read what staff answered."""

from collections.abc import Iterator
from datetime import datetime
from urllib.parse import quote

from berth.exchange import Call, Exchange
from berth.paging import pages
from berth.reading import read
from berth.shapes import Shape


class Report(Shape):
    id: str
    rental_id: str
    #: hardware, unreachable, lost_data, charge or other
    what: str
    text: str | None = ""
    #: None: no money is asked for
    asked_microusd: int | None = None
    #: open, withdrawn, credited or refused
    state: str
    made_at: datetime
    #: None: it waits
    closed_at: datetime | None = None
    #: in the words of staff; empty: nobody answered it
    answer: str | None = ""
    credited_microusd: int = 0


class ReportList(Shape):
    items: tuple[Report, ...] = ()


class Taken(Shape):
    """What staff gave back to a renter out of a host's earnings."""

    report_id: str
    rental_id: str
    machine_id: str
    #: as in Report
    what: str
    at: datetime
    #: why
    answer: str | None = ""
    taken_microusd: int


class TakenList(Shape):
    items: tuple[Taken, ...] = ()


class Reports:
    """The reports of an account about its rentals."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def make(
        self, rental_id: str, *, what: str, text: str, asked_microusd: int | None = None
    ) -> Report:
        """Return the new report, which waits for staff; the same once more is the same report."""
        body: dict[str, object] = {"what": what, "text": text}
        if asked_microusd is not None:
            body["asked_microusd"] = asked_microusd
        call = Call("POST", _path(rental_id), body=body, repeatable=True)
        return read(Report, self._exchange.send(call))

    def newest(self, rental_id: str) -> Report:
        """Return the newest report about a rental, with the answer."""
        return read(Report, self._exchange.send(Call("GET", _path(rental_id), repeatable=True)))

    def withdraw(self, rental_id: str) -> None:
        """Take back a report that nobody answered."""
        self._exchange.send(Call("DELETE", _path(rental_id), repeatable=True))

    def list(self) -> Iterator[Report]:
        """Yield the reports, newest first, asking for the next page only when needed."""
        for answer in pages(self._exchange, "/reports"):
            yield from read(ReportList, answer).items

    def taken(self) -> Iterator[Taken]:
        """Yield what staff gave back to renters out of the account's earnings, newest first."""
        for answer in pages(self._exchange, "/host/given-back"):
            yield from read(TakenList, answer).items


def _path(rental_id: str) -> str:
    return f"/rentals/{quote(rental_id, safe='')}/report"
