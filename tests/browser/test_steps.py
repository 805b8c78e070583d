"""A machine is two clicks away for who comes back, six for who is new; keys alone do as well."""

from django.utils import timezone
from playwright.sync_api import Page, expect

from marketplace.accounts.models import User
from tests.browser.audit import problems
from tests.browser.conftest import Enter
from tests.browser.steps import clicks, count_clicks, press, reach, type_into
from tests.browser.test_every_page import found_by_axe
from tests.browser.test_journey import ALICE, PASSWORD, market, the_rental
from tests.browser.test_terminal import alice
from tests.marketplace.rentals.market import ALICES_KEY, Market

__all__ = ["alice", "market"]


def test_who_comes_back_is_on_a_machine_in_two_clicks(
    page: Page, enter: Enter, alice: User, market: Market
) -> None:
    enter(page, alice)
    count_clicks(page)
    page.goto("/")
    page.get_by_role("link", name="Rent 4-CPU machine").click()
    page.get_by_role("button", name="Rent", exact=True).click()
    expect(page.locator("#state")).to_have_text("Waiting for the machine")
    market.run(the_rental(), at=timezone.now(), door_after_s=0)
    expect(page.locator("#ssh-command")).to_be_visible()
    assert clicks(page) == 2


def test_who_is_new_is_on_a_machine_in_six_clicks(page: Page, market: Market) -> None:
    count_clicks(page)
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
    page.get_by_label("Your SSH public key").fill(ALICES_KEY)
    page.get_by_role("button", name="Rent", exact=True).click()
    expect(page.locator("#state")).to_have_text("Waiting for the machine")
    market.run(the_rental(), at=timezone.now(), door_after_s=0)
    expect(page.locator("#ssh-command")).to_be_visible()
    assert clicks(page) == 6


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
