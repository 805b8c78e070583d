"""A rental that was charged, reported, and answered by staff."""

from collections.abc import Callable

from marketplace.accounts.models import User
from marketplace.console.actions.answer_report import Prospect, credit_report, prospect
from marketplace.console.staff import Staff
from marketplace.domain.ledger import TransferKind
from marketplace.domain.money import MicroUsd
from marketplace.domain.rental_report import Payer, Wrong
from marketplace.ledger.actions import open_account
from marketplace.ledger.actions.post import post
from marketplace.metering.actions.audit_money import audit_money
from marketplace.papers.content import total
from marketplace.papers.usage import charged, usage
from marketplace.rentals.actions import report as reporting
from marketplace.rentals.models import Rental, RentalReport
from tests.marketplace.rentals.market import Market, give_key
from tests.marketplace.rentals.proving import deliver
from tests.marketplace.scene import after


def charged_for(market: Market, renter: User, give: Callable[..., None]) -> Rental:
    """Return a rental that was charged $0.10 for 100 s: $0.095 is the host's."""
    give(renter, 100_000_000)
    give_key(renter)
    rental = market.rent(renter)
    market.run(rental, at=after(0))
    deliver(market, rental, second=101)
    return rental


def make(rental: Rental, text: str = "It was slow.", second: float = 150) -> RentalReport:
    return reporting.report(
        rental_id=rental.id,
        renter_id=rental.renter_id,
        what=Wrong.HARDWARE,
        text=text,
        asked_microusd=MicroUsd(50_000),
        now=after(second),
    )


def credit(
    by: Staff,
    report: RentalReport,
    amount: int = 40_000,
    *,
    payer: Payer = Payer.HOST,
    host: int = 38_000,
    reason: str = "The card was hot.",
) -> None:
    credit_report(
        by=by,
        report_id=report.id,
        amount_microusd=MicroUsd(amount),
        payer=payer,
        host_microusd=host,
        reason=reason,
        now=after(200),
    )


def fees() -> int:
    return open_account.fees().balance_microusd


def pay_out(host: User, amount: int) -> None:
    post(
        debit=open_account.earnings(user_id=host.pk),
        credit=open_account.outside(),
        amount_microusd=MicroUsd(amount),
        kind=TransferKind.PAYOUT,
        cause="payout",
        now=after(160),
    )


def well(user: User) -> None:
    """All accounts agree, and the invoice of the month is what the ledger charged."""
    assert audit_money(now=after(0)).problems == []
    month = after(0).replace(day=1, hour=0), after(40 * 86_400)
    assert total(usage(user.pk, *month)) == charged(user.pk, *month)


def said(
    by: Staff, report: RentalReport, amount: int = 40_000, payer: Payer = Payer.HOST
) -> Prospect:
    """Return what staff read before they give it."""
    return prospect(
        by=by,
        report_id=report.id,
        amount_microusd=MicroUsd(amount),
        payer=payer,
        now=after(200),
    )
