"""This will say how much of what a rental was charged can come back for a report.

Decided in docs/decisions/0056-reports-about-rentals.md.
"""

from datetime import datetime

from django.db.models import Sum

from marketplace.domain.money import MicroUsd
from marketplace.domain.rental_report import CHARGED_WITHIN, ReportState
from marketplace.ledger.actions import return_charge
from marketplace.ledger.models import Hold, Transfer
from marketplace.ledger.queries import CHARGED
from marketplace.rentals.models import Rental, RentalProof, RentalReport


def most(rental: Rental, hold: Hold, *, reported_at: datetime, now: datetime) -> MicroUsd:
    """Return what can come back: what was charged since 30 days before the report, at most.

    Less what came back since then, and without credit that has ended. What is older is in its
    host's hands.
    """
    left = return_charge.left(hold, now=now)
    since = reported_at - CHARGED_WITHIN
    if rental.started_at >= since:
        return left
    paid = Transfer.objects.filter(debit=hold.account_id, kind__in=CHARGED, at__gte=since)
    proofs = RentalProof.objects.filter(rental=rental, counted_at__gte=since)
    answered = RentalReport.objects.filter(
        rental=rental, state=ReportState.CREDITED, closed_at__gte=since
    )
    charged = paid.aggregate(sum=Sum("amount_microusd"))["sum"] or 0
    back = proofs.aggregate(sum=Sum("returned_microusd"))["sum"] or 0
    back += answered.aggregate(sum=Sum("credited_microusd"))["sum"] or 0
    return MicroUsd(max(0, min(left, charged - back)))
