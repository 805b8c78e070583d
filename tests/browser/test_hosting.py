"""A person becomes a host in a real browser: token, machine, verdict, price, listing, earnings."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect

from marketplace.accounts.models import User
from marketplace.domain.ledger import TransferKind
from marketplace.domain.money import MicroUsd
from marketplace.ledger.actions import open_account
from marketplace.ledger.actions.post import post
from marketplace.machines.actions.enrol import enrol
from marketplace.machines.models import Machine
from marketplace.metering.actions.charge import charge_all
from marketplace.offers.actions import refresh
from marketplace.offers.actions.list_offer import list_offer
from marketplace.offers.models import Offer
from marketplace.verification.actions.record_verdict import record
from protocol.agent import ObservedState
from tests.browser.audit import problems
from tests.browser.conftest import IN_CLIPBOARD, Enter
from tests.browser.pictures import keep
from tests.browser.test_every_page import wrong_with
from tests.marketplace import scene
from tests.marketplace.rentals.market import Agent, Market, give_key

PASSWORD = "correct horse battery"
HOST = "charlie@example.com"


def enrolled(command: str) -> Market:
    """Do what the line that the page showed does on the machine, as its agent."""
    match = re.match(r'echo (\S+) \| sh -c "\$\(curl -fsS \S+/install\)"$', command)
    assert match is not None
    agent = Agent()
    machine = enrol(request=scene.enrol_request(agent.private, match[1]), now=scene.NOW)
    list_offer(machine_id=machine.id, now=scene.NOW)
    agent.sync(scene.NOW)
    return Market(agent=agent, machine=machine, offer=Offer.objects.get(machine=machine))


def verified(market: Market) -> None:
    record(signed=scene.Judge().admitted().verdict(market.machine), now=scene.NOW)
    refresh.refresh(machine_id=market.machine.id, now=scene.NOW)


def rented_for_a_while(market: Market) -> None:
    """Have somebody rent it, and the machine deliver and sign a hundred seconds."""
    alice = User.objects.create_user("alice@example.com", PASSWORD)
    post(
        debit=open_account.outside(),
        credit=open_account.wallet(user_id=alice.pk),
        amount_microusd=MicroUsd(10_000_000),
        kind=TransferKind.TOP_UP,
        cause="gift",
        now=scene.NOW,
    )
    give_key(alice)
    rental, agent = market.rent(alice, now=scene.NOW), market.agent
    market.run(rental, at=scene.after(2))
    market.look(at=scene.after(100))
    agent.sync(scene.after(100))
    running = agent.observed(rental.placement_id, ObservedState.RUNNING, run=1, age_ms=98_000)
    signed = agent.count(rental.placement_id, 0, 98_000)
    agent.sync(scene.after(100), placements=[running], intervals=[signed])
    charge_all(now=scene.after(101))


def test_a_person_becomes_a_host_lists_a_machine_and_earns(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What the agent does is dated so that all of it has happened already.
    monkeypatch.setattr(scene, "NOW", timezone.now() - timedelta(seconds=110))
    page.goto("/host/")
    page.get_by_role("main").get_by_role("link", name="Sign up to host").click()
    page.get_by_label("E-mail").fill(HOST)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("main").get_by_role("button", name="Sign up").click()
    page.get_by_role("button", name="Make an enrolment token").click()
    line = page.locator("#enrol-command")
    page.get_by_role("button", name="Copy").first.click()
    page.wait_for_function(IN_CLIPBOARD, arg=line.inner_text())
    assert wrong_with(page) == []
    market = enrolled(line.inner_text())

    page.goto("/host/")
    table = page.locator("#machines")
    expect(table.get_by_text("Not checked yet")).to_be_visible()
    verified(market)
    page.reload()
    expect(table.get_by_text("Verified")).to_be_visible()
    table.get_by_role("link", name="4-CPU machine").click()

    expect(page.get_by_text("there is no market price to show")).to_be_visible()
    page.get_by_label("What would a price earn?").fill("3.60")
    page.get_by_role("button", name="Work it out").click()
    expect(page.locator("#earns")).to_contain_text("At $3.60")
    page.get_by_role("button", name="Ask $3.60 from now on").click()
    expect(page.get_by_text("The new price holds")).to_be_visible()

    page.goto("/offers/")
    page.get_by_role("link", name="4-CPU machine", exact=True).click()
    expect(page.locator("#price")).to_have_text("$3.60")
    expect(page.get_by_role("link", name="Rent it")).to_be_visible()

    rented_for_a_while(market)
    page.goto("/host/earnings/")
    # 97 seconds at a tenth of a cent, less the market's twentieth.
    expect(page.locator("#earned")).to_contain_text("$0.09")
    page.goto("/host/")
    expect(page.locator("#earned-month")).to_contain_text("$0.09")
    keep(page, "host")


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1280, "light")])
def test_the_pages_of_machines_are_for_everybody(
    chromium: Browser,
    site: str,
    enter: Enter,
    monkeypatch: pytest.MonkeyPatch,
    width: int,
    scheme: str,
) -> None:
    monkeypatch.setattr(scene, "NOW", timezone.now() - timedelta(seconds=110))
    market = Market.open(User.objects.create_user(HOST, PASSWORD))
    rented_for_a_while(market)
    Machine.objects.update(cpu_model="AMD-EPYC-9754-with-a-name-that-nobody-would-break" * 2)
    context = chromium.new_context(
        base_url=site, viewport={"width": width, "height": 800}, color_scheme=scheme
    )
    page = context.new_page()
    enter(page, market.machine.host)
    wrong = []
    for place in (
        f"/machines/{market.machine.id}/",
        "/host/",
        f"/host/machines/{market.machine.id}/",
    ):
        page.goto(place)
        for one in page.locator("details > summary").all():
            one.click()
        wrong += problems(page)
    context.close()
    assert wrong == []


def test_hosting_works_without_scripts(
    without_scripts: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scene, "NOW", timezone.now() - timedelta(seconds=110))
    page = without_scripts
    page.goto("/host/")
    page.get_by_role("main").get_by_role("link", name="Sign up to host").click()
    page.get_by_label("E-mail").fill(HOST)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("main").get_by_role("button", name="Sign up").click()
    page.get_by_role("button", name="Make an enrolment token").click()
    market = enrolled(page.locator("#enrol-command").inner_text())
    verified(market)

    page.goto("/host/")
    page.locator("#machines").get_by_role("link", name="4-CPU machine").click()
    page.get_by_label("What would a price earn?").fill("3.60")
    page.get_by_role("button", name="Work it out").click()
    page.get_by_role("button", name="Ask $3.60 from now on").click()
    expect(page.get_by_text("The new price holds")).to_be_visible()
    day = f"{timezone.now() + timedelta(days=2):%Y-%m-%d}"
    for label, moment in (("From, UTC", f"{day}T10:00"), ("Until, UTC", f"{day}T12:00")):
        page.get_by_label(label, exact=True).fill(moment)
    page.get_by_role("button", name="Announce it").click()
    expect(page.locator("#maintenance")).to_contain_text("Announced")
    page.get_by_role("button", name="Call it off").click()
    expect(page.locator("#maintenance")).to_have_count(0)
    page.goto("/host/payouts/")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    expect(page.get_by_role("main")).to_contain_text("payout")
