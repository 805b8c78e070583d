"""This will take cards again from somebody who lost a dispute that the site paid for."""

from marketplace.domain.problem import Refused
from marketplace.payments.models import Payer


class NotBarred(Refused):
    code = "not_barred"
    status = 409
    sentence = "No cards of this person are barred."


def let_pay(*, user_id: int) -> None:
    """Lift the mark alone: what the site paid stays in its books. Call it in a transaction.

    :raises NotBarred: when no such person is barred.
    """
    barred = Payer.objects.filter(user_id=user_id, barred_at__isnull=False)
    if barred.select_for_update().first() is None:
        raise NotBarred
    barred.update(barred_at=None)
