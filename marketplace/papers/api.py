"""This will hand a person their papers over the REST API."""

from datetime import datetime
from typing import Annotated, Any

from django.http import HttpRequest, HttpResponse
from ninja import Path, Query, Router, Schema
from pydantic import Field

from marketplace.accounts.bearer import ApiKeyBearer, caller, caller_key
from marketplace.domain.vat import Party, party
from marketplace.json_body import JsonBody
from marketplace.ledger.actions import spend_limit
from marketplace.papers import queries
from marketplace.papers.actions.set_billing import set_billing
from marketplace.papers.content import buyer_now, read
from marketplace.papers.models import Paper
from marketplace.papers.shown import shown

router = Router(tags=["money"], auth=ApiKeyBearer())
Number = Annotated[str, Path(), Field(max_length=20)]


class PaperReply(Schema):
    #: INV-…, RCT-… or CRN-…
    number: str
    #: invoice, receipt or credit_note
    kind: str
    about: str
    total_microusd: int
    issued_at: datetime


class PaperLine(Schema):
    text: str
    #: such as 0.7213 h at $0.427/h; empty: it is no time
    quantity: str
    microusd: int


class PapersReply(Schema):
    items: list[PaperReply]
    #: as ``cursor`` it gives the next page; null: there is none
    next_cursor: str | None


class WholePaper(PaperReply):
    seller: list[str]
    buyer: list[str]
    #: they add up to the total
    lines: list[PaperLine]
    #: part of the total
    vat_microusd: int
    notes: list[str]


class BillingDetails(JsonBody):
    """To whom your next papers are made out; any text may be empty."""

    name: Annotated[str, Field(max_length=200)] = ""
    address: Annotated[str, Field(max_length=500)] = ""
    #: two letters, such as DE
    country: Annotated[str, Field(max_length=10)] = ""
    vat_id: Annotated[str, Field(max_length=30)] = ""


@router.get("/billing-details", response=BillingDetails)
def billing_details(request: HttpRequest) -> BillingDetails:
    """Say to whom your next invoices and receipts are made out."""
    return _billing(buyer_now(caller(request).pk))


@router.put("/billing-details", response=BillingDetails)
def set_billing_details(request: HttpRequest, payload: BillingDetails) -> BillingDetails:
    """Have your next papers made out so; what was issued stays. A key with a limit may not."""
    spend_limit.check_own(api_key_id=caller_key(request), hold_key_id=None)
    details = party(**payload.dict())
    set_billing(user_id=caller(request).pk, details=details)
    return _billing(details)


@router.get("/invoices", response=PapersReply)
def invoices(
    request: HttpRequest, cursor: Annotated[str | None, Query(max_length=20)] = None
) -> PapersReply:
    """List your invoices, receipts and credit notes, newest first."""
    page = queries.page(caller(request).pk, after=cursor)
    items = [PaperReply(**_brief(paper)) for paper in page.items]
    return PapersReply(items=items, next_cursor=page.next_number)


@router.get("/invoices/{number}", response=WholePaper)
def invoice(request: HttpRequest, number: Number) -> WholePaper:
    """Show one of them with its lines."""
    paper = queries.find(caller(request).pk, number)
    content, words = read(paper.content), shown(paper)
    lines = [
        PaperLine(text=line.text, quantity=line.quantity, microusd=line.microusd)
        for line in content.lines
    ]
    return WholePaper(
        **_brief(paper),
        seller=list(words.seller),
        buyer=list(words.buyer),
        lines=lines,
        vat_microusd=content.vat.microusd,
        notes=list(words.notes),
    )


@router.get("/invoices/{number}/pdf", response={200: None})
def invoice_as_pdf(request: HttpRequest, number: Number) -> HttpResponse:
    """Return one of them as a PDF."""
    return reply(queries.find(caller(request).pk, number))


def reply(paper: Paper) -> HttpResponse:
    """Return a PDF to be kept under its number."""
    # What prints brings numpy and its threads, which no other part of the site needs.
    from marketplace.papers.pdf import pdf

    response = HttpResponse(pdf(shown(paper)), content_type="application/pdf")
    response["Content-Disposition"] = f'attachment; filename="{paper.number}.pdf"'
    return response


def _billing(found: Party) -> BillingDetails:
    return BillingDetails(
        name=found.name, address=found.address, country=found.country, vat_id=found.vat_id
    )


def _brief(paper: Paper) -> dict[str, Any]:
    return {
        "number": paper.number,
        "kind": paper.kind,
        "about": paper.content["about"],
        "total_microusd": paper.total_microusd,
        "issued_at": paper.issued_at,
    }
