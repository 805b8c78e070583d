"""This will put a paper into words, once for its page and its PDF."""

from dataclasses import dataclass

from marketplace.domain.money import format_usd
from marketplace.domain.vat import Party
from marketplace.papers.content import read
from marketplace.papers.models import Paper, PaperKind

TITLES = {
    PaperKind.INVOICE: "Invoice",
    PaperKind.RECEIPT: "Receipt",
    PaperKind.CREDIT_NOTE: "Credit note",
}
PAID = "Paid from the balance: nothing is left to pay."


@dataclass(frozen=True, slots=True)
class ShownLine:
    text: str
    quantity: str
    amount: str


@dataclass(frozen=True, slots=True)
class Shown:
    """A paper in words."""

    title: str
    number: str
    about: str
    day: str
    seller: tuple[str, ...]
    buyer: tuple[str, ...]
    lines: tuple[ShownLine, ...]
    total: str
    #: the tax in the total; empty: none is told of
    vat: str
    notes: tuple[str, ...]


def shown(paper: Paper) -> Shown:
    """Return the paper in words."""
    content, kind = read(paper.content), PaperKind(paper.kind)
    paid = (PAID,) if kind == PaperKind.INVOICE else ()
    return Shown(
        title=TITLES[kind],
        number=paper.number,
        about=content.about,
        day=f"{paper.issued_at:%Y-%m-%d}",
        seller=_party(content.seller),
        buyer=_party(content.buyer),
        lines=tuple(
            ShownLine(line.text, line.quantity, format_usd(line.microusd)) for line in content.lines
        ),
        total=format_usd(paper.total_microusd),
        vat=format_usd(content.vat.microusd) if content.vat.rate_ppm else "",
        notes=(content.vat.sentence, *paid, *content.notes),
    )


def _party(party: Party) -> tuple[str, ...]:
    """Return the lines of an address."""
    vat_id = f"VAT id {party.vat_id}" if party.vat_id else ""
    lines = (party.name, *party.address.split("\n"), party.country, vat_id, party.email)
    return tuple(line for line in lines if line)
