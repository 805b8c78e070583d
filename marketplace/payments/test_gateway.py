"""This will take play money at once, where no card processor is wanted."""

from dataclasses import dataclass

from marketplace.domain.ledger import AccountKind, TransferKind
from marketplace.domain.money import MicroUsd
from marketplace.payments.gateway import Answer, Outcome, Payment

#: this amount is always declined, so that a person can see how that looks
DECLINED_MICROUSD = MicroUsd(4_020_000)


@dataclass(frozen=True, slots=True)
class TestGateway:
    """Pays every amount but one, the same way each time it is asked."""

    #: pytest collects classes called Test...; this one is a gateway
    __test__ = False

    name: str = "test"
    source: AccountKind = AccountKind.PROMO
    kind: TransferKind = TransferKind.TEST_CREDIT
    needs_card: bool = False

    def charge(self, payment: Payment) -> Answer:
        """Return paid, or refused for the one amount that is always declined."""
        reference = f"test-{payment.top_up_id}"
        if payment.amount_microusd == DECLINED_MICROUSD:
            return Answer(Outcome.REFUSED, reference, "The test card was declined.")
        return Answer(Outcome.PAID, reference)

    def cancel(self, payment: Payment) -> Answer:
        """Return refused: what was paid was paid at once and is settled."""
        return Answer(Outcome.REFUSED, f"test-{payment.top_up_id}", "It was not paid in time.")
