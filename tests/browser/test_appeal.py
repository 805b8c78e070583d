"""A host appeals against a ban, an operator grants it with a reason, and the host reads it."""

from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from marketplace.accounts.models import User
from marketplace.domain.oversight import Role
from marketplace.verification.actions.record_verdict import record
from protocol.validator import VerdictState
from tests.browser.audit import problems
from tests.browser.conftest import Enter
from tests.browser.test_console import enter_stepped
from tests.browser.test_every_page import found_by_axe
from tests.marketplace import scene, staffed
from tests.marketplace.rentals.market import Market

WORDS = "The memory was bad; I replaced it."


def test_a_hosts_appeal_is_granted_and_says_why(
    page: Page, other_page: Page, site: str, enter: Enter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scene, "NOW", timezone.now() - timedelta(seconds=60))
    host = User.objects.create_user("charlie@example.com")
    market = Market.open(host)
    at_ms = int(scene.after(10).timestamp() * 1000)
    word = {"state": VerdictState.BANNED, "checked_at_ms": at_ms}
    record(signed=scene.Judge().verdict(market.machine, **word), now=scene.after(10))
    enter(page, host)
    page.goto(f"/host/machines/{market.machine.id}/")
    stands = page.locator("article.machine")
    expect(stands).to_contain_text("Banned")
    stands.get_by_text("Appeal", exact=True).click()
    stands.get_by_label("What is wrong, or what you mended").fill(WORDS)
    assert problems(page) + found_by_axe(page) == []
    stands.get_by_role("button", name="Send the appeal").click()
    expect(stands).to_contain_text("waits for the operator")
    expect(stands.get_by_role("button", name="Send the appeal")).to_have_count(0)

    desk = other_page
    enter_stepped(desk, staffed.staff("sue", Role.SUPPORT, Role.FINANCE), site)
    desk.goto("/console/")
    appeal = desk.locator(f"#appeal-{market.machine.id}, [id^='appeal-']").first
    expect(appeal).to_contain_text(WORDS)
    appeal.locator("summary").click()
    appeal.get_by_label("Why").fill("Its memory is whole now.")
    assert problems(desk) + found_by_axe(desk) == []
    appeal.get_by_role("button", name="Grant: end the ban, prove anew").click()
    expect(desk.get_by_text("No appeal waits.")).to_be_visible()

    page.reload()
    expect(stands).to_contain_text("Its memory is whole now.")
    expect(stands).not_to_contain_text("Banned")
