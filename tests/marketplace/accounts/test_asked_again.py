"""An open session alone makes no key, hook or payout route, and takes no limit off."""

from typing import Any

import pytest
from allauth.account import app_settings
from django.test import Client

from marketplace.accounts.models import ApiKey, SpendLimit, SshKey, User
from marketplace.domain.spending import Period
from marketplace.ledger.actions import spend_limit
from marketplace.notices.models import WebHook
from marketplace.payouts.models import Route
from tests.marketplace.browsers import BACKEND, enter
from tests.marketplace.conftest import PASSWORD
from tests.marketplace.rentals.market import ALICES_KEY
from tests.marketplace.scene import NOW

AGAIN = "/accounts/reauthenticate/"
LONG_AGO_S = app_settings.REAUTHENTICATION_TIMEOUT + 1
ASKING: tuple[tuple[str, dict[str, str]], ...] = (
    ("/api-keys/", {"name": "ci"}),
    ("/keys/", {"name": "laptop", "public_key": ALICES_KEY}),
    ("/web-hooks/", {"url": "https://example.com/berth"}),
    ("/host/payouts/route", {"route": Route.CHAIN_ONLY}),
    ("/host/payouts/onboarding", {}),
    ("/money/limits/", {"day": "", "month": "7"}),
    ("/money/limits/", {"day": "6", "month": "7"}),
)


@pytest.fixture
def bounded(alice: User) -> User:
    """Alice, who may set aside five dollars a day."""
    limit = spend_limit.set_limit(
        user_id=alice.pk, period=Period.DAY, limit_microusd=5_000_000, now=NOW
    )
    assert limit is not None
    return alice


def changed(user: User) -> list[object]:
    """Return what the forms change."""
    limits = SpendLimit.objects.filter(user=user, api_key=None, limit_microusd__isnull=False)
    return [
        ApiKey.objects.count(),
        SshKey.objects.count(),
        WebHook.objects.count(),
        list(limits.order_by("id").values_list("period", "limit_microusd")),
    ]


def asks(reply: Any) -> bool:
    return reply.status_code == 302 and reply.headers["Location"].startswith(f"{AGAIN}?next=")


@pytest.mark.parametrize(("path", "told"), ASKING)
@pytest.mark.parametrize("ago_s", [None, LONG_AGO_S])
def test_a_session_alone_does_nothing_of_it(
    bounded: User, path: str, told: dict[str, str], ago_s: float | None
) -> None:
    browser = Client()
    if ago_s is None:
        browser.force_login(bounded, backend=BACKEND)
    else:
        enter(browser, bounded, ago_s=ago_s)
    before = changed(bounded)
    assert asks(browser.post(path, told))
    browser.post(AGAIN, {"password": "wrong", "next": path})
    assert asks(browser.post(path, told))
    assert changed(bounded) == before


@pytest.mark.parametrize(("path", "told"), ASKING)
def test_whoever_just_logged_in_is_not_asked(
    bounded: User, path: str, told: dict[str, str]
) -> None:
    assert not asks(enter(Client(), bounded).post(path, told))


def test_what_was_asked_for_is_done_once_the_password_is_given(alice: User) -> None:
    browser = enter(Client(), alice, ago_s=LONG_AGO_S)
    asked = browser.post("/api-keys/", {"name": "ci"})
    page = browser.get(asked.headers["Location"])
    assert "Enter your password" in page.content.decode()
    given = {"password": PASSWORD, "next": "/api-keys/"}
    made = browser.post(AGAIN, given)
    assert ApiKey.objects.get().name == "ci"
    assert made.context["secret"] in made.content.decode()
    assert "no-store" in made.headers["Cache-Control"]
    assert browser.post(AGAIN, given).status_code == 302
    assert ApiKey.objects.count() == 1


def test_a_right_password_is_no_guess_whatever_it_leads_to(alice: User) -> None:
    for _ in range(30):
        browser = enter(Client(), alice, ago_s=LONG_AGO_S)
        browser.post("/keys/", {"name": "laptop", "public_key": "nonsense"})
        again = browser.post(AGAIN, {"password": PASSWORD, "next": "/keys/"})
        assert again.status_code == 422


def test_a_lower_limit_is_set_without_a_question(bounded: User) -> None:
    browser = enter(Client(), bounded, ago_s=LONG_AGO_S)
    assert browser.post("/money/limits/", {"day": "4", "month": "9"}).headers["Location"] == (
        "/money/limits/"
    )
    assert SpendLimit.objects.get(period=Period.DAY).limit_microusd == 4_000_000


def test_whoever_signs_up_is_not_asked_for_the_password_they_chose(db: None) -> None:
    browser = Client()
    browser.post("/accounts/signup/", {"email": "dora@example.com", "password1": PASSWORD})
    assert browser.post("/api-keys/", {"name": "ci"}).status_code == 200


def test_a_sign_up_in_an_open_session_proves_nothing(alice: User) -> None:
    browser = enter(Client(), alice, ago_s=LONG_AGO_S)
    browser.post("/accounts/signup/", {"email": "dora@example.com", "password1": PASSWORD})
    browser.post("/accounts/login/", {"login": "alice@example.com", "password": "wrong"})
    assert asks(browser.post("/api-keys/", {"name": "ci"}))


def test_the_password_of_another_account_proves_nothing(alice: User, bob: User) -> None:
    browser = enter(Client(), alice, ago_s=LONG_AGO_S)
    browser.post("/accounts/login/", {"login": bob.email, "password": PASSWORD})
    assert asks(browser.post("/api-keys/", {"name": "ci"}))


def test_reading_asks_nothing(alice: User) -> None:
    browser = enter(Client(), alice, ago_s=LONG_AGO_S)
    for path in ("/api-keys/", "/keys/", "/web-hooks/", "/money/limits/"):
        assert browser.get(path).status_code == 200


def test_every_address_that_asks_answers_who_loads_it_anew(bounded: User) -> None:
    """After the password they come back by a GET where nothing is left to be sent again."""
    browser = enter(Client(), bounded)
    for path, _ in ASKING:
        assert browser.get(path, follow=True).status_code == 200, path
