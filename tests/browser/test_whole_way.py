"""The whole way of a renter, from the sign-up to the invoice."""

from django.utils import timezone
from playwright.sync_api import Page, expect

from marketplace.domain.invoice import month_after, month_of
from marketplace.metering.models import Meter
from marketplace.papers.actions.issue_invoices import SETTLED_AFTER, issue_invoices
from tests.browser.audit import problems
from tests.browser.test_every_page import found_by_axe
from tests.browser.test_journey import add_key_and_money, market, sign_up, the_rental
from tests.browser.test_money import downloaded
from tests.browser.test_terminal import answering
from tests.marketplace.rentals.market import Market

__all__ = ["market"]


def test_a_new_person_comes_from_the_sign_up_to_their_invoice(page: Page, market: Market) -> None:
    sign_up(page)
    add_key_and_money(page)
    page.goto("/")
    page.get_by_role("link", name="Rent 4-CPU machine").click()
    page.get_by_role("button", name="Rent", exact=True).click()
    state = page.locator("#state")
    expect(state).to_have_text("Waiting for the machine")
    rental = the_rental()
    market.run(rental, at=timezone.now(), door_after_s=0)
    expect(state).to_have_text("Active")

    with answering(rental) as house:
        page.get_by_role("link", name="Open a terminal here").click()
        expect(page.locator("#terminal-status")).to_have_text("Connected.")
        page.keyboard.type("echo hello")
        page.keyboard.press("Enter")
        expect(page.locator(".xterm-rows")).to_contain_text("<echo hello>")
        assert house.users
        page.goto(f"/rentals/{rental.id}/")

    page.locator("#stop > summary").click()
    page.get_by_role("button", name="Stop it now").click()
    expect(state).to_have_text("Stopping")
    now = timezone.now()
    Meter.objects.filter(id=rental.meter_id).update(proven_ms=400_000, proven_until=now)
    market.halt(rental, at=now)
    expect(state).to_have_text("Stopped")
    page.locator("#end > summary").click()
    page.get_by_role("button", name="End it now").click()
    expect(state).to_have_text("Ending")
    market.end(rental, at=timezone.now())
    expect(state).to_have_text("Ended")

    page.goto(f"/rentals/{rental.id}/bill")
    bill = page.locator("#bill-total").inner_text()
    assert bill == "$0.40"
    page.goto("/money/")
    page.get_by_role("link", name="Invoices").click()
    expect(page.get_by_role("link", name="INV-")).to_have_count(0)
    # The month is over, and the schedule's pass comes by.
    assert issue_invoices(now=month_after(month_of(now)) + SETTLED_AFTER) == 1
    page.reload()
    page.get_by_role("link", name="Invoice INV-000001").click()
    expect(page.locator("#lines")).to_contain_text(str(rental.id)[:8])
    expect(page.locator("#total")).to_have_text(bill)
    assert problems(page) + found_by_axe(page) == []
    assert downloaded(page, "Download PDF").read_bytes().startswith(b"%PDF-")
