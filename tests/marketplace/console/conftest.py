"""Staff of each role, with their browsers."""

import pytest
from django.test import Client

from marketplace.accounts.models import User
from marketplace.console.staff import Staff
from marketplace.console.staff import staff as as_staff
from marketplace.domain.oversight import Role
from tests.marketplace.staffed import browser, staff


@pytest.fixture
def admin(db: None) -> User:
    return staff("admin", Role.ADMIN)


@pytest.fixture
def by(admin: User) -> Staff:
    """The admin, as acts know them."""
    found = as_staff(admin)
    assert found is not None
    return found


@pytest.fixture
def as_admin(admin: User) -> Client:
    return browser(admin)


@pytest.fixture
def as_finance(db: None) -> Client:
    return browser(staff("finance", Role.FINANCE))


@pytest.fixture
def as_support(db: None) -> Client:
    return browser(staff("support", Role.SUPPORT))
