"""Cards are saved and payments confirmed elsewhere; our pages lead there and say what came."""

from collections.abc import Callable
from urllib.parse import urlencode

import pytest
from django.test import Client

from marketplace.accounts.actions import issue_api_key
from marketplace.accounts.models import User
from marketplace.ledger import queries as ledger
from marketplace.payments.actions import save_card
from marketplace.payments.actions.settle_dispute import look
from marketplace.payments.models import AutoTopUp, Payer, TopUp
from scripts.stripe_stand_in.payments import WANTS_CONFIRMATION, Stripe
from tests.marketplace import scene

Browser = Callable[[User], Client]
SaveCard = Callable[..., Payer]


@pytest.fixture(autouse=True)
def _now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("django.utils.timezone.now", lambda: scene.NOW)


def text_of(reply: object) -> str:
    return reply.content.decode()  # type: ignore[attr-defined, no-any-return]


def test_a_card_is_saved_on_stripes_page(alice: User, stripe: Stripe, browser_of: Browser) -> None:
    browser = browser_of(alice)
    assert 'action="/money/"' not in text_of(browser.get("/money/"))
    page = browser.post("/money/card")
    assert f'href="{stripe.url}/_card/cs_1"' in text_of(page)
    assert "stripe.com" not in page.headers["Content-Security-Policy"]
    nothing = browser.get("/money/card/saved", follow=True)
    assert "No card was saved." in text_of(nothing)
    stripe.save_card(Payer.objects.get().customer)
    saved = browser.get("/money/card/saved", follow=True)
    assert "visa 4242, 12/2030" in text_of(saved)
    assert 'action="/money/"' in text_of(saved)


RENT = "/offers/1/rent?template=jupyter&gpus=1"


def leave(browser: Client, **changed: str) -> None:
    """Go to the processor's page from the form that adds money."""
    sent = {"amount": "12.50", "request_key": "k", "next": RENT, **changed}
    assert b"Then $12.50 is taken from it" in browser.post("/money/card", sent).content


def test_who_has_no_card_saves_one_pays_and_is_back_where_they_were(
    alice: User, stripe: Stripe, browser_of: Browser
) -> None:
    browser = browser_of(alice)
    page = text_of(browser.get("/money/", {"amount": "12.50", "next": RENT}))
    assert page.count('name="next" value="/offers/1/rent?template=jupyter&amp;gpus=1"') == 2
    for wrong in ({"amount": "ten"}, {"amount": "0.10"}):
        sent = {"request_key": "k", **wrong}
        assert browser.post("/money/card", sent).status_code == 422
    leave(browser)
    # They changed their mind on the processor's page: the form is as it was, and nothing is paid.
    back = browser.get("/money/card/saved")["Location"]
    again = browser.get(back)
    assert (again.context["form"]["amount"].value(), again.context["next"]) == ("12.50", RENT)
    leave(browser)
    stripe.save_card(Payer.objects.get().customer)
    for expected in (RENT, "/money/"):
        assert browser.get("/money/card/saved")["Location"] == expected
    assert ledger.balance(alice.pk) == 12_500_000


def test_a_card_pays_by_itself_only_what_its_owner_left_for_lately_and_only_once(
    alice: User,
    bob: User,
    stripe: Stripe,
    browser_of: Browser,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    browser = browser_of(alice)
    leave(browser, next="https://evil.example/")
    stripe.save_card(Payer.objects.get().customer)
    monkeypatch.setattr("django.utils.timezone.now", lambda: scene.after(3601))
    assert browser.get("/money/card/saved")["Location"] == "/money/"
    # Their card was saved meanwhile, so no newer one comes back.
    leave(browser, next="//evil.example/")
    assert browser.get("/money/card/saved")["Location"] == "/money/?amount=12.50"
    # One who saves a card alone pays nothing by it, and keeps what they had typed.
    browser.post("/money/card", {"amount": "7.00", "next": RENT})
    stripe.save_card(Payer.objects.get().customer)
    back = browser.get("/money/card/saved")["Location"]
    assert back == "/money/?amount=7.00&next=%2Foffers%2F1%2Frent%3Ftemplate%3Djupyter%26gpus%3D1"
    leave(browser)
    stripe.save_card(Payer.objects.get().customer)
    session = browser.session
    session["errands"]["card"]["user"] = bob.pk
    session.save()
    assert browser.get("/money/card/saved")["Location"] == "/money/"
    assert not TopUp.objects.exists()


def test_a_payment_that_the_bank_asks_about_leads_back_as_well(
    alice: User, stripe: Stripe, browser_of: Browser
) -> None:
    browser = browser_of(alice)
    again = f"/money/?amount=12.50&{urlencode({'next': RENT})}"
    for answer, expected in ((False, again), (True, RENT)):
        stripe.at = scene.after(60 * answer).timestamp()
        leave(browser, request_key=str(answer))
        stripe.save_card(Payer.objects.get().customer, WANTS_CONFIRMATION)
        row_url = browser.get("/money/card/saved")["Location"]
        row = TopUp.objects.get(state="pending")
        assert row_url == f"/money/top-ups/{row.pk}/"
        assert browser.get(row_url).status_code == 200
        stripe.confirm(row.reference, success=answer)
        assert browser.get(row_url)["Location"] == expected
    assert ledger.balance(alice.pk) == 12_500_000


def test_a_payment_is_confirmed_at_the_bank_and_settled_on_the_way_back(
    alice: User, bob: User, with_card: SaveCard, stripe: Stripe, browser_of: Browser
) -> None:
    with_card(alice, WANTS_CONFIRMATION)
    browser = browser_of(alice)
    form = {"amount": "12.50", "request_key": "k"}
    page = browser.post("/money/", form, follow=True)
    row = TopUp.objects.get()
    assert page.redirect_chain[-1][0] == f"/money/top-ups/{row.pk}/"
    assert row.confirm_url in text_of(page)
    assert browser_of(bob).get(f"/money/top-ups/{row.pk}/").status_code == 404
    stripe.confirm(row.reference)
    back = browser.get(f"/money/top-ups/{row.pk}/", follow=True)
    assert "$12.50 is in your balance." in text_of(back)
    assert ledger.balance(alice.pk) == 12_500_000


def test_a_silent_stripe_is_said_in_words(
    alice: User, with_card: SaveCard, stripe: Stripe, browser_of: Browser
) -> None:
    with_card(alice)
    browser = browser_of(alice)
    stripe.is_down = True
    reply = browser.post("/money/", {"amount": "5", "request_key": "k"}, follow=True)
    assert "is on its way" in text_of(reply)
    waiting = browser.get(f"/money/top-ups/{TopUp.objects.get().pk}/")
    assert "this goes on by itself" in text_of(waiting)
    for path in ("/money/card", "/money/card/remove"):
        assert "does not answer" in text_of(browser.post(path, follow=True))
    assert "as soon as" in text_of(browser.get("/money/card/saved", follow=True))
    assert Payer.objects.get().card


def test_a_rule_is_set_changed_and_turned_off(
    alice: User, with_card: SaveCard, browser_of: Browser
) -> None:
    with_card(alice)
    browser = browser_of(alice)
    names = ("threshold", "amount", "month_max")

    def send(*values: str) -> object:
        form = {f"automatic-{name}": value for name, value in zip(names, values, strict=True)}
        return browser.post("/money/automatic", form)

    for wrong in (("NaN", "20", "50"), ("-1", "20", "50"), ("5", "0", "50"), ("5", "20", "10")):
        assert send(*wrong).status_code == 422  # type: ignore[attr-defined]
    assert not AutoTopUp.objects.exists()
    send("5", "20", "50")
    row = AutoTopUp.objects.get()
    assert (row.is_on, row.month_microusd_max) == (True, 50_000_000)
    browser.post("/money/automatic/off")
    assert AutoTopUp.objects.get().is_on is False
    browser.post("/money/card/remove")
    assert Payer.objects.get().card == ""


def test_what_is_disputed_shows(
    alice: User, with_card: SaveCard, stripe: Stripe, browser_of: Browser
) -> None:
    with_card(alice)
    browser = browser_of(alice)
    browser.post("/money/", {"amount": "10", "request_key": "k"})
    look(stripe.open_dispute(TopUp.objects.get().reference), now=scene.NOW)
    page = text_of(browser.get("/money/"))
    assert '<dd id="frozen">$10.00</dd>' in page
    assert "Your bank decides" in page


@pytest.fixture
def program(alice: User) -> Client:
    secret = issue_api_key.issue(user_id=alice.pk, name="k", now=scene.NOW).secret
    return Client(headers={"Authorization": f"Bearer {secret}"})


def test_a_program_does_the_same(alice: User, stripe: Stripe, program: Client) -> None:
    def send(verb: str, path: str, body: object = None) -> tuple[int, object]:
        call = getattr(program, verb)
        reply = call(f"/api/v1{path}", body, content_type="application/json") if body else None
        reply = reply or call(f"/api/v1{path}")
        return reply.status_code, reply.json() if reply.content else None

    amount = {"amount_microusd": 5_000_000}
    rule = {"threshold_microusd": 1_000_000, **amount, "month_microusd_max": 9_000_000}
    assert send("post", "/top-ups", amount)[0] == 409
    assert send("put", "/auto-top-up", rule)[0] == 409
    assert send("get", "/auto-top-up")[0] == 404
    assert send("post", "/card") == (201, {"url": f"{stripe.url}/_card/cs_1"})
    stripe.save_card(Payer.objects.get().customer, WANTS_CONFIRMATION)
    save_card.refresh(customer=Payer.objects.get().customer)
    assert send("get", "/card") == (200, {"card": "visa 3155, 12/2030"})
    status, made = send("post", "/top-ups", amount)
    assert (status, made["state"], bool(made["confirm_url"])) == (201, "pending", True)  # type: ignore[index]
    assert send("get", f"/top-ups/{made['id']}") == (200, made)  # type: ignore[index]
    assert send("get", "/top-ups") == (200, {"items": [made], "next_cursor": None})
    assert send("get", f"/top-ups/{Payer.objects.get().pk}")[0] == 404
    assert send("put", "/auto-top-up", rule)[0] == 200
    assert send("delete", "/auto-top-up")[0] == 204
    assert send("get", "/auto-top-up")[1]["is_on"] is False  # type: ignore[index]
    assert send("delete", "/card")[0] == 204
    for wrong in (
        b'{"amount_microusd": NaN}',
        b'{"amount_microusd": -1}',
        b'{"amount_microusd": 0}',
    ):
        bad = program.post("/api/v1/top-ups", wrong, content_type="application/json")
        assert bad.status_code in (400, 422)
    assert send("post", "/top-ups", {"amount_microusd": 10**12})[0] == 422
