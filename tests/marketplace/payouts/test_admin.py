"""An operator reads every payout with its attempts, and no whole tax number."""

import pytest
from django.test import Client

from marketplace.accounts.models import User
from marketplace.payments.stripe_connect import StripeConnect
from marketplace.payouts.actions.open_payouts import open_payouts
from marketplace.payouts.actions.send_payouts import send_payouts
from marketplace.payouts.models import HostDetails
from scripts.stripe_stand_in.connect import Connect, Refusal
from tests.marketplace.payouts.conftest import Earn, Host, day
from tests.marketplace.staffed import browser, with_app


@pytest.fixture
def operator(db: None) -> Client:
    user = User.objects.create_superuser("operator@example.com", "correct horse battery")
    return browser(with_app(user))


def test_a_refused_payout_shows_the_processors_reason(
    operator: Client, host: Host, gateway: StripeConnect, processor: Connect, earn: Earn
) -> None:
    earn(host.user, 100, at=day(-31))
    open_payouts(now=day(0), gateway=gateway)
    processor.refusals = [Refusal(400, "balance_insufficient", "Your balance is too small.")]
    send_payouts(now=day(0), gateway=gateway)
    listed = operator.get("/admin/payouts/payout/").content.decode()
    assert "$100.00" in listed
    one = operator.get(f"/admin/payouts/payout/{host.payout().pk}/change/").content.decode()
    assert one.count("Your balance is too small.") == 2
    assert operator.post(f"/admin/payouts/payout/{host.payout().pk}/delete/").status_code == 403


def test_a_tax_number_is_shown_by_its_end(operator: Client, host: Host) -> None:
    details = HostDetails.objects.get()
    for path in ("", f"{details.pk}/change/"):
        page = operator.get(f"/admin/payouts/hostdetails/{path}").content.decode()
        assert "•••••6789" in page
        assert "123456789" not in page
