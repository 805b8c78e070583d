"""This will show a person's invoices and receipts, keep them as PDF, and say who they are for."""

from pathlib import Path
from typing import Annotated

import typer

from berth.cli import output, session
from berth.cli.options import AsJson
from berth.papers import BillingDetails, WholePaper
from berth.problem import Refused
from berth.units import format_usd

KINDS = {"invoice": "Invoice", "receipt": "Receipt", "credit_note": "Credit note"}
Number = Annotated[
    str | None, typer.Argument(metavar="[NUMBER]", help="Show this one, such as INV-000017.")
]
Pdf = Annotated[Path | None, typer.Option("--pdf", metavar="FILE", help="Keep it as a PDF.")]


def invoices(*, number: Number = None, pdf: Pdf = None, as_json: AsJson = False) -> None:
    """List your invoices, receipts and credit notes, show one, or keep one as a PDF."""
    if pdf is not None and number is None:
        raise typer.BadParameter("Say which one: berth invoices INV-000017 --pdf FILE")
    with session.client() as client:
        if number is not None:
            if pdf is not None:
                _keep(pdf, client.papers.pdf(number.upper()))
            _show(client.papers.find(number.upper()), pdf, as_json=as_json)
            return
        found = client.papers.all()
    if as_json:
        output.write_json({"items": found})
        return
    rows = [
        (
            one.number,
            KINDS.get(one.kind, one.kind),
            one.about,
            f"{one.issued_at:%Y-%m-%d}",
            format_usd(one.total_microusd),
        )
        for one in found
    ]
    empty = "No invoice yet: one is issued for each month, two hours after it ends in UTC."
    output.table(("NUMBER", "KIND", "~ABOUT", "ISSUED", ">TOTAL"), rows, empty=empty)


def billing(
    *,
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="Of the company, or yours.")
    ] = None,
    address: Annotated[str | None, typer.Option(metavar="TEXT", help="Lines parted by ;")] = None,
    country: Annotated[str | None, typer.Option(metavar="CC", help="Two letters: DE.")] = None,
    vat_id: Annotated[
        str | None, typer.Option(metavar="NUMBER", help="Of the company, if it has one.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show to whom your next invoices are made out, or change it. What is left out stays."""
    lines = None if address is None else "\n".join(line.strip() for line in address.split(";"))
    told = {"name": name, "address": lines, "country": country, "vat_id": vat_id}
    changed = {field: text for field, text in told.items() if text is not None}
    with session.client() as client:
        found = client.papers.billing()
        if changed:
            found = client.papers.set_billing(found.model_copy(update=changed))
    if as_json:
        output.write_json(found)
    else:
        _say(found)


def _keep(file: Path, content: bytes) -> None:
    try:
        file.write_bytes(content)
    except OSError as error:
        raise Refused("not_written", f"Cannot write {file}: {error.strerror}.") from error


def _show(paper: WholePaper, pdf: Path | None, *, as_json: bool) -> None:
    if as_json:
        output.write_json(paper)
        return
    if pdf is not None:
        output.say(f"{paper.number} is kept in {pdf}.")
        return
    output.say(f"{KINDS.get(paper.kind, paper.kind)} {paper.number}, {paper.issued_at:%Y-%m-%d}")
    output.say(paper.about)
    sides = {"From": ", ".join(paper.seller), "To": ", ".join(paper.buyer)}
    output.pairs(sides)
    rows = [(line.text, line.quantity, format_usd(line.microusd)) for line in paper.lines]
    output.table(("~LINE", "TIME AND PRICE", ">AMOUNT"), rows, empty="It has no lines.")
    output.say(f"Total {format_usd(paper.total_microusd)}.")
    for note in paper.notes:
        output.say(note)


def _say(found: BillingDetails) -> None:
    rows = {
        "Name": found.name,
        "Address": found.address.replace("\n", "; "),
        "Country": found.country,
        "VAT id": found.vat_id,
    }
    output.pairs({name: value or "-" for name, value in rows.items()})
