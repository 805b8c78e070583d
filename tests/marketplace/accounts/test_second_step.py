"""A second step keeps out whoever knows the password alone, in a browser and in a program."""

import base64
import hashlib
import time
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, hotp_value
from django.core.management import CommandError, call_command
from django.test import Client

from marketplace.accounts.models import ApiKey, User
from marketplace.accounts.second_step import CODES, Adapter
from tests.marketplace.conftest import PASSWORD

pytestmark = pytest.mark.django_db
STEP_S = 30
ACTIVATE = "/accounts/2fa/totp/activate/"


@pytest.fixture
def secret(request: pytest.FixtureRequest) -> str:
    """Each test has its own: this process remembers which codes were used."""
    return base64.b32encode(hashlib.sha1(request.node.name.encode()).digest()).decode()


@pytest.fixture
def guarded(alice: User, secret: str) -> User:
    """Alice, whose account asks for a code of an app."""
    EmailAddress.objects.create(user=alice, email=alice.email, verified=True, primary=True)
    TOTP.activate(alice, secret)
    return alice


def code(secret: str) -> str:
    """Return what an app shows now; it is taken for a step longer."""
    return str(format_hotp_value(hotp_value(secret, int(time.time()) // STEP_S)))


def logged_in(user: User, **options: Any) -> Client:
    """Return the browser of somebody who gave the password, and again as it was asked for."""
    browser = Client(**options)
    browser.post("/accounts/login/", {"login": user.email, "password": PASSWORD})
    browser.post("/accounts/reauthenticate/", {"password": PASSWORD})
    return browser


def ask(user: User, **more: str) -> tuple[int, str]:
    reply = Client().post(
        "/api/v1/auth/key",
        {"email": user.email, "password": PASSWORD, **more},
        content_type="application/json",
    )
    return reply.status_code, reply.json().get("code", "")


def begun(user: User) -> Client:
    """Return a browser that gave the right password."""
    browser = Client()
    reply = browser.post("/accounts/login/", {"login": user.email, "password": PASSWORD})
    assert reply["Location"] == "/accounts/2fa/authenticate/"
    return browser


def logged_in_by_now(user: User) -> Client:
    """Return a browser in which this person has been for a while."""
    browser = Client()
    browser.force_login(user, backend="allauth.account.auth_backends.AuthenticationBackend")
    assert is_in(browser)
    return browser


def is_in(browser: Client) -> bool:
    return browser.get("/rentals/").status_code == 200


def test_a_program_gives_the_code_as_well(guarded: User, secret: str) -> None:
    assert ask(guarded) == (401, "code_required")
    assert ask(guarded, code="00000x") == (401, "wrong_code")
    assert ask(guarded, code=code(secret)) == (201, "")


def test_a_wrong_password_does_not_say_that_there_is_a_second_step(
    guarded: User, secret: str
) -> None:
    assert ask(guarded, password="wrong", code=code(secret)) == (401, "unauthenticated")


def test_a_code_serves_once_in_programs_and_pages_together(guarded: User, secret: str) -> None:
    shown = code(secret)
    assert ask(guarded, code=shown) == (201, "")
    assert ask(guarded, code=shown[:3] + " " + shown[3:]) == (401, "wrong_code")
    browser = begun(guarded)
    page = browser.post("/accounts/2fa/authenticate/", {"code": shown}).content.decode()
    assert "it was used" in page or "Incorrect code" in page
    assert not is_in(browser)


def test_a_recovery_code_opens_once(guarded: User, secret: str) -> None:
    spare = RecoveryCodes.activate(guarded).generate_codes()[0]
    assert ask(guarded, code=spare) == (201, "")
    assert ask(guarded, code=spare) == (401, "wrong_code")


def test_codes_cannot_be_guessed_for_long(guarded: User, secret: str) -> None:
    browser = begun(guarded)
    for _ in range(CODES.attempts_max):
        browser.post("/accounts/2fa/authenticate/", {"code": "abcdef"})
    page = browser.post("/accounts/2fa/authenticate/", {"code": code(secret)}).content.decode()
    assert "Too many attempts" in page
    assert not is_in(browser)
    assert ask(guarded, code=code(secret)) == (429, "rate_limited")


def test_a_browser_gives_the_code_after_the_password(guarded: User, secret: str) -> None:
    browser = begun(guarded)
    assert not is_in(browser)
    assert browser.post("/accounts/2fa/authenticate/", {"code": code(secret)}).status_code == 302
    assert is_in(browser)


def test_the_operators_pages_ask_for_it_too(guarded: User, secret: str) -> None:
    User.objects.filter(pk=guarded.pk).update(is_staff=True, is_superuser=True)
    browser = begun(guarded)
    assert browser.get("/admin/").status_code == 302


def test_who_has_a_passkey_alone_makes_a_key_on_the_page(alice: User) -> None:
    Authenticator.objects.create(user=alice, type=Authenticator.Type.WEBAUTHN, data={})
    assert ask(alice) == (401, "passkey_only")
    assert not ApiKey.objects.exists()


def test_secrets_are_unreadable_in_the_database_and_under_another_key(
    guarded: User, secret: str, settings: Any
) -> None:
    kept = Authenticator.objects.get(user=guarded).data["secret"]
    assert secret not in kept
    assert Adapter().decrypt(kept) == secret
    settings.SECRET_KEY = "another" * 8
    assert Adapter().decrypt(kept) != secret
    assert ask(guarded, code=code(secret)) == (401, "wrong_code")


def test_somebody_sets_a_second_step_up_on_the_page(alice: User) -> None:
    EmailAddress.objects.create(user=alice, email=alice.email, verified=True, primary=True)
    browser = logged_in(alice)
    page = browser.get(ACTIVATE)
    assert "data:image/svg+xml" in page.content.decode()
    shown = code(page.context["form"].secret)
    made = browser.post(ACTIVATE, {"code": shown}, follow=True)
    assert "I have saved my recovery codes" in made.content.decode()
    assert ask(alice) == (401, "code_required")
    assert "is active" in browser.get("/accounts/2fa/").content.decode()


def test_a_stolen_session_alone_changes_nothing(alice: User) -> None:
    EmailAddress.objects.create(user=alice, email=alice.email, verified=True, primary=True)
    browser = logged_in_by_now(alice)
    assert browser.get(ACTIVATE)["Location"].startswith("/accounts/reauthenticate/")


def test_nobody_guards_an_account_whose_address_is_not_proven(alice: User) -> None:
    EmailAddress.objects.create(user=alice, email=alice.email, primary=True)
    page = logged_in(alice).get(ACTIVATE, follow=True)
    assert "until you have verified your email address" in page.content.decode()
    assert not Authenticator.objects.exists()


def test_sessions_are_listed_and_ended(alice: User) -> None:
    here, there = (logged_in(alice, headers={"user-agent": name}) for name in ("Here", "There"))
    assert is_in(here)
    assert is_in(there)
    page = here.get("/accounts/sessions/").content.decode()
    assert "Here" in page
    assert "There" in page
    here.post("/accounts/sessions/")
    assert is_in(here)
    assert not is_in(there)


def test_an_operator_takes_a_lost_one_off_with_all_that_it_let_in(
    guarded: User, secret: str
) -> None:
    spare = RecoveryCodes.activate(guarded).generate_codes()[0]
    assert ask(guarded, code=spare) == (201, "")
    browser = begun(guarded)
    browser.post("/accounts/2fa/authenticate/", {"code": code(secret)})
    assert is_in(browser)
    call_command("remove_second_step", "Alice@example.com")
    assert not is_in(browser)
    assert not ApiKey.objects.filter(revoked_at=None).exists()
    assert ask(guarded) == (201, "")
    with pytest.raises(CommandError, match="password alone"):
        call_command("remove_second_step", guarded.email)
    with pytest.raises(CommandError, match="Nobody here"):
        call_command("remove_second_step", "nobody@example.com")
