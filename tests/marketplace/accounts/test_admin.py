"""An operator sees everything in the admin pages and cannot move money there."""

import pytest
from django.test import Client

from marketplace.accounts.models import User
from tests.marketplace.conftest import PASSWORD
from tests.marketplace.staffed import browser, with_app

READ_ONLY = ("ledger/account", "ledger/transfer", "ledger/hold", "payments/topup")
LISTED = (*READ_ONLY, "accounts/user", "accounts/sshkey", "accounts/apikey")


@pytest.fixture
def operator(db: None) -> Client:
    return browser(with_app(User.objects.create_superuser("root@example.com", PASSWORD)))


@pytest.mark.parametrize("name", LISTED)
def test_every_list_opens(operator: Client, name: str) -> None:
    assert operator.get(f"/admin/{name}/").status_code == 200


@pytest.mark.parametrize("name", READ_ONLY)
def test_money_cannot_be_added_by_a_form(operator: Client, name: str) -> None:
    assert operator.get(f"/admin/{name}/add/").status_code == 403


def test_a_renter_does_not_get_in(client: Client, alice: User) -> None:
    client.force_login(alice)
    assert client.get("/admin/").status_code == 302
