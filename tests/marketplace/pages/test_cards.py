"""Cards are saved and payments confirmed elsewhere; our pages lead there and say what came."""

from collections.abc import Callable
from urllib.parse import urlencode

import pytest
from django.test import Client

from marketplace.accounts.actions import issue_api_key
from marketplace.accounts.models import Membership, TeamEvent, User
from marketplace.domain.team import Role
from marketplace.ledger import queries as ledger
from marketplace.pages.shown.team import done
from marketplace.payments.actions import save_card
from marketplace.payments.actions.settle_dispute import look
from marketplace.payments.models import AutoTopUp, Payer, TopUp
from scripts.stripe_stand_in.payments import WANTS_CONFIRMATION, Stripe
from tests.marketplace import scene
from tests.marketplace.teams import acting_for, team_of

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


def leave(browser: Client, stripe: Stripe, **changed: str) -> tuple[str, str]:
    """Go to the processor's page from the form that adds money.

    Return where that page leads who saves a card, and who does not.
    """
    sent = {"amount": "12.50", "request_key": "k", "next": RENT, **changed}
    said = f"Then ${sent['amount']} is taken from it"
    assert said in text_of(browser.post("/money/card", sent))
    session = list(stripe.sessions.values())[-1]
    return session["success_url"], session["cancel_url"]


def type_card(stripe: Stripe, *number: str) -> None:
    """Save a card on the processor's page, a second after the last one."""
    stripe.at = (stripe.at or 0) + 1
    stripe.save_card(Payer.objects.get().customer, *number)


def test_who_has_no_card_saves_one_pays_and_is_back_where_they_were(
    alice: User, stripe: Stripe, browser_of: Browser
) -> None:
    browser = browser_of(alice)
    page = text_of(browser.get("/money/", {"amount": "12.50", "next": RENT}))
    assert page.count('name="next" value="/offers/1/rent?template=jupyter&amp;gpus=1"') == 2
    for wrong in ({"amount": "ten"}, {"amount": "0.10"}):
        sent = {"request_key": "k", **wrong}
        assert browser.post("/money/card", sent).status_code == 422
    saved, cancelled = leave(browser, stripe)
    # They changed their mind on the processor's page: the form is as it was, and nothing is paid,
    # though somebody saved a card meanwhile.
    type_card(stripe)
    again = browser.get(browser.get(cancelled)["Location"])
    assert (again.context["form"]["amount"].value(), again.context["next"]) == ("12.50", RENT)
    assert browser.get(saved)["Location"] == "/money/"
    assert not TopUp.objects.exists()
    saved, _ = leave(browser, stripe)
    type_card(stripe)
    for expected in (RENT, "/money/"):
        assert browser.get(saved)["Location"] == expected
    assert ledger.balance(alice.pk) == 12_500_000


def test_a_card_pays_by_itself_only_what_its_owner_left_for_lately_and_only_once(
    alice: User,
    bob: User,
    stripe: Stripe,
    browser_of: Browser,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    browser = browser_of(alice)
    saved, _ = leave(browser, stripe, next="https://evil.example/")
    type_card(stripe)
    monkeypatch.setattr("django.utils.timezone.now", lambda: scene.after(3601))
    stripe.at = scene.after(3601).timestamp()
    assert browser.get(saved)["Location"] == "/money/"
    # One was saved meanwhile that nobody told us of yet, so no newer one comes back.
    type_card(stripe)
    saved, _ = leave(browser, stripe, next="//evil.example/")
    assert browser.get(saved)["Location"] == "/money/?amount=12.50"
    # One who saves a card alone pays nothing by it, and keeps what they had typed.
    browser.post("/money/card", {"amount": "7.00", "next": RENT})
    type_card(stripe)
    back = browser.get(list(stripe.sessions.values())[-1]["success_url"])["Location"]
    assert back == "/money/?amount=7.00&next=%2Foffers%2F1%2Frent%3Ftemplate%3Djupyter%26gpus%3D1"
    saved, _ = leave(browser, stripe)
    type_card(stripe)
    session = browser.session
    (kept,) = session["errands"].values()
    kept["user"] = bob.pk
    session.save()
    assert browser.get(saved)["Location"] == "/money/"
    assert not TopUp.objects.exists()


def test_a_tab_is_paid_for_what_it_said_and_not_after_money_came_another_way(
    alice: User, stripe: Stripe, browser_of: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser, given_up = browser_of(alice), "Money was added to this account since you left"
    ten, _ = leave(browser, stripe, amount="10.00", request_key="k1")
    hundred, _ = leave(browser, stripe, amount="100.00", request_key="k2")
    type_card(stripe)
    assert browser.get(ten)["Location"] == RENT
    assert ledger.balance(alice.pk) == 10_000_000
    type_card(stripe)
    page = browser.get(hundred, follow=True)
    assert given_up in text_of(page)
    assert page.context["form"]["amount"].value() == "100.00"
    # The way back is lost, a web hook tells of the card, and it pays from another computer.
    monkeypatch.setattr("django.utils.timezone.now", lambda: scene.after(60))
    stripe.at = scene.after(60).timestamp()
    stuck, _ = leave(browser, stripe, request_key="k3")
    type_card(stripe)
    save_card.refresh(customer=Payer.objects.get().customer)
    browser_of(alice).post("/money/", {"amount": "12.50", "request_key": "k4"})
    assert given_up in text_of(browser.get(stuck, follow=True))
    assert ledger.balance(alice.pk) == 22_500_000


def test_a_new_card_pays_for_a_team_by_who_may_still_pay_and_the_team_reads_it(
    alice: User, bob: User, stripe: Stripe
) -> None:
    team = team_of(alice, scene.NOW, bob=(bob, Role.BILLING))
    browser, bobs = acting_for(team, bob), Membership.objects.filter(person=bob)
    saved, _ = leave(browser, stripe, request_key="k1")
    bobs.update(role=Role.MEMBER)
    type_card(stripe)
    page = browser.get(saved, follow=True)
    assert "Your role in this team, member, does not include this" in text_of(page)
    assert not TopUp.objects.exists()
    bobs.update(role=Role.BILLING)
    saved, _ = leave(browser, stripe, request_key="k2")
    type_card(stripe)
    assert browser.get(saved)["Location"] == RENT
    assert ledger.balance(team.pk) == 12_500_000
    event = TeamEvent.objects.filter(by=bob, kind="did").latest("id")
    assert done(event).what == "saved a card to pay in by"


def test_a_payment_that_the_bank_asks_about_leads_back_as_well(
    alice: User, stripe: Stripe, browser_of: Browser
) -> None:
    browser = browser_of(alice)
    again = f"/money/?amount=12.50&{urlencode({'next': RENT})}"
    for answer, expected in ((False, again), (True, RENT)):
        stripe.at = scene.after(60 * answer).timestamp()
        saved, _ = leave(browser, stripe, request_key=str(answer))
        type_card(stripe, WANTS_CONFIRMATION)
        row_url = browser.get(saved)["Location"]
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
