"""A host who earns, and the stand-in that pays them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from marketplace.accounts.models import User
from marketplace.domain.ledger import TransferKind
from marketplace.domain.money import MicroUsd
from marketplace.domain.tax import tax_details
from marketplace.ledger.actions import open_account
from marketplace.ledger.actions.post import post
from marketplace.payments.stripe_connect import StripeConnect
from marketplace.payouts.actions.look_at_accounts import look_at_accounts
from marketplace.payouts.actions.onboard import onboard
from marketplace.payouts.actions.set_details import set_tax_details
from marketplace.payouts.models import Payout, PayoutAccount
from scripts.stripe_stand_in import connect
from scripts.stripe_stand_in.keys import SECRET_KEY

#: a Friday, as it begins
FRIDAY = datetime(2026, 3, 6, tzinfo=UTC)
BACK = {"return_url": "http://site.invalid/back", "retry_url": "http://site.invalid/again"}
USD = 1_000_000
Earn = Callable[..., None]


def day(number: float) -> datetime:
    """Return the moment so many days after FRIDAY."""
    return FRIDAY + timedelta(days=number)


@pytest.fixture
def earn() -> Earn:
    """Have a host earn dollars: ``earn(charlie, 40, at=day(-8))``."""

    def _earn(host: User, dollars: float, *, at: datetime) -> None:
        earnings = open_account.earnings(user_id=host.pk)
        post(
            debit=open_account.outside(),
            credit=earnings,
            amount_microusd=MicroUsd(int(dollars * USD)),
            kind=TransferKind.CHARGE,
            cause=f"earned:{host.pk}:{earnings.credits_posted}",
            now=at,
        )

    return _earn


@pytest.fixture(scope="package")
def _server() -> Iterator[connect.Connect]:
    with connect.serving() as state:
        yield state


@pytest.fixture
def processor(_server: connect.Connect) -> Iterator[connect.Connect]:
    """The stand-in, as new."""
    fresh = connect.Connect(url=_server.url)
    kept = {"url": fresh.url, "lock": _server.lock}
    _server.__dict__.update(fresh.__dict__ | kept)
    yield _server
    assert _server.malformed == []


@pytest.fixture
def gateway(processor: connect.Connect) -> StripeConnect:
    return StripeConnect(SECRET_KEY, api_url=processor.url)


@dataclass
class Host:
    """Charlie, with an account that can be paid to."""

    user: User
    account: PayoutAccount

    def payout(self) -> Payout:
        """Return the only payout."""
        return Payout.objects.get(host=self.user)


def write_details(user: User, *, country: str = "US", now: datetime = FRIDAY) -> None:
    """Have the host say who they are."""
    details = tax_details(
        legal_name="Charlie Chandler",
        country=country,
        tax_id="12-3456789",
        address="1 Main Street\nSpringfield",
    )
    set_tax_details(host_id=user.pk, details=details, now=now)


@pytest.fixture
def host(charlie: User, processor: connect.Connect, gateway: StripeConnect) -> Host:
    write_details(charlie, now=day(-40))
    onboard(host_id=charlie.pk, now=day(-40), gateway=gateway, **BACK)
    account = PayoutAccount.objects.get(host=charlie)
    processor.enable(account.reference)
    look_at_accounts(now=day(-39), gateway=gateway)
    account.refresh_from_db()
    return Host(charlie, account)
