"""Pages of a bad day: what is refused, and rentals that failed, stand still or are over."""

from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from marketplace.accounts.actions.count_attempt import count
from marketplace.accounts.models import User
from marketplace.accounts.views import SIGN_UPS
from marketplace.metering.actions.charge import charge_all
from marketplace.rentals.actions import stop
from protocol.agent import ObservedState
from tests.browser.conftest import Enter
from tests.browser.test_every_page import wrong_with
from tests.browser.test_everybody import MUCH, pay
from tests.marketplace import scene
from tests.marketplace.rentals.market import Market, give_key
from tests.marketplace.teams import team_of


@pytest.fixture
def alice(page: Page) -> User:
    page.emulate_media(color_scheme="light", reduced_motion="reduce")
    alice = User.objects.create_user("alice@example.com")
    give_key(alice)
    pay(alice, MUCH)
    return alice


@pytest.fixture
def market(page: Page, monkeypatch: pytest.MonkeyPatch) -> Market:
    monkeypatch.setattr(scene, "NOW", timezone.now() - timedelta(minutes=10))
    return Market.open(User.objects.create_user("charlie@example.com"))


def press(page: Page, name: str) -> int:
    """Return the status of what follows the button; only the server looks at what is filled in."""
    page.evaluate("for (const each of document.forms) each.noValidate = true")
    with page.expect_navigation() as told:
        page.get_by_role("main").get_by_role("button", name=name, exact=True).click()
    return told.value.status


def test_a_refusal_is_a_page_like_the_others(
    page: Page, alice: User, market: Market, enter: Enter
) -> None:
    reply = page.goto("/nothing-is-here/")
    assert reply is not None
    assert reply.status == 404
    wrong = wrong_with(page)

    many = SIGN_UPS.attempts_max
    count(limit=SIGN_UPS, subject="127.0.0.1", now=timezone.now(), weight=many)
    page.goto("/accounts/signup/")
    assert press(page, "Sign up") == 429
    expect(page.get_by_role("heading", name="Wait a little")).to_be_visible()
    wrong += wrong_with(page)

    enter(page, alice)
    charlies = team_of(market.machine.host, timezone.now())
    reply = page.goto(f"/teams/{charlies.pk}/")
    assert reply is not None
    assert reply.status == 403
    wrong += wrong_with(page)

    page.goto(f"/offers/{market.offer.id}/rent")
    page.get_by_label("Image").fill("")
    page.get_by_label("CPUs").fill("99")
    assert press(page, "Rent") == 422
    expect(page.get_by_role("alert").first).to_contain_text("Look again at")
    wrong += wrong_with(page)

    page.goto("/money/")
    page.context.clear_cookies(name="csrftoken")
    assert press(page, "Add") == 403
    expect(page.get_by_role("heading", name="This form is too old")).to_be_visible()
    wrong += wrong_with(page)
    assert wrong == []


def test_a_rental_that_failed_or_stands_still_is_shown_as_well_as_one_that_runs(
    page: Page, alice: User, market: Market, enter: Enter
) -> None:
    failed = market.rent(alice, image="nobody/nothing", now=scene.NOW)
    gone = market.agent.observed(failed.placement_id, ObservedState.GONE, problem="image_unknown")
    market.agent.sync(scene.after(2), placements=[gone])
    charge_all(now=scene.after(2))
    stopped = market.rent(alice, now=scene.after(2))
    market.run(stopped, at=scene.after(3))
    stop.stop(rental_id=stopped.id, renter_id=alice.pk, now=scene.after(20))
    market.halt(stopped, at=scene.after(21))
    enter(page, alice)
    wrong = []
    for rental, state in ((failed, "Failed"), (stopped, "Stopped")):
        page.goto(f"/rentals/{rental.id}/")
        expect(page.locator("#state")).to_have_text(state)
        wrong += wrong_with(page)
        for more in ("bill", "history", "terminal"):
            page.goto(f"/rentals/{rental.id}/{more}")
            wrong += wrong_with(page)
    page.goto("/rentals/")
    wrong += wrong_with(page)
    assert wrong == []
