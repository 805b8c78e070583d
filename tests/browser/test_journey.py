"""A person rents in a real browser: sign up, key, money, rent, watch, copy, end, read the bill."""

import re

import pytest
from django.test import Client
from django.utils import timezone
from playwright.sync_api import Browser, Page, Route, expect

from marketplace.accounts.models import User
from marketplace.rentals.models import Rental
from marketplace.volumes.actions.claim import Asked
from protocol.agent import ObservedState
from tests.browser.conftest import IN_CLIPBOARD
from tests.browser.pictures import keep
from tests.marketplace import scene
from tests.marketplace.rentals.market import ALICES_KEY, Market

ALICE = "alice@example.com"
PASSWORD = "correct horse battery"


@pytest.fixture
def market(site: str, monkeypatch: pytest.MonkeyPatch) -> Market:
    """A machine that is for rent now; its agent is played by the test, with signed syncs."""
    monkeypatch.setattr(scene, "NOW", timezone.now())
    return Market.open(User.objects.create_user("charlie@example.com", PASSWORD))


def sign_up(page: Page, email: str = ALICE) -> None:
    page.goto("/accounts/signup/")
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("main").get_by_role("button", name="Sign up").click()
    expect(page.get_by_role("link", name="Log out")).to_be_visible()


def add_key_and_money(page: Page) -> None:
    page.goto("/keys/")
    page.get_by_label("Name").fill("laptop")
    page.get_by_label("Public key").fill(ALICES_KEY)
    page.get_by_role("button", name="Add the key").click()
    expect(page.get_by_role("cell", name="laptop", exact=True)).to_be_visible()
    page.goto("/money/")
    page.get_by_label("Amount, $").fill("10.00")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.locator("#balance")).to_have_text("$10.00")


def the_rental() -> Rental:
    return Rental.objects.select_related("placement").get(renter__email=ALICE)


def test_a_person_rents_watches_it_live_and_ends_it(page: Page, market: Market) -> None:
    sign_up(page)
    add_key_and_money(page)
    page.goto("/")
    page.get_by_role("link", name="Rent 4-CPU machine").click()
    expect(page.locator("#worst-total")).to_have_text("$3.60")
    page.get_by_label("End after, hours").fill("2")
    expect(page.locator("#worst-total")).to_have_text("$7.20")
    keep(page, "rent")
    page.get_by_role("button", name="Rent", exact=True).click()

    state = page.locator("#state")
    expect(state).to_have_text("Waiting for the machine")
    rental, now = the_rental(), timezone.now()
    market.run(rental, at=now, door_after_s=0)
    # Nobody reloads: the state comes by itself.
    expect(state).to_have_text("Active")
    command = "ssh -p 20001 root@127.0.0.1"
    expect(page.locator("#ssh-command")).to_have_text(command)
    keep(page, "rental")
    page.get_by_role("region", name="State").get_by_role("button", name="Copy").click()
    page.wait_for_function(IN_CLIPBOARD, arg=command)

    balance = page.locator("#header-balance")
    expect(balance).to_have_text("$2.80")
    page.locator("#end > summary").click()
    page.get_by_role("button", name="End it now").click()
    expect(state).to_have_text("Ending")
    market.end(rental, at=timezone.now())
    expect(state).to_have_text("Ended")
    # What was set aside and not used is back, and the page says so by itself.
    expect(balance).to_have_text("$10.00")
    expect(page.get_by_text("You ended it.")).to_be_visible()
    expect(page.get_by_role("link", name="Download receipts")).to_be_visible()
    expect(page.get_by_role("button", name="Extend")).to_be_hidden()


def test_a_person_stops_starts_and_changes_what_runs(page: Page, market: Market) -> None:
    sign_up(page)
    add_key_and_money(page)
    page.goto(f"/offers/{market.offer.id}/rent")
    page.get_by_text("Ports, volumes, on-start script and more").click()
    page.get_by_label("Ports to publish").fill("8080")
    page.get_by_label("Volumes").fill("data:/data:1")
    page.get_by_role("button", name="Rent", exact=True).click()
    state = page.locator("#state")
    expect(state).to_have_text("Waiting for the machine")
    rental, agent = the_rental(), market.agent
    market.run(rental, at=timezone.now(), door_after_s=0)
    told = {"run": 1, "ports": [{"inside": 8080, "outside": 20002}]}
    running = agent.observed(rental.placement_id, ObservedState.RUNNING, **told)
    agent.sync(timezone.now(), placements=[running])
    expect(page.locator("#published")).to_contain_text("127.0.0.1:20002")

    page.get_by_text("Change what runs").click()
    page.get_by_label("Image").fill("debian:13")
    page.get_by_role("button", name="Change", exact=True).click()
    expect(page.locator("#change")).to_contain_text("A change is being made.")
    problem = {"code": "image_unknown", "message": "No registry has it."}
    refused = {"change_problem": problem, "problem_edition": 1}
    running = agent.observed(rental.placement_id, ObservedState.RUNNING, **told, **refused)
    agent.sync(timezone.now(), placements=[running])
    expect(page.locator("#change")).to_contain_text("No registry has it.")

    page.locator("#stop > summary").click()
    page.get_by_role("button", name="Stop it now").click()
    expect(state).to_have_text("Stopping")
    market.halt(rental, at=timezone.now())
    expect(state).to_have_text("Stopped")
    page.get_by_role("button", name="Start", exact=True).click()
    expect(state).to_have_text("Waiting for the machine")


def test_a_new_person_rents_from_one_form(page: Page, market: Market) -> None:
    page.goto(f"/offers/{market.offer.id}/rent")
    page.get_by_role("main").get_by_role("link", name="Sign up").click()
    page.get_by_label("E-mail").fill(ALICE)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("main").get_by_role("button", name="Sign up").click()
    page.get_by_role("link", name="Add money").click()
    page.get_by_role("button", name="Add", exact=True).click()
    # The way back leads to the form, where the key and a variable are asked for.
    page.get_by_label("Your SSH public key").fill(ALICES_KEY)
    page.get_by_text("Set environment variables").click()
    page.get_by_label("Environment variables").fill("TOKEN=secret")
    page.get_by_role("button", name="Rent", exact=True).click()
    expect(page.locator("#state")).to_have_text("Waiting for the machine")
    assert the_rental().placement.workload["environment"] == {"TOKEN": "secret"}


def test_the_list_of_somebody_who_logged_out_leads_to_the_log_in(
    page: Page, market: Market
) -> None:
    sign_up(page)
    add_key_and_money(page)
    page.goto(f"/offers/{market.offer.id}/rent")
    page.get_by_role("button", name="Rent", exact=True).click()
    page.goto("/rentals/")
    page.context.clear_cookies()
    expect(page).to_have_url(re.compile("/accounts/login/\\?next=/rentals/"))
    expect(page.get_by_role("heading", name="Log in")).to_have_count(1)


def test_who_reads_the_panel_stays_where_they_are_when_it_changes(
    page: Page, market: Market
) -> None:
    sign_up(page)
    add_key_and_money(page)
    page.goto(f"/offers/{market.offer.id}/rent")
    page.get_by_role("button", name="Rent", exact=True).click()
    market.run(the_rental(), at=timezone.now(), door_after_s=0)
    expect(page.locator("#state")).to_have_text("Active")
    page.locator("#trust > summary").click()
    page.locator("#copy-trust").focus()
    Rental.objects.update(worst_total_microusd=123_450_000)
    expect(page.locator("#panel")).to_contain_text("$123.45")
    expect(page.locator("#trust-command")).to_be_visible()
    expect(page.locator("#copy-trust")).to_be_focused()


def test_where_no_stream_gets_through_the_page_asks_again(page: Page, market: Market) -> None:
    refused: list[str] = []

    def refuse(route: Route) -> None:
        refused.append(route.request.url)
        route.abort()

    page.route("**/events?*", refuse)
    sign_up(page)
    add_key_and_money(page)
    page.goto(f"/offers/{market.offer.id}/rent")
    page.get_by_role("button", name="Rent", exact=True).click()
    expect(page.locator("#state")).to_have_text("Waiting for the machine")
    market.run(the_rental(), at=timezone.now(), door_after_s=0)
    expect(page.locator("#state")).to_have_text("Active")
    expect(
        page.get_by_role("region", name="State").get_by_role("button", name="Copy")
    ).to_be_visible()
    assert any(f"/rentals/{the_rental().id}/events?" in url for url in refused)


def test_the_search_narrows_while_typing_and_the_address_remembers_it(
    page: Page, market: Market
) -> None:
    page.goto("/offers/")
    rent = page.get_by_role("link", name="Rent 4-CPU machine")
    expect(rent).to_be_visible()
    page.get_by_label("GPUs", exact=True).fill("64")
    expect(page.get_by_text("No machine fits all of that")).to_be_visible()
    expect(page).to_have_url(re.compile("gpus_min=64"))
    page.reload()
    expect(page.get_by_label("GPUs", exact=True)).to_have_value("64")


def test_going_back_to_a_search_shows_the_page_and_not_its_fragment(
    page: Page, market: Market
) -> None:
    page.goto("/offers/")
    page.get_by_label("GPUs", exact=True).fill("64")
    expect(page).to_have_url(re.compile("gpus_min=64"))
    page.goto("/host/")
    page.go_back()
    expect(page.get_by_role("heading", name="Offers")).to_be_visible()
    expect(page.get_by_label("GPUs", exact=True)).to_have_value("64")


def test_everything_works_without_scripts(without_scripts: Page, market: Market) -> None:
    page = without_scripts
    sign_up(page)
    add_key_and_money(page)
    page.goto(f"/offers/{market.offer.id}/rent")
    page.get_by_label("End after, hours").fill("2")
    page.get_by_role("button", name="Update the total").click()
    expect(page.locator("#worst-total")).to_have_text("$7.20")
    page.get_by_role("button", name="Rent", exact=True).click()
    expect(page.locator("#state")).to_have_text("Waiting for the machine")
    # Nothing that somebody writes there goes by itself.
    expect(page.locator("meta[http-equiv=refresh]")).to_have_count(0)
    market.run(Rental.objects.get(), at=timezone.now(), door_after_s=0)
    page.get_by_role("link", name="Look again").click()
    expect(page.locator("#state")).to_have_text("Active")
    page.locator("#end > summary").click()
    page.get_by_role("button", name="End it now").click()
    expect(page.locator("#state")).to_have_text("Ending")


@pytest.mark.parametrize(("width", "scheme"), [(320, "light"), (390, "dark"), (1600, "light")])
def test_no_page_is_wider_than_the_screen(
    chromium: Browser, site: str, market: Market, width: int, scheme: str
) -> None:
    screen = {"width": width, "height": 800}
    context = chromium.new_context(base_url=site, viewport=screen, color_scheme=scheme)
    page = context.new_page()
    sign_up(page)
    places = ["/", "/offers/", f"/offers/{market.offer.id}/rent", "/rentals/", "/keys/", "/money/"]
    add_key_and_money(page)
    volume = Asked(name="data", path="/data", size_bytes=1 << 30)
    made = market.rent(User.objects.get(email=ALICE), volumes=[volume], ports=(8080, 9090))
    market.run(made, at=timezone.now(), door_after_s=0)
    machine = f"/machines/{market.machine.id}/"
    for place in (*places, "/api-keys/", "/host/", "/volumes/", machine, f"/rentals/{made.id}/"):
        page.goto(place)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, place
    context.close()


def test_the_keyboard_reaches_the_content_first(page: Page, market: Market) -> None:
    page.goto("/")
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to the content")
    expect(skip).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()


def test_the_chosen_theme_stays(page: Page, market: Market) -> None:
    page.goto("/")
    page.get_by_role("button", name="Light or dark").click()
    page.reload()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"


def test_what_a_hotkey_signs_is_all_there_on_a_phone(page: Page, site: str, market: Market) -> None:
    host = Client()
    host.force_login(market.machine.host)
    session = host.cookies["sessionid"].value
    page.context.add_cookies([{"name": "sessionid", "value": session, "url": site}])
    page.set_viewport_size({"width": 390, "height": 800})
    hotkey = scene.Judge().keypair.ss58_address
    page.goto(f"/host/machines/{market.machine.id}/hotkey?hotkey={hotkey}")
    consent = page.locator("#consent")
    expect(consent).to_contain_text(hotkey)
    assert consent.evaluate("each => each.scrollWidth - each.clientWidth") <= 0
