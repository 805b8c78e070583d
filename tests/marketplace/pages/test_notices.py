"""The pages of notices and web hooks."""

from collections.abc import Callable
from datetime import datetime

from django.test import Client

from marketplace.accounts.models import User
from marketplace.domain.notices import LETTERS
from marketplace.notices import queries
from marketplace.notices.actions.notify import notify
from marketplace.notices.models import Delivery, WebHook
from tests.marketplace.browsers import enter

Browser = Callable[[User], Client]


def test_a_notice_shows_until_it_was_seen(alice: User, browser_of: Browser, now: datetime) -> None:
    browser = browser_of(alice)
    assert b"Nothing to tell yet" in browser.get("/notices/").content
    told = {"title": "Your balance runs low", "text": "<b>", "data": {"url": "/money/"}}
    notify(user_id=alice.pk, kind="balance_low", cause="x", now=now, **told)  # type: ignore[arg-type]
    page = browser.get("/notices/").content.decode()
    assert '<a href="/money/">Your balance runs low</a>' in page
    assert "&lt;b&gt;" in page
    assert "Notices, 1 new" in page
    up_to = {"up_to": browser.get("/notices/").context["newest"]}
    seen = browser.post("/notices/read", up_to, follow=True).content.decode()
    assert "Notices, 1 new" not in seen
    assert "I have seen these" not in seen


def test_letters_are_chosen_by_a_plain_form(alice: User, bob: User, browser_of: Browser) -> None:
    browser = browser_of(alice)
    every = browser.get("/notices/letters/").context["form"].initial["kinds"]
    assert every == list(LETTERS)
    kept = {"kinds": [kind for kind in every if kind != "rental_ended"]}
    assert b"as you chose" in browser.post("/notices/letters/", kept, follow=True).content
    assert queries.letters_off(alice.pk) == {"rental_ended"}
    assert browser.post("/notices/letters/", {"kinds": ["x"]}).status_code == 422
    browser.post("/notices/letters/", {})
    assert queries.letters_off(alice.pk) == set(LETTERS)
    assert queries.letters_off(bob.pk) == set()


def test_a_notice_leads_to_no_other_site(alice: User, browser_of: Browser, now: datetime) -> None:
    for number, url in enumerate(("//evil.example/", "https://evil.example/", 5)):
        data = {"url": url}
        notify(user_id=alice.pk, kind="payment", cause=f"{number}", title="T", data=data, now=now)
    assert b"evil" not in browser_of(alice).get("/notices/").content


def test_a_hook_is_added_tested_and_removed_by_plain_forms(
    alice: User, bob: User, browser_of: Browser
) -> None:
    browser, bobs = browser_of(alice), browser_of(bob)
    wrong = browser.post("/web-hooks/", {"url": "nowhere"})
    assert (wrong.status_code, b"Write an address such as" in wrong.content) == (422, True)
    made = browser.post("/web-hooks/", {"url": "https://example.com/berth"})
    secret = made.context["secret"]
    assert f'<code id="secret">{secret}</code>' in made.content.decode()
    assert "no-store" in made.headers["Cache-Control"]
    assert secret not in browser.get("/web-hooks/").content.decode()
    hook = WebHook.objects.get()
    for act in ("test", "on", "rotate", "remove"):
        assert bobs.post(f"/web-hooks/{hook.pk}/{act}").status_code == 404
    assert b"is on its way" in browser.post(f"/web-hooks/{hook.pk}/test", follow=True).content
    assert Delivery.objects.get().hook == hook
    WebHook.objects.update(off_at=hook.created_at, failures=3, problem="It answered 500.")
    assert b"Turn on" in browser.get("/web-hooks/").content
    assert b"is on again" in browser.post(f"/web-hooks/{hook.pk}/on", follow=True).content
    browser.post(f"/web-hooks/{hook.pk}/remove")
    assert not WebHook.objects.exists()


def test_a_new_secret_is_shown_once_to_whoever_says_who_they_are(
    alice: User, browser_of: Browser
) -> None:
    browser = browser_of(alice)
    first = browser.post("/web-hooks/", {"url": "https://example.com/berth"}).context["secret"]
    path = f"/web-hooks/{WebHook.objects.get().pk}/rotate"
    made = browser.post(path)
    second = made.context["secret"]
    assert f'<code id="secret">{second}</code>' in made.content.decode()
    assert b"the secret before signs too" in made.content
    assert "no-store" in made.headers["Cache-Control"]
    listed = browser.get(path, follow=True).content.decode()
    assert "Its secret before this one signs too until" in listed
    assert first != second
    assert second not in listed
    idle = enter(Client(), alice, ago_s=3600)
    assert idle.post(path).headers["Location"].startswith("/accounts/reauthenticate/")
    assert Client().post(path).headers["Location"].startswith("/accounts/login/")
    assert WebHook.objects.get().secret_turn == 1
