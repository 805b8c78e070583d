"""An operator in a real browser: money goes back to a renter, who reads it on their own page."""

from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from marketplace.accounts.models import User
from marketplace.domain.money import MicroUsd
from marketplace.domain.oversight import Role
from marketplace.rentals.models import Rental
from tests.browser.audit import problems
from tests.browser.conftest import Enter
from tests.browser.pictures import keep
from tests.browser.test_everybody import pay as fund
from tests.marketplace import staffed
from tests.marketplace.rentals.market import Market, give_key
from tests.marketplace.rentals.proving import deliver
from tests.marketplace.scene import after

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


def test_a_renter_reports_a_rental_and_staff_give_a_part_back(
    page: Page, other_page: Page, site: str, enter: Enter
) -> None:
    alice = User.objects.create_user("alice@example.com")
    give_key(alice)
    fund(alice, MicroUsd(10_000_000))
    market = Market.open(User.objects.create_user("charlie@example.com"))
    rental = market.rent(alice)
    market.run(rental, at=after(0))
    deliver(market, rental, second=101)
    # The site asks what time it is by itself: as if the rental began lately.
    Rental.objects.update(started_at=timezone.now() - timedelta(seconds=102))

    enter(page, alice)
    page.goto(f"/rentals/{rental.id}/")
    page.get_by_role("link", name="Something was wrong?").click()
    page.get_by_label("Slow, or other hardware than listed").check()
    page.get_by_label("What happened").fill("Half as fast as listed.")
    page.get_by_label("Money back, $").fill("5")
    page.get_by_role("button", name="Report it").click()
    expect(page.locator(".field-wrong")).to_contain_text("At most $0.10 can still come back")
    page.get_by_label("Money back, $").fill("0.08")
    page.get_by_role("button", name="Report it").click()
    expect(page.locator("#state")).to_have_text("Waits for staff")
    assert problems(page) == []

    desk = other_page
    enter_stepped(desk, staffed.staff("sam", Role.SUPPORT), site)
    desk.goto("/console/")
    desk.locator("#reports").get_by_role("link", name="Slow, or other hardware").click()
    expect(desk.get_by_text("Half as fast as listed.")).to_be_visible()
    keep(desk, "report")
    assert problems(desk) == []
    desk.get_by_text("Give money back").click()
    credit = desk.locator("#credit")
    credit.get_by_label("Amount, $").fill("0.04")
    credit.get_by_label("the host, who gives").check()
    credit.get_by_label("Why").fill("The card was hot.")
    credit.get_by_role("button", name="Go on").click()
    expect(desk.locator("#told")).to_contain_text("$0.038 of it is taken from the $0.095")
    assert problems(desk) == []
    desk.get_by_role("button", name="Give it back").click()
    expect(desk.locator("#answered")).to_have_text("Money came back")

    page.goto("/notices/")
    page.get_by_role("link", name="Your report about rental").click()
    expect(page.locator("#credited")).to_have_text("$0.04")
    expect(page.locator("#answer")).to_contain_text("The card was hot.")
    page.goto(f"/rentals/{rental.id}/bill")
    expect(page.locator("#bill-total")).to_have_text("$0.06")


def test_whoever_does_not_work_here_finds_no_console(page: Page, site: str, enter: Enter) -> None:
    enter(page, User.objects.create_user("bob@example.com"))
    reply = page.goto("/console/people/")
    assert reply is not None
    assert reply.status == 404
    expect(page.get_by_role("link", name="Console")).to_be_hidden()
