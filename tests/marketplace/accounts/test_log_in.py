"""People are known by their e-mail address and a password, which nobody may guess for long."""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.db import IntegrityError
from django.test import Client

from marketplace.accounts.actions import check_password, guess
from marketplace.accounts.actions.check_password import WrongPassword
from marketplace.accounts.actions.count_attempt import TooManyAttempts, forget_attempts
from marketplace.accounts.models import AttemptCount, User
from marketplace.accounts.views import SIGN_UPS
from tests.marketplace.conftest import PASSWORD

HOME, ELSEWHERE = "192.0.2.1", "192.0.2.2"


def check(
    user_or_email: User | str,
    password: str,
    now: datetime,
    *,
    address: str = HOME,
) -> User:
    email = user_or_email if isinstance(user_or_email, str) else user_or_email.email
    return check_password.check(email=email, password=password, code="", address=address, now=now)


def fail(email: str, now: datetime, *, times: int, address: str = HOME) -> None:
    for _ in range(times):
        with pytest.raises(WrongPassword):
            check(email, "wrong", now, address=address)


def test_the_right_password_finds_the_person(alice: User, now: datetime) -> None:
    assert check(" Alice@Example.com ", PASSWORD, now) == alice


@pytest.mark.parametrize("email", ["alice@example.com", "nobody@example.com", ""])
def test_a_wrong_password_and_an_unknown_address_sound_the_same(
    alice: User, email: str, now: datetime
) -> None:
    with pytest.raises(WrongPassword, match="do not belong together"):
        check(email, "wrong", now)


def test_a_person_who_was_shut_out_cannot_log_in(alice: User, now: datetime) -> None:
    alice.is_active = False
    alice.save()
    with pytest.raises(WrongPassword):
        check(alice, PASSWORD, now)


def test_guessing_is_stopped_for_that_person_from_there_only(
    alice: User, bob: User, now: datetime
) -> None:
    fail(alice.email, now, times=guess.PAIR.attempts_max)
    with pytest.raises(TooManyAttempts, match="try again in 5 minutes"):
        check(alice, PASSWORD, now)
    assert check(alice, PASSWORD, now, address=ELSEWHERE) == alice
    assert check(bob, PASSWORD, now) == bob
    later = now + guess.WINDOW
    assert check(alice, PASSWORD, later) == alice


def test_many_places_that_guess_together_are_stopped_together(alice: User, now: datetime) -> None:
    for place in range(guess.EMAIL.attempts_max):
        fail(alice.email, now, times=1, address=f"198.51.100.{place}")
    with pytest.raises(TooManyAttempts):
        check(alice, PASSWORD, now)
    assert check(alice, PASSWORD, now + guess.WINDOW) == alice


def test_one_stranger_cannot_use_up_what_the_owner_has(alice: User, now: datetime) -> None:
    for _ in range(guess.EMAIL.attempts_max + 1):
        with pytest.raises((WrongPassword, TooManyAttempts)):
            check(alice, "wrong", now)
    assert check(alice, PASSWORD, now, address=ELSEWHERE) == alice


def test_trying_many_people_from_one_place_is_stopped(bob: User, now: datetime) -> None:
    for number in range(guess.ADDRESS.attempts_max):
        fail(f"{number}@example.com", now, times=1)
    with pytest.raises(TooManyAttempts):
        check(bob, PASSWORD, now)


def test_right_passwords_are_no_guesses(alice: User, now: datetime) -> None:
    for _ in range(guess.PAIR.attempts_max + 1):
        check(alice, PASSWORD, now)


def test_counts_are_forgotten_after_their_window(alice: User, now: datetime) -> None:
    fail(alice.email, now, times=1)
    assert forget_attempts(now=now + guess.WINDOW - timedelta(seconds=1)) == 0
    assert forget_attempts(now=now + guess.WINDOW) == 3
    assert not AttemptCount.objects.exists()


def post_key(client: Client, **sent: Any) -> Any:
    body = {"email": "alice@example.com", "password": "wrong", "name": "t"} | sent
    return client.post("/api/v1/auth/key", json.dumps(body), content_type="application/json")


def test_the_api_says_when_to_try_again(client: Client, alice: User) -> None:
    for _ in range(guess.PAIR.attempts_max):
        assert post_key(client).status_code == 401
    reply = post_key(client, password=PASSWORD)
    assert (reply.status_code, reply.json()["code"]) == (429, "rate_limited")
    assert 0 < int(reply.headers["Retry-After"]) <= guess.WINDOW.seconds


def test_the_page_counts_with_the_api(client: Client, alice: User) -> None:
    for _ in range(guess.PAIR.attempts_max - 1):
        assert post_key(client).status_code == 401
    filled = {"login": "ALICE@example.com", "password": "wrong"}
    assert client.post("/accounts/login/", filled).status_code == 200
    reply = client.post("/accounts/login/", filled | {"password": PASSWORD})
    assert reply.status_code == 429
    assert b"Too many attempts; try again in" in reply.content
    assert 0 < int(reply.headers["Retry-After"]) <= guess.WINDOW.seconds
    assert "_auth_user_id" not in client.session


def test_logging_in_on_the_page_is_no_guess(client: Client, alice: User) -> None:
    filled = {"login": "alice@example.com", "password": PASSWORD}
    for _ in range(guess.PAIR.attempts_max + 1):
        assert client.post("/accounts/login/", filled).status_code == 302
        client.post("/accounts/logout/")


def test_signing_up_is_limited_by_network_address(client: Client, alice: User) -> None:
    filled = {"email": "alice@example.com", "password1": PASSWORD}
    for _ in range(SIGN_UPS.attempts_max):
        assert client.post("/accounts/signup/", filled).status_code == 200
    reply = client.post("/accounts/signup/", filled)
    assert reply.status_code == 429
    elsewhere = client.post("/accounts/signup/", filled, REMOTE_ADDR=ELSEWHERE)
    assert elsewhere.status_code == 200


def test_an_address_belongs_to_one_person_however_it_is_cased(alice: User) -> None:
    with pytest.raises(IntegrityError):
        User.objects.create(email="ALICE@example.com")


def test_somebody_signs_up_logs_out_and_logs_in_again(client: Client, db: None) -> None:
    filled = {"email": "Dora@Example.com", "password1": PASSWORD}
    assert client.post("/accounts/signup/", filled).status_code == 302
    assert client.session["_auth_user_id"] == str(User.objects.get(email="dora@example.com").pk)
    client.post("/accounts/logout/")
    assert "_auth_user_id" not in client.session
    answer = client.post("/accounts/login/", {"login": "dora@example.com", "password": PASSWORD})
    assert (answer.status_code, answer["Location"]) == (302, "/rentals/")


def test_a_short_password_is_refused(client: Client, db: None) -> None:
    answer = client.post("/accounts/signup/", {"email": "dora@example.com", "password1": "1234"})
    assert answer.status_code == 200
    assert not User.objects.exists()


def test_an_operator_can_be_made(db: None) -> None:
    root = User.objects.create_superuser("root@example.com", PASSWORD)
    assert root.is_staff
    assert root.is_superuser


@pytest.mark.parametrize(
    ("path", "field"),
    [("/accounts/reauthenticate/", "password"), ("/accounts/password/change/", "oldpassword")],
)
def test_whoever_has_a_session_may_not_guess_at_its_password_either(
    alice: User, path: str, field: str
) -> None:
    browser = Client()
    browser.force_login(alice)
    for _ in range(guess.PAIR.attempts_max):
        assert browser.post(path, {field: "wrong"}).status_code == 200
    assert browser.post(path, {field: PASSWORD}).status_code == 429
    # Elsewhere its owner may.
    there = browser.post("/accounts/reauthenticate/", {"password": PASSWORD}, REMOTE_ADDR=ELSEWHERE)
    assert there.status_code == 302


@pytest.mark.parametrize("action", ["add", "primary", "remove"])
def test_a_session_alone_does_not_change_the_address(alice: User, action: str) -> None:
    browser = Client()
    browser.force_login(alice)
    told = {f"action_{action}": "", "email": "mallory@example.com"}
    EmailAddress.objects.create(user=alice, email=alice.email, verified=True, primary=True)
    if action != "add":
        EmailAddress.objects.create(user=alice, email=told["email"], verified=True)
    before = list(EmailAddress.objects.order_by("id").values())
    asked = browser.post("/accounts/email/", told)
    assert (asked.status_code, asked.headers["Location"].split("?")[0]) == (
        302,
        "/accounts/reauthenticate/",
    )
    assert list(EmailAddress.objects.order_by("id").values()) == before
    browser.post("/accounts/reauthenticate/", {"password": PASSWORD})
    browser.post("/accounts/email/", told)
    assert list(EmailAddress.objects.order_by("id").values()) != before
