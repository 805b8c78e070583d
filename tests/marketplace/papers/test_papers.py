"""People find their papers on a page, in the API and as a PDF whose text says the same."""

import re
import zlib
from datetime import datetime

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils.html import strip_tags

from marketplace.accounts.actions.issue_api_key import issue as issue_key
from marketplace.accounts.models import User
from marketplace.domain.invoice import Line
from marketplace.domain.money import MicroUsd
from marketplace.papers.actions.correct import AlreadyCorrected, correct
from marketplace.papers.actions.issue import issue
from marketplace.papers.actions.issue_receipts import issue_receipts
from marketplace.papers.content import made_out
from marketplace.papers.models import BillingDetails, Paper, PaperKind
from marketplace.papers.pdf import UNREADABLE, pdf
from marketplace.papers.shown import shown
from marketplace.payments.models import TopUp, TopUpState


@pytest.fixture
def invoice(alice: User, now: datetime) -> Paper:
    BillingDetails.objects.create(user=alice, name="Łukasz Ñandú 東京", address="Road 1\nTown (x)")
    lines = [
        Line("Rental 3f2a91c0 (debian:12)", "0.7213 h at $0.427/h", MicroUsd(307_995)),
        Line("Credit given back: 4 s without a door", "", MicroUsd(-474)),
    ]
    told = made_out(user_id=alice.pk, lines=lines, about="Usage of 2026-02 (UTC)")
    kind = PaperKind.INVOICE
    return issue(user_id=alice.pk, kind=kind, content=told, month=now.replace(day=1), now=now)


def text_of(document: bytes) -> str:
    """Return the text of a PDF: what its unpacked streams write."""
    streams = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", document, re.DOTALL)
    packed = [stream for stream in streams if stream.startswith(b"x\x9c")]
    text = b"\n".join(zlib.decompress(stream) for stream in packed).decode("latin-1")
    words = re.findall(r"\(((?:\\.|[^\\)])*)\) Tj", text, re.DOTALL)
    return "\n".join(re.sub(r"\\(.)", r"\1", word) for word in words)


def test_the_pdf_says_what_the_invoice_says_in_letters_that_it_has(invoice: Paper) -> None:
    document = pdf(shown(invoice))
    assert document.startswith(b"%PDF-")
    text = text_of(document)
    for said in (
        "Invoice INV-000001",
        "Lukasz Ñandú ??",
        "Town (x)",
        "alice@example.com",
        "0.7213 h at $0.427/h",
        "$0.307995",
        "-$0.000474",
        "$0.307521",
        "No VAT was charged",
        UNREADABLE,
    ):
        assert said in text


def test_a_page_lists_shows_and_sends_papers(
    invoice: Paper, alice: User, bob: User, client: Client
) -> None:
    client.force_login(alice)
    assert b"INV-000001" in client.get("/money/invoices/").content
    page = client.get("/money/invoices/INV-000001/").content.decode()
    assert "Łukasz Ñandú 東京" in page
    assert "$0.307521" in strip_tags(page)
    sent = client.get("/money/invoices/INV-000001.pdf")
    assert sent.headers["Content-Disposition"] == 'attachment; filename="INV-000001.pdf"'
    client.force_login(bob)
    for url in ("/money/invoices/INV-000001/", "/money/invoices/INV-000001.pdf"):
        assert client.get(url).status_code == 404
    assert b"INV-000001" not in client.get("/money/invoices/").content


def test_a_page_takes_in_to_whom_the_next_papers_are_made_out(alice: User, client: Client) -> None:
    client.force_login(alice)
    asked = {"name": "Ada", "address": "Road 1", "country": "de", "vat_id": "DE 123456789"}
    assert client.post("/money/invoices/", asked).status_code == 302
    kept = BillingDetails.objects.get(user=alice)
    assert (kept.name, kept.country, kept.vat_id) == ("Ada", "DE", "DE123456789")
    wrong = client.post("/money/invoices/", asked | {"vat_id": "DE1"})
    assert wrong.status_code == 422
    assert b"This is no VAT id of DE" in wrong.content


def test_the_api_shows_ones_own_papers_alone(
    invoice: Paper, alice: User, bob: User, client: Client, now: datetime
) -> None:
    mine, others = (
        {"Authorization": f"Bearer {issue_key(user_id=user.pk, name='test', now=now).secret}"}
        for user in (alice, bob)
    )
    (item,) = client.get("/api/v1/invoices", headers=mine).json()["items"]
    assert (item["number"], item["total_microusd"]) == ("INV-000001", 307_521)
    whole = client.get("/api/v1/invoices/INV-000001", headers=mine).json()
    assert [line["microusd"] for line in whole["lines"]] == [307_995, -474]
    assert client.get("/api/v1/invoices/INV-000001/pdf", headers=mine).content[:5] == b"%PDF-"
    for url in ("INV-000001", "INV-000001/pdf", "RCT-000001", "x"):
        answer = client.get(f"/api/v1/invoices/{url}", headers=others)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_a_correction_takes_the_whole_back_and_issues_it_anew(
    invoice: Paper, alice: User, now: datetime
) -> None:
    BillingDetails.objects.update(name="Right name")
    call_command("correct_invoice", "INV-000001", "--reason", "wrong name")
    note, again = Paper.objects.exclude(pk=invoice.pk).order_by("kind")
    assert (note.number, note.total_microusd) == ("CRN-000001", -307_521)
    assert note.content["notes"] == ["Takes back INV-000001: wrong name"]
    assert (again.number, again.edition, again.total_microusd) == ("INV-000002", 2, 307_521)
    assert again.content["buyer"]["name"] == "Right name"
    with pytest.raises(AlreadyCorrected):
        correct(invoice=invoice, reason="again", now=now)
    assert Paper.objects.count() == 3
    with pytest.raises(CommandError, match="INV-000017"):
        call_command("correct_invoice", "RCT-000001", "--reason", "x")


def test_each_payment_that_arrived_has_one_receipt(alice: User, now: datetime) -> None:
    for number, state in enumerate((TopUpState.PAID, TopUpState.PENDING, TopUpState.REFUSED)):
        TopUp.objects.create(
            user=alice, amount_microusd=5_000_000, state=state, gateway="test",
            cause=f"paid:{number}", created_at=now, ask_at=now,
        )  # fmt: skip
    assert issue_receipts(now=now) == 1
    assert issue_receipts(now=now) == 0
    receipt = shown(Paper.objects.get())
    assert (receipt.number, receipt.total) == ("RCT-000001", "$5.00")
    assert "Test money: nobody paid anything." in receipt.notes


def test_to_whom_papers_are_made_out_is_set_by_the_api_and_not_by_a_limited_key(
    alice: User, bob: User, now: datetime
) -> None:
    path, told = (
        "/api/v1/billing-details",
        {"name": "ACME", "country": "de", "vat_id": "DE 123456789"},
    )

    def client_of(user: User, **more: int) -> Client:
        secret = issue_key(user_id=user.pk, name="t", now=now, **more).secret
        return Client(headers={"authorization": f"Bearer {secret}"})

    alices, limited = client_of(alice), client_of(alice, spend_limit_microusd=1)
    kept = {"name": "ACME", "address": "", "country": "DE", "vat_id": "DE123456789"}
    assert alices.put(path, told, content_type="application/json").json() == kept
    wrong = alices.put(path, {"vat_id": "DE1"}, content_type="application/json").json()
    assert wrong["code"] == "billing_details_invalid"
    refused = limited.put(path, {"name": "Eve"}, content_type="application/json").json()
    assert refused["code"] == "key_is_limited"
    assert alices.get(path).json() == kept
    assert client_of(bob).get(path).json()["name"] == ""
