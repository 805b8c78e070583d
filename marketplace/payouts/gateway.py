"""This will say what every way of paying hosts does for the marketplace."""

from datetime import datetime
from typing import Protocol
from uuid import UUID

from marketplace.domain.ledger import AccountKind
from marketplace.domain.money import MicroUsd
from marketplace.domain.transfer_out import AccountFacts, Landing, Sent


class PayoutGateway(Protocol):
    """A way to pay hosts. It never sees the ledger; it only does what it is told, and looks.

    Each call raises ``GatewayUnreachable`` (payments/gateway.py) when no answer came within the
    gateway's deadline: then nobody knows whether it did anything, so the same is asked again.
    """

    @property
    def name(self) -> str:
        """Return the short name that is stored with each account."""

    @property
    def sink(self) -> AccountKind:
        """Return the site's account that the money goes to: OUTSIDE, or PROMO for play money."""

    def open_account(self, *, account_id: UUID, email: str, country: str) -> str:
        """Return the processor's name of the account; asking twice opens one.

        :raises TransferRefused: when it opens none for such a person or country.
        """

    def onboarding_url(self, *, reference: str, return_url: str, retry_url: str) -> str:
        """Return where the host says, once and soon, who they are and where their bank is.

        :raises TransferRefused: when the account is closed.
        """

    def dashboard_url(self, *, reference: str) -> str:
        """Return where the host of an account that is well changes their bank, once and soon.

        :raises TransferRefused: when the account is closed.
        """

    def look(self, *, reference: str) -> AccountFacts:
        """Return how the account is now; one that is gone is not enabled."""

    def send(
        self, *, payout_id: UUID, key: str, amount_microusd: MicroUsd, destination: str
    ) -> Sent:
        """Move the money into the account. Asking twice with one ``key`` moves it once.

        :raises TransferRefused: when nothing was moved.
        """

    def find(self, *, payout_id: UUID) -> Sent | None:
        """Return the transfer that this payout made, whatever its key was; None: there is none."""

    def landing(self, *, sent: Sent, destination: str, sent_at: datetime) -> Landing:
        """Return how far a transfer came on its way from the account to the bank."""

    def take_back(self, *, payout_id: UUID, sent: Sent) -> None:
        """Bring the money back from the account; asking twice brings it back once.

        :raises TransferRefused: when it is no longer there.
        """
