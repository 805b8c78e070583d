"""A person types into their rental in a real browser, and leaves the terminal by the keyboard."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from marketplace.accounts.models import User
from marketplace.domain.ledger import TransferKind
from marketplace.domain.money import MicroUsd
from marketplace.ledger.actions import open_account
from marketplace.ledger.actions.post import post
from marketplace.rentals.models import Rental
from tests.browser.audit import problems
from tests.browser.conftest import Enter
from tests.browser.pictures import keep
from tests.marketplace import scene
from tests.marketplace.rentals.market import Market, give_key
from tests.marketplace.terminals.house import House, open_house


@pytest.fixture
def alice(site: str) -> User:
    alice = User.objects.create_user("alice@example.com")
    give_key(alice)
    post(
        debit=open_account.outside(),
        credit=open_account.wallet(user_id=alice.pk),
        amount_microusd=MicroUsd(10_000_000),
        kind=TransferKind.TOP_UP,
        cause="alice's",
        note="",
        now=timezone.now(),
    )
    return alice


@pytest.fixture
def rental(alice: User, monkeypatch: pytest.MonkeyPatch) -> Rental:
    monkeypatch.setattr(scene, "NOW", timezone.now())
    market = Market.open(User.objects.create_user("charlie@example.com"))
    rental = market.rent(alice, now=timezone.now())
    market.run(rental, at=timezone.now(), door_after_s=0)
    return rental


@contextmanager
def answering(rental: Rental) -> Iterator[House]:
    """Yield the rental's SSH door, on a thread with an event loop of its own."""
    found: list[House] = []
    is_open = threading.Event()
    loop = asyncio.new_event_loop()
    over = asyncio.Event()

    async def keep_open() -> None:
        async with open_house(rental) as house:
            found.append(house)
            is_open.set()
            await over.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=[keep_open()])
    thread.start()
    assert is_open.wait(60)
    yield found[0]
    loop.call_soon_threadsafe(over.set)
    thread.join(60)
    loop.close()


@pytest.fixture
def house(rental: Rental) -> Iterator[House]:
    with answering(rental) as house:
        yield house


def test_a_person_types_into_their_rental(
    page: Page, enter: Enter, alice: User, rental: Rental, house: House
) -> None:
    enter(page, alice)
    page.goto(f"/rentals/{rental.id}/")
    page.get_by_role("link", name="Open a terminal here").click()
    shown = page.locator(".xterm-rows")
    expect(page.locator("#terminal-status")).to_have_text("Connected.")
    expect(shown).to_contain_text("hello")
    page.keyboard.type("echo grüße")
    page.keyboard.press("Enter")
    expect(shown).to_contain_text("<echo grüße>")
    # Colours of all kinds come through the site's strict policy, which the fixture watches.
    page.keyboard.type("colours")
    page.keyboard.press("Enter")
    painted = shown.get_by_text("painted", exact=True)
    expect(painted).to_have_css("background-color", "rgb(10, 120, 40)")
    keep(page, "terminal")
    assert problems(page) == []

    page.set_viewport_size({"width": 390, "height": 800})
    page.wait_for_function("() => document.documentElement.scrollWidth <= 390")
    page.keyboard.press("Control+Shift+ArrowDown")
    expect(page.locator("#terminal-after")).to_be_focused()
    page.locator(".shell").click()
    page.keyboard.type("exit")
    page.keyboard.press("Enter")
    expect(page.locator("#terminal-status")).to_have_text("The shell has ended.")
    assert len(house.sizes) > 1
    assert house.sizes[-1][0] < house.sizes[0][0]
    page.get_by_role("button", name="Connect again").click()
    expect(page.locator("#terminal-status")).to_have_text("Connected.")
    expect(shown).to_contain_text("hello")
