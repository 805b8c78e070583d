"""An operator in a real browser: money goes back to a renter, who reads it on their own page."""

import pytest
from playwright.sync_api import Page, expect

from marketplace.accounts.models import User
from marketplace.domain.oversight import Role
from tests.browser.audit import problems
from tests.browser.conftest import Enter
from tests.browser.pictures import keep
from tests.marketplace import staffed

CARD = "4242424242424242"


def enter_stepped(page: Page, user: User, site: str) -> None:
    """Log somebody in who gave a code of their app."""
    session = staffed.browser(user).cookies["sessionid"].value
    page.context.add_cookies([{"name": "sessionid", "value": session, "url": site}])


def pay(page: Page, dollars: str) -> None:
    """Save a card and add money from it."""
    page.goto("/money/")
    page.get_by_role("button", name="Save a card").click()
    page.get_by_label("Card number").fill(CARD)
    page.get_by_role("button", name="Save this card").click()
    page.get_by_label("Amount, $").fill(dollars)
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_text(f"${dollars} is in your balance.")).to_be_visible()


@pytest.mark.usefixtures("stripe")
def test_an_operator_refunds_a_renter_who_reads_it_on_the_money_page(
    page: Page, other_page: Page, site: str, enter: Enter
) -> None:
    alice = User.objects.create_user("alice@example.com")
    enter(page, alice)
    pay(page, "20.00")

    desk = other_page
    enter_stepped(desk, staffed.staff("fiona", Role.FINANCE), site)
    desk.goto("/")
    desk.get_by_role("link", name="Console").click()
    tabs = desk.get_by_role("navigation", name="Console")
    expect(tabs.get_by_role("link", name="Roles")).to_be_hidden()
    tabs.get_by_role("link", name="People").click()
    desk.get_by_label("E-mail address begins with").fill("alice@")
    desk.get_by_role("button", name="Find").click()
    desk.get_by_role("link", name="alice@example.com").click()
    expect(desk.locator("#funds")).to_contain_text("$20.00")
    keep(desk, "console")
    assert problems(desk) == []
    desk.locator("#payments a").first.click()
    refund = desk.locator("#refund")
    refund.get_by_label("Amount, $").fill("25")
    refund.get_by_label("Why").fill("It never started")
    refund.get_by_role("button", name="Send it back").click()
    expect(refund.locator(".field-wrong")).to_contain_text("At most $20.00 can go back")
    refund.get_by_label("Amount, $").fill("5.50")
    refund.get_by_role("button", name="Send it back").click()
    expect(desk.get_by_text("$5.50 goes back to the card.")).to_be_visible()
    expect(desk.locator("#payments")).to_contain_text("Sent back")
    assert problems(desk) == []

    page.goto("/money/")
    expect(page.locator("#balance")).to_have_text("$14.50")
    expect(page.locator("#payments")).to_contain_text("Back to your card")
    page.get_by_role("link", name="Notices, 1 new").click()
    expect(page.get_by_text("$5.50 goes back to your card")).to_be_visible()

    root = staffed.staff("ada", Role.ADMIN)
    enter_stepped(desk, root, site)
    desk.goto("/console/log/")
    line = desk.locator("#acts tbody tr")
    expect(line).to_contain_text(["It never started"])
    expect(line).to_contain_text(["fiona@berth.example"])


def test_whoever_does_not_work_here_finds_no_console(page: Page, site: str, enter: Enter) -> None:
    enter(page, User.objects.create_user("bob@example.com"))
    reply = page.goto("/console/people/")
    assert reply is not None
    assert reply.status == 404
    expect(page.get_by_role("link", name="Console")).to_be_hidden()
