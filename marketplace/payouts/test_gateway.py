"""This will pay out play money at once, where no processor is wanted."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.conf import settings

from marketplace.domain.ledger import AccountKind
from marketplace.domain.money import MicroUsd
from marketplace.domain.transfer_out import AccountFacts, Arrival, Landing, Sent


@dataclass(frozen=True, slots=True)
class TestPayouts:
    """Opens every account, asks no questions and pays every amount, the same way each time."""

    #: pytest collects classes called Test...; this one is a gateway
    __test__ = False

    name: str = "test"
    sink: AccountKind = AccountKind.PROMO

    def open_account(self, *, account_id: UUID, email: str, country: str) -> str:
        """Return a name that tells the country again."""
        return f"test-{country}-{account_id}"

    def onboarding_url(self, *, reference: str, return_url: str, retry_url: str) -> str:
        """Return the way back: there is nothing to fill in."""
        return return_url

    def dashboard_url(self, *, reference: str) -> str:
        """Return our own page: there is nothing to change."""
        return f"{settings.PUBLIC_URL}/host/payouts/back"

    def look(self, *, reference: str) -> AccountFacts:
        """Return an account that takes dollars."""
        return AccountFacts(enabled=True, country=reference.split("-")[1], currency="usd")

    def send(
        self, *, payout_id: UUID, key: str, amount_microusd: MicroUsd, destination: str
    ) -> Sent:
        """Return a transfer."""
        return _sent(payout_id)

    def find(self, *, payout_id: UUID) -> Sent | None:
        """Return the transfer: each that was asked for was made."""
        return _sent(payout_id)

    def landing(self, *, sent: Sent, destination: str, sent_at: datetime) -> Landing:
        """Return that it is there."""
        return Landing(Arrival.PAID)

    def take_back(self, *, payout_id: UUID, sent: Sent) -> None:
        """Do nothing: what was paid has arrived, so this is never asked for."""


def _sent(payout_id: UUID) -> Sent:
    return Sent(reference=f"test-{payout_id}", receipt=f"test-{payout_id}")
