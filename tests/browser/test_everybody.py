"""Everybody can read the pages of money: by ear, by keyboard, on a phone, with much or nothing."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Browser, Page

from marketplace.accounts.models import SpendLimit, User
from marketplace.domain.invoice import Line
from marketplace.domain.ledger import TransferKind
from marketplace.domain.money import MicroUsd
from marketplace.ledger.actions import open_account
from marketplace.ledger.actions.post import post
from marketplace.metering.models import Meter
from marketplace.notices.actions.notify import notify
from marketplace.notices.models import WebHook
from marketplace.offers.models import Offer
from marketplace.papers.actions.issue import issue
from marketplace.papers.content import made_out
from marketplace.papers.models import BillingDetails, PaperKind
from marketplace.payments.models import TopUp, TopUpState
from marketplace.payouts.models import Payout, PayoutAccount
from tests.browser.audit import problems
from tests.browser.conftest import TIMEOUT_MS, Enter
from tests.marketplace import scene
from tests.marketplace.rentals.market import Market, give_key

LONG = (
    "registry.research.university.example.edu/a-very-long-team-name/pytorch-2.9.1-cuda12.8:nightly"
)
MUCH = MicroUsd(12_345_678_912_345)
PAGES = (
    *(
        "/money/",
        "/money/invoices/",
        "/money/limits/",
        "/notices/",
        "/notices/letters/",
        "/web-hooks/",
    ),
    *("/host/", "/host/earnings/", "/host/payouts/", "/rentals/"),
)


@pytest.fixture
def phone(chromium: Browser, site: str) -> Iterator[Page]:
    context = chromium.new_context(base_url=site, viewport={"width": 390, "height": 800})
    context.set_default_timeout(TIMEOUT_MS)
    window = context.new_page()
    errors: list[str] = []
    window.on("pageerror", lambda error: errors.append(f"{window.url}: {error}"))
    yield window
    context.close()
    assert errors == []


def pay(user: User, amount_microusd: MicroUsd, *, earned: bool = False) -> None:
    opened = open_account.earnings if earned else open_account.wallet
    post(
        debit=open_account.outside(),
        credit=opened(user_id=user.pk),
        amount_microusd=amount_microusd,
        kind=TransferKind.CHARGE if earned else TransferKind.TOP_UP,
        cause=f"paid:{user.pk}:{earned}",
        note=LONG,
        now=timezone.now(),
    )


def give_papers(user: User, now: datetime) -> None:
    BillingDetails.objects.create(user=user, name=LONG, address="Road 1\nTown", country="DE")
    lines = [
        Line(f"Rental 3f2a91c0 ({LONG})", "0.7213 h at $0.427/h", MicroUsd(307_995)),
        Line("Credit given back: 4 s without a door", "", MicroUsd(-474)),
    ]
    told = made_out(user_id=user.pk, lines=lines, about="Usage of 2026-02 (UTC)")
    month = datetime(2026, 2, 1, tzinfo=UTC)
    issue(user_id=user.pk, kind=PaperKind.INVOICE, content=told, month=month, now=now)


def give_payments(user: User, now: datetime) -> None:
    for number, state in enumerate(TopUpState):
        TopUp.objects.create(
            user=user, amount_microusd=MUCH // 10, state=state, gateway="stripe",
            cause=f"paid:{number}", created_at=now, ask_at=now, reason=LONG,
            confirm_url="https://example.com/" if state == TopUpState.PENDING else "",
        )  # fmt: skip
    for period in ("day", "month"):
        SpendLimit.objects.create(user=user, period=period, limit_microusd=MUCH, began_at=now)


def give_notices(user: User, now: datetime) -> None:
    url = f"https://{LONG.partition(':')[0]}?token={'0' * 64}"
    WebHook.objects.create(user=user, url=url, created_at=now, tried_at=now, problem=LONG)
    notify(
        user_id=user.pk, kind="rental_outbid", cause="1", title=f"Somebody bids more for {LONG}",
        text=LONG, data={"url": "/money/"}, now=now,
    )  # fmt: skip


def give_payout(host: User, now: datetime) -> None:
    """One that is on its way: it is not settled yet, so one of its moments is none."""
    pay(host, MUCH, earned=True)
    account = PayoutAccount.objects.create(
        host=host, gateway="stripe", country="US", email=host.email, reference="acct_1",
        enabled_at=now, opened_at=now, look_at=now + timedelta(days=1),
    )  # fmt: skip
    Payout.objects.create(
        host=host, account=account, week=now.date(), amount_microusd=MUCH, sink="outside",
        state="sent", due_at=now, created_at=now, reason=LONG,
    )  # fmt: skip


def test_the_pages_of_money_are_for_everybody(
    phone: Page, enter: Enter, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = timezone.now()
    monkeypatch.setattr(scene, "NOW", now - timedelta(minutes=10))
    person = User.objects.create_user(f"{'long.name.' * 5}@research.university.example.edu")
    market = Market.open(User.objects.create_user("charlie@example.com"))
    Offer.objects.update(bid_floor_microusd=900_000, network_price_microusd=20_000)
    give_key(person)
    for give in (give_papers, give_payments, give_notices, give_payout):
        give(person, now)
    pay(person, MUCH)
    rental = market.rent(person, image=LONG, bid_microusd=MicroUsd(1_234_567), now=scene.NOW)
    market.run(rental, at=scene.after(1))
    Meter.objects.update(proven_ms=400_000, proven_until=now, charged_microusd=1, charged_ms=1)
    own = (
        *("/money/invoices/INV-000001/", f"/rentals/{rental.id}/", f"/rentals/{rental.id}/bill"),
        *(f"/offers/{market.offer.id}/rent", f"/host/statements/{now:%Y-%m}/"),
    )
    found = []
    newcomer = User.objects.create_user("new@example.com")
    for user, places in ((person, (*PAGES, *own)), (newcomer, PAGES)):
        enter(phone, user)
        for place in places:
            reply = phone.goto(place)
            assert reply is not None
            assert reply.ok, place
            found += problems(phone)
    assert found == []


def test_the_keyboard_reaches_every_part_of_the_money_page(page: Page, enter: Enter) -> None:
    person = User.objects.create_user("alice@example.com")
    enter(page, person)
    page.goto("/money/")
    reached = set()
    for _ in range(30):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.textContent.trim()"))
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline == "solid" or page.evaluate("document.activeElement === document.body")
    assert {"Invoices", "Spend limits", "Add", "Your money as CSV"} <= reached
