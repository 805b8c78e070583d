"""SSH keys and API keys."""

from collections.abc import Callable

from django.test import Client

from marketplace.accounts.models import ApiKey, SshKey, User
from tests.marketplace.rentals.market import ALICES_KEY

Browser = Callable[[User], Client]


def test_a_key_is_added_and_removed_by_plain_forms(alice: User, browser_of: Browser) -> None:
    browser = browser_of(alice)
    assert b"Your key is how you log in" in browser.get("/keys/").content
    added = browser.post("/keys/", {"name": "laptop", "public_key": ALICES_KEY}, follow=True)
    key = SshKey.objects.get(user=alice)
    assert key.fingerprint in added.content.decode()
    gone = browser.post(f"/keys/{key.pk}/remove", follow=True)
    assert b"The key is gone" in gone.content
    assert not SshKey.objects.exists()


def test_a_malformed_key_is_explained_at_the_field(alice: User, browser_of: Browser) -> None:
    reply = browser_of(alice).post("/keys/", {"name": "x", "public_key": "ssh-rsa nonsense"})
    assert reply.status_code == 422
    assert len(reply.context["form"].errors["public_key"]) == 1
    assert b"ssh-rsa nonsense" in reply.content
    assert not SshKey.objects.exists()


def test_adding_a_key_leads_back_to_the_rent_page(alice: User, browser_of: Browser) -> None:
    sent = {"name": "laptop", "public_key": ALICES_KEY, "next": "/offers/1/rent"}
    assert browser_of(alice).post("/keys/", sent).headers["Location"] == "/offers/1/rent"


def test_adding_a_key_never_leads_to_another_site(alice: User, browser_of: Browser) -> None:
    for target in ("https://evil.example/", "//evil.example/", "javascript:alert(1)", "zzz", "a:b"):
        sent = {"name": "laptop", "public_key": ALICES_KEY, "next": target}
        assert browser_of(alice).post("/keys/", sent).headers["Location"] == "/keys/"


def test_bob_cannot_remove_alices_keys(alice: User, bob: User, browser_of: Browser) -> None:
    browser_of(alice).post("/keys/", {"name": "laptop", "public_key": ALICES_KEY})
    browser_of(alice).post("/api-keys/", {"name": "ci"})
    ssh_key, api_key = SshKey.objects.get(), ApiKey.objects.get()
    bobs = browser_of(bob)
    assert bobs.post(f"/keys/{ssh_key.pk}/remove").status_code == 404
    assert bobs.post(f"/api-keys/{api_key.pk}/revoke").status_code == 404
    api_key.refresh_from_db()
    assert SshKey.objects.exists()
    assert api_key.revoked_at is None
    assert ssh_key.fingerprint not in bobs.get("/keys/").content.decode()


def test_an_api_key_is_shown_once(alice: User, browser_of: Browser) -> None:
    browser = browser_of(alice)
    reply = browser.post("/api-keys/", {"name": "ci"})
    secret = reply.context["secret"]
    assert secret.startswith("brt_")
    assert f'<code id="secret">{secret}</code>' in reply.content.decode()
    assert "no-store" in reply.headers["Cache-Control"]
    assert secret not in browser.get("/api-keys/").content.decode()


def test_a_revoked_api_key_leaves_the_list(alice: User, browser_of: Browser) -> None:
    browser = browser_of(alice)
    browser.post("/api-keys/", {"name": "ci"})
    key = ApiKey.objects.get()
    browser.post(f"/api-keys/{key.pk}/revoke")
    assert key.prefix not in browser.get("/api-keys/").content.decode()
