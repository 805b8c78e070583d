"""This will hand out what a bank should know about a disputed payment, and keep who read it."""

from datetime import datetime

from django.db import transaction

from marketplace.console.staff import Staff
from marketplace.domain.oversight import ActKind, Right
from marketplace.domain.problem import Refused
from marketplace.payments.evidence import evidence
from marketplace.payments.models import Dispute


class DisputeUnknown(Refused):
    code = "not_found"
    status = 404
    sentence = "There is no such dispute."


def read_evidence(*, by: Staff, dispute_id: str, now: datetime) -> str:
    """Return the text: a person's payment, rentals and statement, to be put before the bank.

    :raises NotYourRole: when they who ask may not.
    :raises DisputeUnknown: when there is no such dispute.
    """
    by.must(Right.SEE)
    with transaction.atomic():
        found = Dispute.objects.filter(pk=dispute_id).select_related("top_up__user").first()
        if found is None:
            raise DisputeUnknown
        by.acted(
            ActKind.READ_EVIDENCE,
            subject=f"dispute {found.pk}",
            reason="to answer the bank",
            person_id=found.top_up.user_id,
            now=now,
        )
        return evidence(found)
