"""What every page shares: the header, the log-in pages, what happens when nothing is there."""

from collections.abc import Callable

import pytest
from django.core.mail import EmailMessage
from django.test import Client
from pytest_django.fixtures import Settings

from marketplace.accounts.models import User

Browser = Callable[[User], Client]


@pytest.mark.parametrize(
    "place", ["login/", "signup/", "password/reset/", "password/reset/done/", "inactive/"]
)
def test_the_pages_of_the_log_in_wear_the_site(db: None, place: str) -> None:
    page = Client().get(f"/accounts/{place}").content.decode()
    assert 'class="header"' in page
    assert 'href="#main"' in page


@pytest.mark.parametrize("place", ["logout/", "password/change/", "email/"])
def test_the_pages_of_the_account_wear_the_site(
    alice: User, browser_of: Browser, place: str
) -> None:
    page = browser_of(alice).get(f"/accounts/{place}").content.decode()
    assert 'class="header"' in page


def test_a_person_signs_up_with_address_and_password_alone(db: None) -> None:
    sent = {"email": "dora@example.com", "password1": "correct horse battery"}
    reply = Client().post("/accounts/signup/", sent)
    assert reply.status_code == 302
    assert User.objects.filter(email="dora@example.com").exists()


@pytest.mark.parametrize(
    ("contact", "address"),
    [("ops@berth.example", "mailto:ops@berth.example"), ("https://help.example/@us",) * 2],
)
def test_people_find_the_operator_and_the_documents(
    db: None, settings: Settings, contact: str, address: str
) -> None:
    settings.CONTACT, settings.SOURCE_URL = contact, "https://source.example/berth"
    page = Client().get("/scores/0/").content.decode()
    assert f'<a href="{address}">Write to the operator</a>' in page
    assert '<a href="https://source.example/berth">Documents</a>' in page
    settings.CONTACT = settings.SOURCE_URL = ""
    page = Client().get("/scores/0/").content.decode()
    assert "Write to the operator" not in page
    assert "Documents" not in page


def test_the_terminal_of_this_site_is_explained(db: None, settings: Settings) -> None:
    settings.PUBLIC_URL, settings.TEST_PAYMENTS = "https://berth.example", False
    page = Client().get("/command-line/").content.decode()
    assert "berth login --url https://berth.example<" in page
    assert "berth topup" not in page
    settings.STRIPE_SECRET_KEY = "sk_test_berth"
    assert "berth card save" in Client().get("/command-line/").content.decode()
    settings.STRIPE_SECRET_KEY, settings.TEST_PAYMENTS = "", True
    page = Client().get("/command-line/").content.decode()
    assert "<code>berth topup 10.00" in page


@pytest.mark.parametrize(("sends_mail", "status"), [(True, 200), (False, 404)])
def test_the_log_in_promises_no_letter_that_would_not_come(
    db: None, settings: Settings, sends_mail: bool, status: int
) -> None:
    settings.SENDS_MAIL = sends_mail
    page = Client().get("/accounts/login/").content
    assert (b"/accounts/password/reset/" in page) is sends_mail
    assert Client().get("/accounts/password/reset/").status_code == status


def test_a_forgotten_password_is_set_anew_by_a_letter(
    alice: User, mailoutbox: list[EmailMessage]
) -> None:
    Client().post("/accounts/password/reset/", {"email": alice.email})
    (letter,) = mailoutbox
    assert letter.to == [alice.email]
    assert "/accounts/password/reset/key/" in letter.body


def test_a_wrong_password_is_explained(alice: User) -> None:
    sent = {"login": alice.email, "password": "wrong"}
    page = Client().post("/accounts/login/", sent).content.decode()
    assert 'role="alert"' in page


def test_the_header_says_where_one_is_and_what_one_has(
    alice: User, browser_of: Browser, give: Callable[..., None]
) -> None:
    give(alice, 1_250_000)
    page = browser_of(alice).get("/money/").content.decode()
    assert '<a href="/money/" aria-current="page">Money</a>' in page
    assert ">$1.25</a>" in page


def test_a_visitor_is_led_only_to_what_is_open(db: None) -> None:
    page = Client().get("/").content.decode()
    assert 'href="/offers/"' in page
    assert 'href="/rentals/"' not in page


def test_an_address_with_nothing_behind_it_is_explained(db: None) -> None:
    reply = Client().get("/nowhere/")
    assert reply.status_code == 404
    assert b"There is nothing at this address" in reply.content


@pytest.mark.parametrize("place", ["/rentals/", "/keys/", "/api-keys/", "/money/"])
def test_what_is_a_persons_own_needs_a_log_in(db: None, place: str) -> None:
    assert Client().get(place).headers["Location"] == f"/accounts/login/?next={place}"
    assert Client().post(place).status_code in {302, 405}


def test_forms_are_refused_without_the_sites_own_token(alice: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice, backend="allauth.account.auth_backends.AuthenticationBackend")
    reply = client.post("/api-keys/", {"name": "ci"})
    assert reply.status_code == 403
    assert b"This form is too old" in reply.content


def test_a_fragment_for_somebody_who_logged_out_moves_the_window_to_the_log_in(db: None) -> None:
    told = {"HX-Request": "true", "HX-Current-URL": "http://testserver/rentals/"}
    reply = Client().get("/rentals/", headers=told)
    assert reply.headers["HX-Redirect"] == "/accounts/login/?next=/rentals/"
    assert reply.content == b""


def test_an_answer_without_icon_gets_the_mark(db: None) -> None:
    reply = Client().get("/favicon.ico")
    assert (reply.status_code, reply.headers["location"]) == (302, "/static/mark.svg")
