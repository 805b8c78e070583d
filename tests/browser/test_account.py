"""Alice guards her account with a passkey and logs in with nothing else."""

from collections.abc import Iterator

import pytest
from allauth.account.models import EmailAddress
from playwright.sync_api import Page, expect

from marketplace.accounts.models import User
from tests.browser.audit import problems
from tests.browser.test_every_page import found_by_axe
from tests.marketplace.conftest import PASSWORD

EMAIL = "alice@example.com"
PAGES = ("email/", "password/change/", "2fa/", "2fa/totp/activate/", "sessions/")


@pytest.fixture
def alice(site: str) -> User:
    person = User.objects.create_user(EMAIL, PASSWORD)
    EmailAddress.objects.create(user=person, email=EMAIL, verified=True, primary=True)
    return person


@pytest.fixture
def with_passkeys(page: Page, site: str) -> Iterator[str]:
    """The site by its name, as a passkey belongs to a name, in a browser that can make one."""
    devices = page.context.new_cdp_session(page)
    devices.send("WebAuthn.enable")
    device = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    devices.send("WebAuthn.addVirtualAuthenticator", {"options": device})
    yield site.replace("127.0.0.1", "localhost")
    devices.detach()


def test_a_passkey_is_made_and_logs_in(alice: User, page: Page, with_passkeys: str) -> None:
    site = with_passkeys
    page.goto(f"{site}/accounts/login/?next=/accounts/2fa/")
    page.get_by_label("E-mail").fill(alice.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in", exact=True).click()
    page.get_by_role("link", name="Add", exact=True).click()
    # Whoever sits down at an open page does not get this far.
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Confirm").click()
    page.get_by_label("Passwordless").check()
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_text("I have saved my recovery codes")).to_be_visible()
    page.get_by_label("I have saved my recovery codes").check()
    page.goto(f"{site}/accounts/2fa/webauthn/")
    expect(page).to_have_title("Passkeys – Berth")
    expect(page.get_by_text("Master key")).to_be_visible()
    assert [*problems(page), *found_by_axe(page)] == []
    page.goto(f"{site}/accounts/logout/")
    page.get_by_role("main").get_by_role("button", name="Log out").click()
    page.goto(f"{site}/accounts/login/?next=/rentals/")
    page.get_by_role("button", name="Log in with a passkey").click()
    page.wait_for_url("**/rentals/")
    expect(page.get_by_role("heading", name="Rentals")).to_be_visible()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_everybody_can_read_the_pages_of_an_account(
    alice: User, page: Page, site: str, theme: str
) -> None:
    page.emulate_media(color_scheme=theme)
    page.goto("/accounts/login/?next=/accounts/email/")
    page.get_by_label("E-mail").fill(alice.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in", exact=True).click()
    page.goto("/accounts/reauthenticate/?next=/accounts/2fa/")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Confirm").click()
    for path in PAGES:
        page.goto(f"/accounts/{path}")
        assert problems(page) == [], path
