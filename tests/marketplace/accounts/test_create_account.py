"""An operator makes accounts from a terminal; the password is never an argument."""

from collections.abc import Callable
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from marketplace.accounts import queries
from marketplace.accounts.models import User
from tests.marketplace.conftest import PASSWORD

pytestmark = pytest.mark.django_db


@pytest.fixture
def create(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Make an account with the password on stdin."""

    def _create(*words: str, password: str) -> None:
        monkeypatch.setattr("sys.stdin", StringIO(password + "\n"))
        call_command("create_account", *words, stdout=StringIO())

    return _create


def test_the_password_is_read_from_stdin(create: Callable[..., None]) -> None:
    create("Dora@example.com", password=PASSWORD)
    made = User.objects.get(email="dora@example.com")
    assert made.check_password(PASSWORD)
    assert not made.is_staff
    assert list(queries.proven_emails(made.pk)) == ["dora@example.com"]


def test_a_new_password_proves_no_address(create: Callable[..., None]) -> None:
    made = User.objects.create_user("dora@example.com", PASSWORD)
    create("dora@example.com", password=f"{PASSWORD} again")
    assert list(queries.proven_emails(made.pk)) == []


def test_an_operator_may_use_the_admin_pages_and_stays_one(create: Callable[..., None]) -> None:
    create("dora@example.com", "--operator", password=PASSWORD)
    create("dora@example.com", password=PASSWORD + "2")
    made = User.objects.get(email="dora@example.com")
    assert made.check_password(PASSWORD + "2")
    assert made.is_superuser


@pytest.mark.parametrize(("active", "said"), [(True, "can log in"), (False, "is banned")])
def test_who_is_banned_is_not_said_to_log_in(
    monkeypatch: pytest.MonkeyPatch, active: bool, said: str
) -> None:
    User.objects.create_user("dora@example.com", PASSWORD, is_active=active)
    monkeypatch.setattr("sys.stdin", StringIO(PASSWORD + "\n"))
    told = StringIO()
    call_command("create_account", "dora@example.com", stdout=told)
    assert said in told.getvalue()
    assert User.objects.get().is_active is active


@pytest.mark.parametrize(("email", "password"), [("nobody", PASSWORD), ("d@example.com", "short")])
def test_what_cannot_be_an_account_makes_none(
    create: Callable[..., None], email: str, password: str
) -> None:
    with pytest.raises(CommandError):
        create(email, password=password)
    assert not User.objects.exists()
