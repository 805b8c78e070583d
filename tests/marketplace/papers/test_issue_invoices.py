"""One invoice for each renter and month adds up to the ledger, and its numbers have no gaps."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from pytest_django.fixtures import Settings

from marketplace.accounts.models import User
from marketplace.domain.ledger import TransferKind
from marketplace.domain.money import MicroUsd
from marketplace.ledger.actions import open_account
from marketplace.ledger.actions.post import post
from marketplace.metering.actions.change_price import change_price
from marketplace.metering.actions.charge import charge_all
from marketplace.metering.models import Meter
from marketplace.papers import content
from marketplace.papers.actions import issue_invoices as module
from marketplace.papers.actions.issue_invoices import issue_invoices
from marketplace.papers.models import BillingDetails, Paper, PaperImmutable, Series
from marketplace.papers.usage import charged, usage
from tests.marketplace.rentals.market import Market, give_key
from tests.marketplace.scene import after

MARCH, APRIL, MAY = (datetime(2026, month, 1, tzinfo=UTC) for month in (3, 4, 5))
SETTLED = APRIL + timedelta(hours=2)


@pytest.fixture
def market(charlie: User) -> Market:
    return Market.open(charlie)


@pytest.fixture
def renter(alice: User, give: Callable[..., None]) -> User:
    give(alice, 100_000_000)
    give_key(alice)
    return alice


def use(market: Market, renter: User, ms: int) -> Meter:
    """Return the meter of a rental that proved and was charged so many milliseconds."""
    rental = market.rent(renter)
    market.run(rental, at=after(1))
    prove(rental.meter, ms, at=after(60))
    return rental.meter


def prove(meter: Meter, ms: int, *, at: datetime) -> None:
    Meter.objects.filter(id=meter.id).update(proven_ms=ms, proven_until=at)
    charge_all(now=at)


def test_a_month_is_invoiced_once_it_is_settled_and_only_once(market: Market, renter: User) -> None:
    use(market, renter, 2_596_680)
    assert issue_invoices(now=SETTLED - timedelta(seconds=1)) == 0
    assert issue_invoices(now=SETTLED) == 1
    assert issue_invoices(now=SETTLED) == 0
    paper = Paper.objects.get()
    told = content.read(paper.content)
    assert (paper.number, paper.month, told.about) == (
        "INV-000001",
        MARCH,
        "Usage of 2026-03 (UTC)",
    )
    assert [(line.quantity, line.microusd) for line in told.lines] == [
        ("0.7213 h at $3.60/h", 2_596_680)
    ]
    assert told.lines[0].text.endswith("(debian:12)")
    assert paper.total_microusd == charged(renter.pk, MARCH, APRIL) == 2_596_680


def test_what_was_used_over_two_months_is_on_two_invoices(market: Market, renter: User) -> None:
    meter = use(market, renter, 1_000_001)
    prove(meter, 3_000_003, at=APRIL + timedelta(hours=1))
    for _ in range(3):
        issue_invoices(now=MAY + timedelta(hours=2))
    march, april = Paper.objects.order_by("serial")
    assert (march.total_microusd, april.total_microusd) == (1_000_001, 2_000_002)
    assert content.read(april.content).lines[0].quantity == "0.5556 h at $3.60/h"


def test_each_price_of_a_rental_is_a_line(market: Market, renter: User) -> None:
    meter = use(market, renter, 1_000_000)
    change_price(meter_id=meter.id, price_hour_microusd=1_800_000, at=after(100), reason="bid")
    meter.price_changes.update(from_ms=1_500_000, former_price_hour_microusd=3_600_000)
    Meter.objects.filter(id=meter.id).update(
        price_hour_microusd=1_800_000, priced_from_ms=1_500_000, priced_from_microusd=1_500_000
    )
    prove(meter, 2_500_000, at=after(200))
    lines = usage(renter.pk, MARCH, APRIL)
    assert [(line.quantity, line.microusd) for line in lines] == [
        ("0.4167 h at $3.60/h", 1_500_000),
        ("0.2778 h at $1.80/h", 500_000),
    ]


def test_credit_given_back_and_other_kinds_are_lines_too(
    market: Market, renter: User, charlie: User
) -> None:
    meter = use(market, renter, 1_000_000)
    storage = f"meter:{meter.id}:storage:7"
    for kind, cause, amount in (
        (TransferKind.STORAGE, storage, 7),
        (TransferKind.FEE, f"{storage}:fee", 1),
        (TransferKind.CHARGE, f"meter:{meter.id}:rerated", 50),
        (TransferKind.FREEZE, "another", 9),
    ):
        post(
            debit=meter.hold.account,
            credit=open_account.earnings(user_id=charlie.pk),
            amount_microusd=MicroUsd(amount),
            kind=kind,
            cause=cause,
            now=after(70),
        )
    post(
        debit=open_account.earnings(user_id=charlie.pk),
        credit=open_account.wallet(user_id=renter.pk),
        amount_microusd=MicroUsd(300),
        kind=TransferKind.REFUND,
        cause="gap",
        note="4 s without a door",
        now=after(80),
    )
    lines = usage(renter.pk, MARCH, APRIL)
    assert [line.microusd for line in lines] == [1_000_000, 50, 9, 8, -300]
    assert lines[3].text.endswith(": storage while stopped")
    assert lines[-1].text == "Credit given back: 4 s without a door"
    assert content.total(lines) == charged(renter.pk, MARCH, APRIL)


def test_nobody_is_invoiced_for_nothing(renter: User, market: Market) -> None:
    market.rent(renter)
    assert issue_invoices(now=SETTLED) == 1
    assert not Paper.objects.exists()
    assert BillingDetails.objects.get().next_month == APRIL


def test_who_fails_takes_no_number_and_stops_nobody(
    market: Market, renter: User, bob: User, give: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    use(market, renter, 1_000_000)
    give(bob, 100_000_000)
    give_key(bob)
    use(market, bob, 1_000_000)
    right = module.charged
    monkeypatch.setattr(
        module, "charged", lambda user_id, *months: right(user_id, *months) + (user_id == renter.pk)
    )
    assert issue_invoices(now=SETTLED) == 1
    assert "Invoice not issued" in caplog.messages
    monkeypatch.undo()
    assert issue_invoices(now=SETTLED) == 1
    assert [(paper.serial, paper.user_id) for paper in Paper.objects.order_by("serial")] == [
        (1, bob.pk),
        (2, renter.pk),
    ]
    assert Series.objects.get().last == 2


def test_papers_are_made_out_as_the_person_and_the_operator_said(
    market: Market, renter: User, settings: Settings
) -> None:
    settings.SELLER_NAME, settings.SELLER_COUNTRY = "Berth GmbH", "DE"
    settings.VAT_PPM, settings.REVERSE_CHARGE = 190_000, True
    BillingDetails.objects.create(
        user_id=renter.pk, name="Łódź & Co 東京", country="FR", vat_id="FR12345678901"
    )
    use(market, renter, 1_000_000)
    issue_invoices(now=SETTLED)
    told = content.read(Paper.objects.get().content)
    assert (told.seller.name, told.buyer.name) == ("Berth GmbH", "Łódź & Co 東京")
    assert told.buyer.email == renter.email
    assert told.vat.sentence.startswith("Reverse charge")


def test_a_paper_stays_as_it_was_issued(market: Market, renter: User) -> None:
    use(market, renter, 1_000_000)
    issue_invoices(now=SETTLED)
    paper = Paper.objects.get()
    for change in (
        paper.save,
        paper.delete,
        Paper.objects.all().delete,
        lambda: Paper.objects.update(total_microusd=1),
    ):
        with pytest.raises(PaperImmutable):
            change()
