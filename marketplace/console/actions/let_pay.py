"""This will have staff take cards again from somebody after a lost dispute."""

from datetime import datetime

from django.db import transaction

from marketplace.console.staff import Staff
from marketplace.domain.oversight import ActKind, Right
from marketplace.payments.actions import let_pay as lifting


def let_pay(*, by: Staff, user_id: int, reason: str, now: datetime) -> None:
    """Lift the mark alone: what the site paid stays in its books.

    :raises NotYourRole: when they who ask may not.
    :raises OwnCase: when it is about themselves.
    :raises NotBarred: when no such person is barred.
    :raises ReasonUnfit: when no reason is given, or too long a one.
    :raises TextRefused: when it shows something else than it says.
    """
    by.must(Right.MONEY)
    by.must_not_be(user_id)
    with transaction.atomic():
        lifting.let_pay(user_id=user_id)
        by.acted(
            ActKind.LET_PAY,
            subject=f"person {user_id}",
            reason=reason,
            person_id=user_id,
            before={"cards": "barred"},
            after={"cards": "taken"},
            now=now,
        )
