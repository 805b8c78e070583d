"""This will take cards again from somebody who lost a dispute that the site paid for."""

from datetime import datetime

from django.db import transaction

from marketplace.console.staff import Staff
from marketplace.domain.oversight import ActKind, Right
from marketplace.domain.problem import Refused
from marketplace.payments.models import Payer


class NotBarred(Refused):
    code = "not_barred"
    status = 409
    sentence = "No cards of this person are barred."


def let_pay(*, by: Staff, user_id: int, reason: str, now: datetime) -> None:
    """Lift the mark alone: what the site paid stays in its books.

    :raises NotYourRole: when they who ask may not.
    :raises OwnCase: when it is about themselves.
    :raises NotBarred: when no such person is barred.
    :raises ReasonMissing: when no reason is given.
    """
    by.must(Right.MONEY)
    by.must_not_be(user_id)
    with transaction.atomic():
        barred = Payer.objects.filter(user_id=user_id, barred_at__isnull=False)
        payer = barred.select_for_update().first()
        if payer is None:
            raise NotBarred
        barred.update(barred_at=None)
        by.acted(
            ActKind.LET_PAY,
            subject=f"person {user_id}",
            reason=reason,
            person_id=user_id,
            before={"cards": "barred"},
            after={"cards": "taken"},
            now=now,
        )
