"""Money in a real browser: pay by card, read bills and papers, bid, be told, earn and be paid."""

import csv
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from marketplace.accounts.models import User
from marketplace.domain.ledger import TransferKind
from marketplace.domain.money import MicroUsd
from marketplace.ledger.actions import open_account
from marketplace.ledger.actions.post import post
from marketplace.metering.models import Meter
from marketplace.notices.actions.notify import notify
from marketplace.offers.models import Offer
from marketplace.papers.actions.issue_receipts import issue_receipts
from marketplace.payouts.actions.look_at_accounts import look_at_accounts
from marketplace.payouts.actions.open_payouts import open_payouts
from marketplace.payouts.actions.send_payouts import send_payouts
from marketplace.placements.models import DoorShut, Placement
from tests.browser.conftest import IN_CLIPBOARD, Enter
from tests.marketplace import scene
from tests.marketplace.rentals.market import Market, give_key

WANTS_CONFIRMATION = "4000002500003155"


@pytest.fixture
def alice(site: str) -> User:
    return User.objects.create_user("alice@example.com")


@pytest.fixture
def charlie(site: str) -> User:
    return User.objects.create_user("charlie@example.com")


def move(user: User, dollars: int, *, days_ago: float, earned: bool = False) -> None:
    """Have somebody outside pay the person."""
    opened = open_account.earnings if earned else open_account.wallet
    post(
        debit=open_account.outside(),
        credit=opened(user_id=user.pk),
        amount_microusd=MicroUsd(dollars * 1_000_000),
        kind=TransferKind.CHARGE if earned else TransferKind.TOP_UP,
        cause=f"moved:{user.pk}:{days_ago}",
        now=timezone.now() - timedelta(days=days_ago),
    )


def downloaded(page: Page, link: str) -> Path:
    with page.expect_download() as found:
        page.get_by_role("link", name=link).click()
    return found.value.path()


@pytest.mark.usefixtures("stripe")
def test_a_renter_pays_by_card_and_reads_where_it_went(
    page: Page, alice: User, enter: Enter
) -> None:
    enter(page, alice)
    page.goto("/money/")
    expect(page.get_by_text("Nothing has moved yet")).to_be_visible()
    page.get_by_role("button", name="Save a card").click()
    # Nobody clicks: our page leads to the processor's by itself.
    page.get_by_label("Card number").fill(WANTS_CONFIRMATION)
    page.get_by_role("button", name="Save this card").click()
    expect(page.get_by_text("Your card is saved.")).to_be_visible()
    expect(page.locator("#card")).to_contain_text("visa 3155")

    page.get_by_label("Amount, $").fill("0.10")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.locator(".field-wrong")).to_contain_text("Add between $1.00 and $10,000.00")
    page.get_by_label("Amount, $").fill("1234.50")
    page.get_by_role("button", name="Add", exact=True).click()
    page.get_by_role("link", name="Confirm it at your bank").click()
    page.get_by_role("button", name="Yes, I pay this").click()
    expect(page.get_by_text("$1,234.50 is in your balance.")).to_be_visible()
    expect(page.locator("#balance")).to_have_text("$1,234.50")
    expect(page.locator("#header-balance")).to_have_text("$1,234.50")
    expect(page.locator("#payments .badge")).to_have_text("Paid")

    rule = page.locator("#automatic")
    rule.get_by_label("At most in a month, $").fill("10")
    rule.get_by_role("button", name="Turn on").click()
    expect(rule.get_by_role("alert")).to_be_visible()
    rule.get_by_label("At most in a month, $").fill("40")
    rule.get_by_role("button", name="Turn on").click()
    expect(rule.locator(".badge")).to_have_text("On")

    lines = list(csv.reader(downloaded(page, "Your money as CSV").open()))
    assert "1234.50" in str(lines[-1])
    page.get_by_role("navigation", name="Money").get_by_role("link", name="Invoices").click()
    expect(page.get_by_text("No invoice yet")).to_be_visible()
    assert issue_receipts(now=timezone.now()) == 1
    page.get_by_label("VAT id, if you have one").fill("DE1")
    page.get_by_label("Country, two letters such as DE").fill("DE")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("VAT id")
    assert downloaded(page, "RCT-000001 as PDF").read_bytes().startswith(b"%PDF-")
    page.get_by_role("link", name="Receipt RCT-000001").click()
    expect(page.locator("#total")).to_have_text("$1,234.50")


def test_a_renter_reads_a_bill_bids_more_and_bounds_the_spending(
    page: Page, alice: User, charlie: User, enter: Enter, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = timezone.now()
    monkeypatch.setattr(scene, "NOW", now - timedelta(minutes=10))
    market = Market.open(charlie)
    Offer.objects.update(bid_floor_microusd=900_000)
    move(alice, 20, days_ago=1)
    give_key(alice)
    rental = market.rent(alice, bid_microusd=1_000_000, now=scene.NOW)
    market.run(rental, at=scene.after(1))
    Meter.objects.update(proven_ms=400_000, proven_until=now - timedelta(minutes=3))
    shut_since = now - timedelta(seconds=100)
    DoorShut.objects.create(
        placement_id=rental.placement_id, since=shut_since, until=now - timedelta(seconds=28)
    )
    market.end(rental, at=now)
    enter(page, alice)
    page.goto(f"/rentals/{rental.id}/")
    expect(page.locator("#cost")).to_have_text("$0.111111")
    page.locator("#bill").click()
    expect(page.locator("#bill-total")).to_have_text("$0.111111")
    expect(page.locator("#charged")).to_contain_text("400 s at $1.00 an hour")
    expect(page.locator("#unbilled")).to_contain_text("its SSH door was shut")
    page.get_by_text("When that was").click()
    expect(page.locator("#stretches tbody tr").first).to_be_visible()

    other = market.rent(alice, bid_microusd=1_000_000, now=now)
    page.goto(f"/rentals/{other.id}/")
    Placement.objects.filter(id=other.placement_id).update(outbid_stop_at=now + timedelta(hours=1))
    page.reload()
    expect(page.locator("#outbid")).to_contain_text("Somebody pays more")
    bid = page.locator("#bid-form")
    bid.get_by_label("Your bid, $ an hour").fill("0.10")
    bid.get_by_role("button", name="Bid").click()
    expect(bid.locator(".field-wrong")).to_contain_text("below")
    bid.get_by_label("Your bid, $ an hour").fill("1.50")
    bid.get_by_role("button", name="Bid").click()
    expect(page.get_by_text("The rental has its new bid.")).to_be_visible()
    expect(page.locator("#bids-from")).to_contain_text("It bids $1.50 an hour.")
    expect(page.locator("#outbid")).to_be_hidden()

    page.goto("/money/limits/")
    expect(page.get_by_text("No limit is set")).to_be_visible()
    page.get_by_label("A day at most, $").fill("ten")
    page.get_by_role("button", name="Set").click()
    expect(page.locator(".field-wrong")).to_contain_text("Write an amount of dollars")
    page.get_by_label("A day at most, $").fill("10")
    page.get_by_role("button", name="Set").click()
    expect(page.locator(".gauge")).to_contain_text("of $10.00")
    assert page.get_by_label("Today").get_attribute("value") is not None


def test_a_person_is_told_and_has_a_program_told(page: Page, alice: User, enter: Enter) -> None:
    now = timezone.now()
    for number in range(3):
        notify(
            user_id=alice.pk, kind="balance_low", cause=f"{number}", title=f"Low {number}",
            text="Add money.", data={"url": "/money/"}, now=now,
        )  # fmt: skip
    enter(page, alice)
    page.goto("/")
    page.get_by_role("link", name="Notices, 3 new").click()
    expect(page.locator(".notice-new")).to_have_count(3)
    page.get_by_role("button", name="I have seen these").click()
    expect(page.locator(".notice-new")).to_have_count(0)
    expect(page.get_by_role("link", name="Low 2")).to_have_attribute("href", "/money/")

    page.get_by_role("link", name="Web hooks").click()
    page.get_by_label("Address").fill("ftp://example.com")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.locator(".field-wrong .wrong")).to_be_visible()
    page.get_by_label("Address").fill("http://127.0.0.1:9/berth")
    page.get_by_role("button", name="Add", exact=True).click()
    secret = page.locator("#secret").inner_text()
    page.get_by_role("button", name="Copy").click()
    page.wait_for_function(IN_CLIPBOARD, arg=secret)
    page.get_by_role("button", name="Send a test").click()
    expect(page.get_by_text("The test is on its way")).to_be_visible()
    expect(page.locator("#secret")).to_be_hidden()
    page.get_by_role("button", name="Remove http://127.0.0.1:9/berth").click()
    expect(page.get_by_text("Tell a program of yours")).to_be_visible()


@pytest.mark.usefixtures("stripe")
def test_a_host_reads_the_earnings_and_is_paid(page: Page, charlie: User, enter: Enter) -> None:
    now = timezone.now()
    for days, dollars in ((40, 1000), (20, 250), (1, 5)):
        move(charlie, dollars, days_ago=days, earned=True)
    enter(page, charlie)
    page.goto("/host/earnings/")
    expect(page.locator("#earned")).to_have_text("$1,255.00")
    expect(page.locator("#month")).to_have_text("$255.00")
    page.get_by_role("navigation", name="Hosting").get_by_role("link", name="Payouts").click()
    expect(page.locator("#obstacle")).to_contain_text("Write your tax details first")
    page.get_by_label("Legal name").fill("Charlie Chandler")
    page.get_by_label("Tax number").fill("1")
    page.get_by_label("Address").fill("1 Main Street")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert")).to_be_visible()
    page.get_by_label("Tax number").fill("12-3456789")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#details")).to_contain_text("6789")
    page.get_by_role("button", name="Connect a bank account").click()
    page.get_by_role("link", name="Go on at Stripe").click()
    page.get_by_role("button", name="I have said all that").click()
    expect(page.get_by_text("Your account is being looked at")).to_be_visible()
    look_at_accounts(now=timezone.now())
    page.goto("/host/payouts/")
    expect(page.locator("#account")).to_contain_text("can be paid to")
    expect(page.locator("#obstacle")).to_be_hidden()
    expect(page.locator("#next")).not_to_have_text("$0.00")

    then = now + timedelta(days=7)
    assert open_payouts(now=then) == 1
    send_payouts(now=then)
    page.reload()
    history = page.locator("section", has=page.get_by_role("heading", name="History"))
    expect(history.locator("tbody tr")).to_have_count(1)
    page.goto("/host/earnings/")
    page.locator("#months a").first.click()
    expect(page.locator("#closing")).to_be_visible()
    rows = list(csv.reader(downloaded(page, "Download CSV").open()))
    assert len(rows) >= 2
