"""A host's pages of earnings, payouts and statements, from nothing to a payout that arrived."""

from collections.abc import Callable

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from marketplace.accounts.models import User
from marketplace.domain.ledger import AccountKind, TransferKind
from marketplace.domain.money import MicroUsd
from marketplace.ledger import queries as ledger
from marketplace.ledger.actions import open_account
from marketplace.ledger.actions.post import post
from marketplace.ledger.models import Account
from marketplace.payouts.actions.look_at_accounts import look_at_accounts
from marketplace.payouts.actions.open_payouts import open_payouts
from marketplace.payouts.actions.send_payouts import send_payouts
from marketplace.payouts.models import HostDetails, PayoutAccount
from tests.marketplace.payouts.conftest import day

Browser = Callable[[User], Client]
DETAILS = {
    "legal_name": "Charlie Chandler",
    "country": "US",
    "tax_id": "12-3456789",
    "address": "1 Main Street\nSpringfield",
}


@pytest.fixture(autouse=True)
def _on_a_wednesday(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    settings.TEST_PAYMENTS = True
    monkeypatch.setattr("django.utils.timezone.now", lambda: day(-2))


@pytest.fixture
def earned(charlie: User) -> User:
    """Charlie, with $100 that are long his and $50 that are new."""
    for number, (dollars, days) in enumerate(((100, -40), (30, -10), (50, -3))):
        post(
            debit=open_account.promo(),
            credit=open_account.earnings(user_id=charlie.pk),
            amount_microusd=MicroUsd(dollars * 1_000_000),
            kind=TransferKind.CHARGE,
            cause=f"earned:{number}",
            now=day(days),
        )
    return charlie


def test_a_host_is_paid_play_money_step_by_step(earned: User, browser_of: Browser) -> None:
    browser = browser_of(earned)
    page = browser.get("/host/payouts/").content.decode()
    assert "Write your tax details first" in page
    assert "/host/payouts/onboarding" not in page
    page = browser.post("/host/payouts/", DETAILS, follow=True).content.decode()
    assert "Connect a bank account first" in page
    assert "•••••6789" in page
    assert "123456789" not in page
    reply = browser.post("/host/payouts/onboarding", follow=True)
    assert "is being looked at" in reply.content.decode()
    look_at_accounts(now=day(-2))
    page = browser.get("/host/payouts/").content.decode()
    assert '<span id="next">$127.00</span>' in page
    assert "$50.00 will be younger than 7 days by then" in page
    assert "$3.00 stays for disputes: 10 % of what you earned" in page
    open_payouts(now=day(0))
    for _ in range(2):
        send_payouts(now=day(0))
    page = browser.get("/host/payouts/").content.decode()
    assert '<span class="badge badge-good">Paid</span>' in page
    assert ledger.earned(earned.pk) == 53_000_000
    assert Account.objects.get(kind=AccountKind.PROMO).balance_microusd == -53_000_000


@pytest.mark.parametrize(
    "wrong", [{"country": "XX"}, {"tax_id": "1"}, {"legal_name": ""}, {"address": "-"}]
)
def test_wrong_details_are_explained_and_change_nothing(
    charlie: User, browser_of: Browser, wrong: dict[str, str]
) -> None:
    reply = browser_of(charlie).post("/host/payouts/", DETAILS | wrong)
    assert reply.status_code == 422
    assert not HostDetails.objects.exists()


def test_the_chain_alone_is_a_choice_that_says_what_it_means_and_can_be_undone(
    earned: User, browser_of: Browser
) -> None:
    browser = browser_of(earned)
    chosen = browser.post("/host/payouts/route", {"route": "chain_only"}, follow=True)
    assert "what renters pay stays in your earnings" in chosen.content.decode()
    refused = browser.post("/host/payouts/onboarding", follow=True)
    assert not PayoutAccount.objects.exists()
    assert "Write your name" in refused.content.decode()
    undone = browser.post("/host/payouts/route", {"route": "bank"}, follow=True)
    assert "To your bank, each Friday" in undone.content.decode()
    odd = browser.post("/host/payouts/route", {"route": "cash"}, follow=True)
    assert "Choose payouts to a bank" in odd.content.decode()


def test_the_way_to_the_processor_is_a_link(
    charlie: User, browser_of: Browser, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.PUBLIC_URL = "https://berth.example"
    browser = browser_of(charlie)
    browser.post("/host/payouts/", DETAILS)
    monkeypatch.setattr(
        "marketplace.payouts.test_gateway.TestPayouts.onboarding_url",
        lambda *_, **__: "https://connect.example/setup/1",
    )
    page = browser.post("/host/payouts/onboarding").content.decode()
    assert 'href="https://connect.example/setup/1"' in page


def test_a_site_without_a_processor_says_so(
    earned: User, browser_of: Browser, settings: Settings
) -> None:
    settings.TEST_PAYMENTS = False
    browser = browser_of(earned)
    browser.post("/host/payouts/", DETAILS)
    page = browser.get("/host/payouts/").content.decode()
    assert "This site pays nothing out yet" in page
    assert "/host/payouts/onboarding" not in page
    refused = browser.post("/host/payouts/onboarding", follow=True).content.decode()
    assert "what you earn stays yours until it does" in refused


def test_earnings_show_sums_bars_and_statements(earned: User, browser_of: Browser) -> None:
    browser = browser_of(earned)
    reply = browser.get("/host/earnings/")
    page = reply.context["page"]
    assert (page.today, page.week, page.month, page.balance) == (
        "$0.00", "$50.00", "$80.00", "$180.00",
    )  # fmt: skip
    heights = [bar.height for bar in page.chart.bars]
    assert (len(heights), max(heights), heights.count(0)) == (30, page.chart.height, 28)
    text = reply.content.decode()
    assert "most on 3 Mar 2026: $50.00" in text
    assert '<a href="/host/statements/2026-03/">2026-03</a>' in text
    month = browser.get("/host/statements/2026-03/").content.decode()
    assert 'id="closing">$180.00</' in month
    file = browser.get("/host/statements/2026-02/earnings.csv")
    assert file.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert file.content.decode().splitlines()[-1] == "2026-03-01,balance,,,,130.000000"
    assert browser.get("/host/statements/2026-07/").status_code == 404


def test_somebody_who_never_earned_sees_empty_pages(bob: User, browser_of: Browser) -> None:
    browser = browser_of(bob)
    assert "Nothing was earned in 30 days" in browser.get("/host/earnings/").content.decode()
    assert "Nothing was paid out yet" in browser.get("/host/payouts/").content.decode()


def test_the_pages_ask_as_often_for_many_days_as_for_one(
    earned: User, browser_of: Browser, django_assert_max_num_queries: Callable[[int], object]
) -> None:
    browser = browser_of(earned)
    for path in ("earnings/", "payouts/", "statements/2026-03/"):
        with django_assert_max_num_queries(14):  # type: ignore[attr-defined]
            assert browser.get(f"/host/{path}").status_code == 200


def test_visitors_are_sent_to_the_log_in(db: None) -> None:
    for path in ("earnings/", "payouts/", "statements/2026-03/", "payouts/back"):
        assert Client().get(f"/host/{path}").status_code == 302
