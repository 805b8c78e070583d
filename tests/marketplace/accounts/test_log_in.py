"""People are known by their e-mail address and a password."""

from collections.abc import Iterator

import pytest
from django.core.cache import cache
from django.db import IntegrityError
from django.test import Client

from marketplace.accounts.actions.check_password import (
    FAILURES_MAX,
    TooManyAttempts,
    WrongPassword,
    check,
)
from marketplace.accounts.models import User
from tests.marketplace.conftest import PASSWORD


@pytest.fixture(autouse=True)
def _nobody_has_failed_yet() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


def test_the_right_password_finds_the_person(alice: User) -> None:
    assert check(email=" Alice@Example.com ", password=PASSWORD) == alice


@pytest.mark.parametrize("email", ["alice@example.com", "nobody@example.com", ""])
def test_a_wrong_password_and_an_unknown_address_sound_the_same(alice: User, email: str) -> None:
    with pytest.raises(WrongPassword, match="do not belong together"):
        check(email=email, password="wrong")


def test_a_person_who_was_shut_out_cannot_log_in(alice: User) -> None:
    alice.is_active = False
    alice.save()
    with pytest.raises(WrongPassword):
        check(email=alice.email, password=PASSWORD)


def test_guessing_is_stopped_for_that_address_only(alice: User, bob: User) -> None:
    for _ in range(FAILURES_MAX):
        with pytest.raises(WrongPassword):
            check(email=alice.email, password="wrong")
    with pytest.raises(TooManyAttempts):
        check(email=alice.email, password=PASSWORD)
    assert check(email=bob.email, password=PASSWORD) == bob


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
    assert (answer.status_code, answer["Location"]) == (302, "/")


def test_a_short_password_is_refused(client: Client, db: None) -> None:
    answer = client.post("/accounts/signup/", {"email": "dora@example.com", "password1": "1234"})
    assert answer.status_code == 200
    assert not User.objects.exists()


def test_an_operator_can_be_made(db: None) -> None:
    root = User.objects.create_superuser("root@example.com", PASSWORD)
    assert root.is_staff
    assert root.is_superuser
