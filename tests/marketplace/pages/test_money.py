"""Balance, top-up and statement."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django.fixtures import Settings

from marketplace.accounts.models import User
from marketplace.domain.money import MicroUsd
from marketplace.ledger import queries
from marketplace.ledger.actions.grant_credit import grant_credit

Browser = Callable[[User], Client]


@pytest.fixture(autouse=True)
def _test_money(settings: object) -> None:
    settings.TEST_PAYMENTS = True  # type: ignore[attr-defined]


def test_money_comes_in_and_shows_on_the_statement(alice: User, browser_of: Browser) -> None:
    browser = browser_of(alice)
    page = browser.get("/money/")
    assert b"Nothing has moved yet" in page.content
    key = page.context["form"]["request_key"].value()
    reply = browser.post("/money/", {"amount": "12.50", "request_key": key}, follow=True)
    assert queries.balance(alice.pk) == 12_500_000
    assert '<span id="balance">$12.50</span>' in reply.content.decode()
    assert [line.amount for line in reply.context["lines"]] == ["+$12.50"]


def test_credit_is_shown_with_its_end(alice: User, browser_of: Browser) -> None:
    now = timezone.now()
    grant_credit(
        user_id=alice.pk,
        amount_microusd=MicroUsd(5_000_000),
        expires_at=now + timedelta(days=30),
        cause="welcome",
        note="Welcome",
        now=now,
    )
    page = browser_of(alice).get("/money/").content.decode()
    assert '<span id="balance">$5.00</span>' in page
    assert "of it $5.00 of credit until <time" in page
    assert "Welcome" in page


def test_an_open_page_asks_for_the_balance_alone(
    alice: User, browser_of: Browser, give: Callable[..., None]
) -> None:
    give(alice, 1_509_999)
    reply = browser_of(alice).get("/money/balance")
    assert reply.content == b"$1.50"
    assert "no-store" in reply.headers["Cache-Control"]


def test_pressing_twice_pays_once(alice: User, browser_of: Browser) -> None:
    for _ in range(2):
        browser_of(alice).post("/money/", {"amount": "5", "request_key": "same"})
    assert queries.balance(alice.pk) == 5_000_000


@pytest.mark.parametrize("amount", ["", "0", "-5", "1e3", "0.10", "20000", "ten"])
def test_a_wrong_amount_is_explained_and_moves_nothing(
    alice: User, browser_of: Browser, amount: str
) -> None:
    reply = browser_of(alice).post("/money/", {"amount": amount, "request_key": "k"})
    assert reply.status_code == 422
    assert len(reply.context["form"].errors["amount"]) == 1
    assert queries.balance(alice.pk) == 0


def test_bob_sees_only_his_own_money(alice: User, bob: User, browser_of: Browser) -> None:
    browser_of(alice).post("/money/", {"amount": "7.77", "request_key": "k"})
    assert b"7.77" not in browser_of(bob).get("/money/").content


def test_an_older_page_goes_on_where_the_newer_one_ends(
    alice: User, browser_of: Browser, give: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("marketplace.pages.views.money.LINES_MAX", 2)
    for amount in (1_000_000, 2_000_000, 3_000_000):
        give(alice, amount)
    newest = browser_of(alice).get("/money/")
    assert [line.total for line in newest.context["lines"]] == ["$6.00", "$3.00"]
    older = browser_of(alice).get(f"/money/?before={newest.context['older']}")
    assert [line.total for line in older.context["lines"]] == ["$1.00"]
    assert b'id="older"' in newest.content
    assert b'id="older"' not in older.content
    assert browser_of(alice).get("/money/?before=x").context["lines"] == newest.context["lines"]


def test_a_site_without_gateway_says_so_and_shows_no_form(
    alice: User, browser_of: Browser, settings: Settings
) -> None:
    settings.TEST_PAYMENTS = False
    page = browser_of(alice).get("/money/").content.decode()
    assert "This site takes no cards yet" in page
    assert 'name="amount"' not in page
