"""Somebody new in a real browser, a real container at the other end: from sign-up to the bill."""

import random
import re
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from scripts.demo import image
from tests.journeys.conftest import Renter
from tests.journeys.stack import PASSWORD, WAIT_S, Stack, until
from tests.miner_agent import images

pytestmark = pytest.mark.xdist_group("journeys")

DORA = "dora@example.com"


@pytest.fixture
def page(stack: Stack) -> Iterator[Page]:
    """A window in which a refused script or a script's error fails the test."""
    system = shutil.which("chromium") or shutil.which("chromium-browser")
    expect.set_options(timeout=WAIT_S * 1000)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=system, args=["--no-sandbox"])
        window = browser.new_context(base_url=stack.url).new_page()
        window.set_default_timeout(WAIT_S * 1000)
        problems: list[str] = []
        window.on("pageerror", lambda error: problems.append(str(error)))
        yield window
        browser.close()
    assert problems == []


def test_somebody_new_rents_types_stops_ends_and_reads_the_bill(
    stack: Stack, renter: Renter, page: Page
) -> None:
    page.goto("/accounts/signup/")
    page.get_by_label("E-mail").fill(DORA)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("main").get_by_role("button", name="Sign up").click()
    expect(page.get_by_role("link", name="Log out")).to_be_visible()
    page.goto("/money/")
    page.get_by_label("Amount, $").fill("10.00")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.locator("#balance")).to_have_text("$10.00")

    (offer, *_) = stack.call("GET", "/offers?verified=false")["items"]
    page.goto(f"/offers/{offer['id']}/rent")
    page.get_by_label("Image").fill(image.NAME)
    page.get_by_label("RAM, GiB").fill("0.25")
    page.get_by_label("Disk, GiB").fill("0.5")
    public = renter.identity.with_suffix(".pub").read_text()
    page.get_by_label("Your SSH public key").fill(public)
    page.get_by_role("button", name="Rent", exact=True).click()
    state = page.locator("#state")
    expect(state).to_have_text("Active")
    rental = page.url

    page.get_by_role("link", name="Open a terminal here").click()
    shown = page.locator(".xterm-rows")
    expect(page.locator("#terminal-status")).to_have_text("Connected.")
    # What is counted is told apart from the line that asks for it, which the terminal shows too.
    page.keyboard.type("echo six times seven is $((6*7))\n")
    expect(shown).to_contain_text("six times seven is 42")
    page.keyboard.type("exit\n")
    expect(page.locator("#terminal-status")).to_have_text("The shell has ended.")

    page.goto(rental)
    page.locator("#stop > summary").click()
    page.get_by_role("button", name="Stop it now").click()
    expect(state).to_have_text("Stopped")
    page.locator("#end > summary").click()
    page.get_by_role("button", name="End it now").click()
    expect(state).to_have_text("Ended")
    page.get_by_role("link", name=re.compile("^Bill")).click()
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    expect(page.locator("#bill-total")).to_contain_text("$")
    until(lambda: not stack.containers(), "the container is gone")


def test_whoever_waits_for_an_image_sees_how_far_it_is(
    stack: Stack, renter: Renter, page: Page
) -> None:
    # Packed it is half of that, and large enough to come for a while.
    files = images.content(model=random.Random(1).randbytes(3_000_000).hex())
    image_name = stack.registry.push("drip/model", "1", files)
    page.goto("/accounts/login/")
    page.get_by_label("E-mail").fill("alice@example.com")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("main").get_by_role("button", name="Log in", exact=True).click()
    expect(page.get_by_role("link", name="Log out")).to_be_visible()
    with stack.registry.dripping(10_000):
        rental_id = renter.rent(image=image_name)
        page.goto(f"/rentals/{rental_id}/")
        pulled = page.get_by_text(re.compile(r"Pulling \d+ %\. Nothing is billed yet\."))
        first = pulled.inner_text()
        expect(pulled).not_to_have_text(first)
        assert re.fullmatch(r"pulling \d+ %", renter.see(rental_id)["progress"])
    expect(page.locator("#state")).to_have_text("Active")
    rental = renter.see(rental_id)
    assert renter.ssh(rental, "wc -c < /data/model").strip() == "6000000"
    renter.end(rental_id)
    stack.everything_is_given_back()
