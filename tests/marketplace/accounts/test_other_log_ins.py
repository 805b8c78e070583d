"""People log in by GitHub and Google, and nobody gets into an account of somebody else by that."""

import base64
import hashlib
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, hotp_value
from allauth.socialaccount.models import SocialAccount
from allauth.socialaccount.providers.github.views import GitHubOAuth2Adapter
from allauth.socialaccount.providers.google.views import GoogleOAuth2Adapter
from django.contrib.auth.models import AnonymousUser
from django.test import Client
from pytest_django.fixtures import Settings

from marketplace.accounts.actions.prove_email import prove
from marketplace.accounts.models import AccountEvent, ApiKey, User
from tests.marketplace.accounts.elsewhere import CLIENT_ID, SECRET, Elsewhere, serving
from tests.marketplace.browsers import enter
from tests.marketplace.conftest import PASSWORD

pytestmark = pytest.mark.django_db
BOTH = ("github", "google")


@pytest.fixture
def there(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Elsewhere]:
    """GitHub and Google at one address of loopback, which know this site."""
    app = {"client_id": CLIENT_ID, "secret": SECRET}
    settings.SOCIALACCOUNT_PROVIDERS = {
        one: {"OAUTH_PKCE_ENABLED": True, "APP": app} for one in BOTH
    }
    with serving() as there:
        for adapter in (GitHubOAuth2Adapter, GoogleOAuth2Adapter):
            monkeypatch.setattr(adapter, "authorize_url", f"{there.url}/authorize")
            monkeypatch.setattr(adapter, "access_token_url", f"{there.url}/token")
        monkeypatch.setattr(GitHubOAuth2Adapter, "profile_url", f"{there.url}/user")
        monkeypatch.setattr(GitHubOAuth2Adapter, "emails_url", f"{there.url}/user/emails")
        monkeypatch.setattr(GoogleOAuth2Adapter, "identity_url", f"{there.url}/userinfo")
        yield there


def sent_back(browser: Client, provider: str = "github", asked: str = "process=login") -> str:
    """Return where the other site sends a browser back to that asks to log in by it."""
    page = browser.post(f"/accounts/{provider}/login/?{asked}")
    assert page.status_code == 200
    back = httpx.get(page.context["url"], follow_redirects=False).headers["Location"]
    parts = urlsplit(back)
    assert parts.path == f"/accounts/{provider}/login/callback/"
    return f"{parts.path}?{parts.query}"


def come(browser: Client, provider: str = "github", asked: str = "process=login") -> Any:
    """Return what the browser gets when it is back."""
    return browser.get(sent_back(browser, provider, asked))


def inside(browser: Client) -> str:
    """Return whose account the browser is in; empty: nobody's."""
    user = browser.get("/offers/").context["user"]
    return "" if isinstance(user, AnonymousUser) else user.email


@pytest.mark.parametrize("provider", BOTH)
def test_a_stranger_gets_an_account_and_comes_back_to_it(there: Elsewhere, provider: str) -> None:
    there.emails = [("Dora@Example.com", True)]
    first, second = Client(), Client()
    assert come(first, provider).headers["Location"] == "/rentals/"
    assert inside(first) == "dora@example.com"
    there.emails = [("dora.new@example.com", True)]
    come(second, provider)
    assert inside(second) == "dora@example.com"
    dora = User.objects.get()
    assert not dora.has_usable_password()
    address = EmailAddress.objects.get()
    assert (address.email, address.verified, address.primary) == ("dora@example.com", True, True)
    assert "bio" not in SocialAccount.objects.get().extra_data


@pytest.mark.parametrize("provider", BOTH)
@pytest.mark.parametrize("proven", [False, True])
def test_an_address_that_somebody_has_here_opens_nothing(
    there: Elsewhere, alice: User, provider: str, *, proven: bool
) -> None:
    if proven:
        prove(user=alice)
    there.emails = [("ALICE@example.com", True)]
    browser = Client()
    reply = come(browser, provider)
    assert (reply.status_code, inside(browser)) == (409, "")
    assert "You have an account here" in reply.content.decode()
    assert not SocialAccount.objects.exists()
    assert alice.check_password(PASSWORD)


def test_an_address_that_somebody_only_added_to_theirs_opens_nothing(
    there: Elsewhere, alice: User
) -> None:
    EmailAddress.objects.create(user=alice, email="dora@example.com", verified=True)
    there.emails = [("dora@example.com", True)]
    browser = Client()
    assert (come(browser).status_code, inside(browser)) == (409, "")
    assert User.objects.count() == 1


@pytest.mark.parametrize("provider", BOTH)
@pytest.mark.parametrize("emails", [[], [("dora@example.com", False)]])
def test_an_address_that_nobody_has_proven_makes_no_account(
    there: Elsewhere, provider: str, emails: list[tuple[str, bool]]
) -> None:
    there.emails = emails
    browser = Client()
    reply = come(browser, provider)
    assert (reply.status_code, inside(browser)) == (409, "")
    assert "does not know your address" in reply.content.decode()
    assert not User.objects.exists()


def test_of_several_addresses_a_proven_one_counts(there: Elsewhere) -> None:
    there.emails = [("a@example.com", False), ("b@example.com", True)]
    browser = Client()
    come(browser)
    assert inside(browser) == "b@example.com"
    assert [one.email for one in EmailAddress.objects.all()] == ["b@example.com"]


def test_an_owner_links_it_with_the_password_and_is_told(there: Elsewhere, alice: User) -> None:
    prove(user=alice)
    there.emails = [("work@example.com", True)]
    browser = enter(Client(), alice)
    asked = come(browser, asked="process=connect")
    assert asked.headers["Location"] == "/accounts/reauthenticate/"
    assert not SocialAccount.objects.exists()
    browser.post("/accounts/reauthenticate/", {"password": PASSWORD})
    page = browser.get("/accounts/3rdparty/").content.decode()
    assert "Unlink GitHub" in page
    assert "Link Google" in page
    assert "Link GitHub" not in page
    event = AccountEvent.objects.get()
    assert (event.kind, event.user) == ("log_in_linked", alice)
    assert event.about == "GitHub (alice-elsewhere)"
    assert "alice-elsewhere" in page
    other = Client()
    come(other)
    assert inside(other) == alice.email
    browser.post("/accounts/3rdparty/", {"account": SocialAccount.objects.get().pk})
    assert not SocialAccount.objects.exists()


def test_nothing_is_linked_to_an_account_whose_address_is_not_proven(
    there: Elsewhere, alice: User
) -> None:
    EmailAddress.objects.create(user=alice, email=alice.email, primary=True)
    browser = enter(Client(), alice)
    reply = come(browser, asked="process=connect")
    assert reply.status_code == 409
    assert "Prove your address first" in reply.content.decode()
    browser.post("/accounts/reauthenticate/", {"password": PASSWORD})
    assert not SocialAccount.objects.exists()


def test_nobody_links_what_opens_another_account_or_unlinks_it(
    there: Elsewhere, alice: User, bob: User
) -> None:
    for user in (alice, bob):
        prove(user=user)
    SocialAccount.objects.create(user=bob, provider="github", uid=str(there.uid))
    browser = enter(Client(), alice)
    come(browser, asked="process=connect")
    browser.post("/accounts/reauthenticate/", {"password": PASSWORD})
    assert SocialAccount.objects.get().user == bob
    browser.post("/accounts/3rdparty/", {"account": SocialAccount.objects.get().pk})
    assert SocialAccount.objects.get().user == bob
    assert "Unlink" not in browser.get("/accounts/3rdparty/").content.decode()


def test_a_second_step_is_asked_for_all_the_same(there: Elsewhere, alice: User) -> None:
    secret = base64.b32encode(hashlib.sha1(b"by another log-in").digest()).decode()
    TOTP.activate(alice, secret)
    SocialAccount.objects.create(user=alice, provider="github", uid=str(there.uid))
    browser = Client()
    assert come(browser).headers["Location"] == "/accounts/2fa/authenticate/"
    assert inside(browser) == ""
    shown = format_hotp_value(hotp_value(secret, int(time.time()) // 30))
    browser.post("/accounts/2fa/authenticate/", {"code": shown})
    assert inside(browser) == alice.email


def test_who_was_shut_out_stays_out(there: Elsewhere, alice: User) -> None:
    SocialAccount.objects.create(user=alice, provider="github", uid=str(there.uid))
    User.objects.update(is_active=False)
    browser = Client()
    come(browser)
    assert inside(browser) == ""


def test_an_answer_counts_once_and_only_in_the_browser_that_asked(there: Elsewhere) -> None:
    there.emails = [("dora@example.com", True)]
    asking, other = Client(), Client()
    answer = sent_back(asking)
    assert other.get(answer).status_code == 401
    assert inside(other) == ""
    asking.get(answer)
    assert inside(asking) == "dora@example.com"
    asking.post("/accounts/logout/")
    assert asking.get(answer).status_code == 401
    assert inside(asking) == ""


@pytest.mark.parametrize("status", [403, 500])
@pytest.mark.parametrize("provider", BOTH)
def test_a_site_that_fails_is_told_of_in_words(
    there: Elsewhere, provider: str, status: int
) -> None:
    there.broken = status
    reply = come(Client(), provider)
    assert reply.status_code == 401
    assert "That log-in did not work" in reply.content.decode()


def test_who_says_no_there_is_back_at_the_log_in(there: Elsewhere) -> None:
    browser = Client()
    state = sent_back(browser).partition("state=")[2]
    callback = "/accounts/github/login/callback/"
    back = browser.get(f"{callback}?error=access_denied&state={state}", follow=True)
    assert "You went back" in back.content.decode()


def test_nothing_but_the_way_back_is_taken_from_the_address(there: Elsewhere) -> None:
    browser = Client()
    asked = "process=login&next=//evil.example/&scope=repo&auth_params=login=mallory"
    page = browser.post(f"/accounts/github/login/?{asked}")
    assert "repo" not in page.context["url"]
    assert "mallory" not in page.context["url"]
    there.emails = [("dora@example.com", True)]
    assert come(browser, asked=asked).headers["Location"] == "/rentals/"


def test_whoever_has_no_password_logs_in_again_before_what_a_session_must_not_do(
    there: Elsewhere,
) -> None:
    there.emails = [("dora@example.com", True)]
    come(browser := Client())
    assert browser.post("/api-keys/", {"name": "at once"}).status_code == 200
    idle = enter(Client(), User.objects.get(), ago_s=3600)
    new = {"password1": "another-one-9", "password2": "another-one-9"}
    for path, told in (
        ("/api-keys/", {"name": "ci"}),
        ("/accounts/password/set/", new),
        ("/accounts/email/", {"action_add": "", "email": "mallory@example.com"}),
    ):
        asked = idle.post(path, told)
        assert asked.headers["Location"].startswith("/accounts/again/?next="), path
    page = idle.get(asked.headers["Location"]).content.decode()
    assert "Go on with GitHub" in page
    assert "Go on with Google" not in page
    assert come(idle, asked="process=login&next=/api-keys/").headers["Location"] == "/api-keys/"
    assert idle.post("/api-keys/", {"name": "ci"}).status_code == 200
    assert [key.name for key in ApiKey.objects.order_by("created_at")] == ["at once", "ci"]


def test_the_ways_are_shown_where_they_are_on(there: Elsewhere, client: Client) -> None:
    for path in ("/accounts/login/?next=/money/", "/accounts/signup/"):
        page = client.get(path).content.decode()
        assert "Go on with GitHub" in page
        assert "Go on with Google" in page
    assert "next=%2Fmoney%2F" in client.get("/accounts/login/?next=/money/").content.decode()
    assert "Log in by GitHub?" in client.get("/accounts/github/login/").content.decode()


def test_nothing_of_it_is_there_where_it_is_not_configured(
    client: Client, alice: User, settings: Settings
) -> None:
    settings.SOCIALACCOUNT_PROVIDERS = {}
    for path in ("/accounts/login/", "/accounts/signup/"):
        assert "GitHub" not in client.get(path).content.decode()
    for provider in BOTH:
        assert client.post(f"/accounts/{provider}/login/").status_code == 404
        assert client.get(f"/accounts/{provider}/login/").status_code == 404
        assert client.get(f"/accounts/{provider}/login/callback/?code=1&state=1").status_code == 404
    page = enter(client, alice).get("/accounts/email/").content.decode()
    assert "Other log-ins" not in page
    assert client.get("/accounts/3rdparty/signup/").status_code == 302


def test_the_other_ways_in_of_the_library_are_shut(there: Elsewhere, client: Client) -> None:
    assert client.get("/accounts/3rdparty/signup/").status_code == 200
    sent = {"credential": "x", "g_csrf_token": "x", "email": "dora@example.com"}
    client.cookies["g_csrf_token"] = "x"
    for path in ("/accounts/3rdparty/signup/", "/accounts/google/login/token/"):
        client.post(path, sent)
    assert not User.objects.exists()
