"""Every page there is: axe finds nothing in it by day or by night, and it is light to load.

Nothing of it is cut off on a phone, at four times its size or on a wide screen, in folds neither.

A page that is added later is looked at without a word here; an address that needs something the
world lacks is named.
"""

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from django.db import connections
from django.test import Client
from playwright.sync_api import Page

from marketplace.accounts.models import User
from tests.browser.audit import problems
from tests.browser.world import World, furnish
from tests.marketplace import staffed
from tests.marketplace.browsers import enter as enter_by

#: of all that a page loads, as it travels
PAGE_BYTES_MAX = 100_000
#: what the world lacks: log-ins by others are off, no key of a letter is known, and a passkey takes
#: a browser that makes one, as in test_account.py
NOTHING_THERE = ("/github/", "/google/", "/gone", str(UUID(int=0)), "/webauthn/keys/")
#: a window at 400 %, a phone, a wide screen
WIDTHS = (320, 390, 1600)
#: colours on their way to others are waited for
VIOLATIONS = """async (options) => {
  await Promise.allSettled(document.getAnimations().map((each) => each.finished));
  return (await axe.run(options)).violations;
}"""
#: of WCAG 2.2, and off unless they are asked for
NEW_RULES = {"target-size": {"enabled": True}}
UNFOLD = "document.querySelectorAll('details').forEach((each) => { each.open = true; })"
LOADED = """() => performance.getEntries()
  .filter((each) => ["navigation", "resource"].includes(each.entryType))
  .map((each) => [each.name, each.encodedBodySize])"""


def is_page(browser: Client, address: str, *, owns: bool) -> bool:
    """Say whether the address shows a page, and not a form's target, a file or a part of one."""
    reply = browser.get(address)
    assert reply.status_code < 500, address
    if reply.status_code != 200 or "text/html" not in reply.headers["Content-Type"]:
        known = not owns or any(each in address for each in NOTHING_THERE)
        assert reply.status_code != 404 or known, f"Nothing is at {address}."
        return False
    return not reply.streaming and b"<html" in reply.content


def pages(browser: Client, world: World, *, owns: bool) -> list[str]:
    """Return the addresses of pages; on a thread of its own, as Playwright's has an event loop."""

    def look() -> list[str]:
        try:
            return [
                each for each in sorted(set(world.addresses())) if is_page(browser, each, owns=owns)
            ]
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(look).result()


def found_at_widths(page: Page) -> list[str]:
    """Return what is wrong with the page at every width."""
    usual, found = page.viewport_size, []
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        found += [f"{width} px: {each}" for each in problems(page)]
    if usual is not None:
        page.set_viewport_size(usual)
    return found


def found_by_axe(page: Page, only: str = "") -> list[str]:
    """Return a line for each thing that axe finds wrong."""
    options: dict[str, Any] = {"resultTypes": ["violations"], "rules": NEW_RULES}
    if only:
        options["runOnly"] = [only]
    # What breathes for ever would be seen at any moment of its breath.
    page.emulate_media(reduced_motion="reduce")
    # The library's own way brings its half a megabyte anew each time, and takes all that was right.
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE_SCRIPT)
    told = page.evaluate(VIOLATIONS, options)
    return [
        f"{page.url}: {each['id']}: {node['html'][:160]}" for each in told for node in each["nodes"]
    ]


def wrong_with(page: Page) -> list[str]:
    """Return what is wrong with the page by day and by night, at every width, its folds open."""
    page.emulate_media(color_scheme="light")
    page.evaluate(UNFOLD)
    wrong = found_by_axe(page)
    page.emulate_media(color_scheme="dark")
    wrong += found_by_axe(page, "color-contrast")
    page.emulate_media(color_scheme="light")
    return wrong + found_at_widths(page)


def too_much(page: Page, site: str) -> list[str]:
    """Return what is wrong with the files that the page loaded."""
    loaded: list[tuple[str, int]] = page.evaluate(LOADED)
    wrong = [f"{page.url}: from elsewhere: {name}" for name, _ in loaded if site not in name]
    weight = sum(size for _, size in loaded)
    return [*wrong, f"{page.url}: {weight} bytes"] if weight > PAGE_BYTES_MAX else wrong


@pytest.fixture
def world(site: str, monkeypatch: pytest.MonkeyPatch) -> World:
    return furnish(monkeypatch)


@pytest.mark.parametrize(("who", "least"), [("a visitor", 15), ("a newcomer", 40), ("Ada", 50)])
def test_every_page_is_light_and_axe_finds_nothing(
    page: Page, site: str, world: World, who: str, least: int
) -> None:
    browser = {
        "a visitor": Client,
        "a newcomer": lambda: enter_by(Client(), User.objects.create_user("new@example.com")),
        "Ada": lambda: staffed.browser(world.ada),
    }[who]()
    session = browser.session.session_key
    if session:
        page.context.add_cookies([{"name": "sessionid", "value": session, "url": site}])
    wrong, seen = [], pages(browser, world, owns=who == "Ada")
    for address in seen:
        # Chromium counts the fonts of the page before as loaded by the next one, used or not.
        page.goto("about:blank")
        page.goto(address)
        wrong += too_much(page, site)
        wrong += wrong_with(page)
    assert wrong == []
    assert len(seen) >= least
