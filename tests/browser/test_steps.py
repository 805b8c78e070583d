"""A machine is two clicks away for who comes back, six for who is new; keys alone do as well.

Who is new and pays by card clicks once more, on the card processor's page.
"""

import pytest
from django.utils import timezone
from playwright.sync_api import Page, Request, expect

from marketplace.accounts.models import User
from tests.browser.audit import problems
from tests.browser.conftest import Enter
from tests.browser.steps import count_clicks, press, reach, type_into
from tests.browser.test_every_page import found_by_axe
from tests.browser.test_journey import ALICE, PASSWORD, market, the_rental
from tests.browser.test_terminal import alice
from tests.marketplace.rentals.market import ALICES_KEY, Market

__all__ = ["alice", "market"]
#: as if one went to another tab, or came back: a browser without a window shows all of them
SEE = """(seen) => {
  Object.defineProperty(document, "hidden", { value: !seen, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}"""


def is_stream(request: Request) -> bool:
    return "/events" in request.url


def test_who_comes_back_is_on_a_machine_in_two_clicks(
    page: Page, enter: Enter, alice: User, market: Market
) -> None:
    enter(page, alice)
    clicks = count_clicks(page)
    page.goto("/")
    page.get_by_role("link", name="Rent 4-CPU machine").click()
    page.get_by_role("button", name="Rent", exact=True).click()
    expect(page.locator("#state")).to_have_text("Waiting for the machine")
    market.run(the_rental(), at=timezone.now(), door_after_s=0)
    expect(page.locator("#ssh-command")).to_be_visible()
    assert len(clicks) == 2


def sign_up_and_want_money(page: Page) -> None:
    """Choose a machine, sign up, and go to where money is added: five clicks with the last."""
    page.goto("/")
    page.get_by_role("link", name="Rent 4-CPU machine").click()
    main = page.get_by_role("main")
    main.get_by_role("link", name="Sign up").click()
    # Its first field has the focus, or Tab leads there: nobody needs the mouse to write.
    page.get_by_label("E-mail").fill(ALICE)
    page.get_by_label("Password").fill(PASSWORD)
    main.get_by_role("button", name="Sign up").click()
    page.get_by_role("link", name="Add money").click()
    page.get_by_role("button", name="Add", exact=True).click()


def rent_with_a_key(page: Page, market: Market) -> None:
    """Rent from the form that one came back to, with one more click."""
    page.get_by_label("Your SSH public key").fill(ALICES_KEY)
    page.get_by_role("button", name="Rent", exact=True).click()
    expect(page.locator("#state")).to_have_text("Waiting for the machine")
    market.run(the_rental(), at=timezone.now(), door_after_s=0)
    expect(page.locator("#ssh-command")).to_be_visible()


def test_who_is_new_is_on_a_machine_in_six_clicks(page: Page, market: Market) -> None:
    clicks = count_clicks(page)
    sign_up_and_want_money(page)
    rent_with_a_key(page, market)
    assert len(clicks) == 6


@pytest.mark.usefixtures("stripe")
def test_who_is_new_and_pays_by_card_clicks_once_more_and_that_at_the_card_processor(
    page: Page, site: str, market: Market
) -> None:
    clicks = count_clicks(page)
    sign_up_and_want_money(page)
    page.get_by_label("Card number").fill("4242424242424242")
    page.get_by_role("button", name="Save this card").click()
    expect(page.get_by_text("$10.00 is in your balance.")).to_be_visible()
    rent_with_a_key(page, market)
    assert [each == site for each in clicks] == [True] * 5 + [False, True]


def test_keys_alone_lead_from_the_first_page_to_a_rental_and_its_end(
    page: Page, market: Market
) -> None:
    main = page.get_by_role("main")
    page.goto("/")
    press(page, page.get_by_role("link", name="Rent 4-CPU machine"))
    press(page, main.get_by_role("link", name="Sign up"))
    type_into(page, page.get_by_label("E-mail"), ALICE)
    type_into(page, page.get_by_label("Password"), PASSWORD)
    press(page, main.get_by_role("button", name="Sign up"))
    press(page, page.get_by_role("link", name="Add money"))
    press(page, page.get_by_role("button", name="Add", exact=True))
    type_into(page, page.get_by_label("Your SSH public key"), ALICES_KEY)
    type_into(page, page.get_by_label("End after, hours"), "2")
    # What the total is comes while one writes, and takes nobody away from where they are.
    expect(page.locator("#worst-total")).to_have_text("$7.20")
    expect(page.get_by_label("End after, hours")).to_be_focused()
    press(page, page.get_by_role("button", name="Rent", exact=True))

    state = page.locator("#state")
    expect(state).to_have_text("Waiting for the machine")
    market.run(the_rental(), at=timezone.now(), door_after_s=0)
    expect(state).to_have_text("Active")
    press(page, page.locator("#trust > summary"), "Space")
    expect(page.locator("#trust-command")).to_be_visible()
    reach(page, page.locator("#copy-trust"))
    press(page, page.locator("#stop > summary"))
    press(page, page.get_by_role("button", name="Stop it now"))
    expect(state).to_have_text("Stopping")
    reach(page, page.locator("#end > summary"))
    # The panel comes anew while the keyboard is in it.
    market.halt(the_rental(), at=timezone.now())
    expect(state).to_have_text("Stopped")
    assert page.evaluate("document.activeElement.closest('#panel') !== null")
    page.keyboard.press("Enter")
    press(page, page.get_by_role("button", name="End it now"))
    expect(state).to_have_text("Ending")
    assert problems(page) + found_by_axe(page) == []


@pytest.mark.parametrize("gone", ["#copy-ssh", "#stop > summary"])
def test_who_was_where_nothing_is_any_more_stays_in_the_panel(
    page: Page, enter: Enter, alice: User, market: Market, gone: str
) -> None:
    rental = market.rent(alice, now=timezone.now())
    market.run(rental, at=timezone.now(), door_after_s=0)
    enter(page, alice)
    page.goto(f"/rentals/{rental.id}/")
    page.locator(gone).focus()
    expect(page.locator(gone)).to_be_focused()
    market.end(rental, at=timezone.now())
    # Nobody asked for that.
    expect(page.locator("#state")).to_have_text("Failed")
    assert page.evaluate("document.activeElement.closest('#panel') !== null")


def test_a_tab_that_nobody_sees_holds_no_connection(
    page: Page, enter: Enter, alice: User, market: Market
) -> None:
    rental = market.rent(alice, now=timezone.now())
    enter(page, alice)
    streams: list[str] = []
    page.on("request", lambda request: streams.append(request.url) if is_stream(request) else None)
    with page.expect_event("request", is_stream):
        page.goto(f"/rentals/{rental.id}/")
    with page.expect_event("requestfailed", is_stream):
        page.evaluate(SEE, False)
    market.run(rental, at=timezone.now(), door_after_s=0)
    page.evaluate(SEE, True)
    expect(page.locator("#state")).to_have_text("Active")
    market.end(rental, at=timezone.now())
    expect(page.locator("#state")).to_have_text("Failed")
    assert len(streams) == 2
