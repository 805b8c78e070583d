"""Somebody rents with a thumb: the price and the button stay in sight, and cover nothing."""

from collections.abc import Iterator

import pytest
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect

from marketplace.accounts.models import User
from marketplace.offers.models import Offer
from tests.browser.audit import problems
from tests.browser.conftest import TIMEOUT_MS, Enter
from tests.browser.test_every_page import found_by_axe
from tests.browser.test_everybody import MUCH, pay
from tests.marketplace import scene
from tests.marketplace.rentals.market import Market, give_key

#: WCAG 2.2, success criterion 2.4.11: what has the focus is not hidden by the bar
SHOWS_FOCUS = """() => {
  const at = document.activeElement, bar = document.querySelector(".pay");
  const box = at.getBoundingClientRect();
  const free = bar.contains(at) ? innerHeight : bar.getBoundingClientRect().top;
  return [at.name || at.textContent.trim(), box.top >= 0 && box.bottom <= free];
}"""


@pytest.fixture
def phone(chromium: Browser, site: str) -> Iterator[Page]:
    screen = {"width": 390, "height": 844}
    context = chromium.new_context(base_url=site, viewport=screen, has_touch=True)
    context.set_default_timeout(TIMEOUT_MS)
    yield context.new_page()
    context.close()


@pytest.fixture
def market(phone: Page, enter: Enter, monkeypatch: pytest.MonkeyPatch) -> Market:
    """Alice has money and a key, and Charlie's machine asks all that a machine can ask."""
    monkeypatch.setattr(scene, "NOW", timezone.now())
    market = Market.open(User.objects.create_user("charlie@example.com"))
    Offer.objects.update(bid_floor_microusd=900_000, network_price_microusd=20_000)
    alice = User.objects.create_user("alice@example.com")
    give_key(alice)
    pay(alice, MUCH)
    enter(phone, alice)
    return market


def test_who_returns_rents_by_two_taps_without_scrolling(phone: Page, market: Market) -> None:
    phone.goto("/offers/")
    phone.get_by_role("link", name="Rent 4-CPU machine").tap()
    rent = phone.get_by_role("button", name="Rent", exact=True)
    expect(rent).to_be_in_viewport(ratio=1)
    expect(phone.locator("#worst-total")).to_be_in_viewport(ratio=1)
    rent.tap()
    expect(phone.locator("#state")).to_have_text("Waiting for the machine")


def test_the_bar_covers_nothing_that_has_the_focus(phone: Page, market: Market) -> None:
    phone.goto(f"/offers/{market.offer.id}/rent")
    for fold in phone.locator(".folds summary").all():
        fold.click()
    phone.evaluate("scrollTo(0, 0)")
    phone.get_by_label("Image").focus()
    reached: list[str] = []
    # The button that rents is the last of the form, and far fewer than these come before it.
    for _ in range(80):
        name, shows = phone.evaluate(SHOWS_FOCUS)
        assert shows, name
        reached.append(name)
        if name == "intent":
            break
        phone.keyboard.press("Tab")
    assert {"intent", "ssh_keys", "bid", "registry_password", "failover"} <= set(reached)
    assert [*problems(phone), *found_by_axe(phone)] == []


def test_a_mistake_in_a_fold_is_shown_and_not_swallowed(phone: Page, market: Market) -> None:
    phone.goto(f"/offers/{market.offer.id}/rent")
    fold = phone.get_by_text("Paying, traffic and failover")
    traffic = phone.get_by_label("Traffic at most, GB")
    fold.tap()
    traffic.fill("-1")
    fold.tap()
    expect(traffic).to_be_hidden()
    phone.get_by_role("button", name="Rent", exact=True).tap()
    wrong = phone.get_by_role("alert").get_by_role("link", name="Traffic at most, GB")
    wrong.tap()
    expect(traffic).to_be_in_viewport(ratio=1)
