"""This will give people credit that ends some day, and take back what is left of it then."""

from datetime import datetime

from django.db import IntegrityError, transaction

from marketplace.domain.ledger import TransferKind
from marketplace.domain.money import MicroUsd
from marketplace.domain.problem import Refused
from marketplace.ledger.actions import open_account
from marketplace.ledger.actions.post import CauseReused, post
from marketplace.ledger.models import CreditGrant
from marketplace.one_by_one import one_by_one

#: grants that one pass takes back; the next pass goes on
GRANTS_MAX = 1000


class CreditEndsTooSoon(Refused):
    """It would end before anybody could spend it."""

    code = "invalid"
    status = 422
    sentence = "Credit must end later than now; give a date that is to come."


def grant_credit(
    *,
    user_id: int,
    amount_microusd: MicroUsd,
    expires_at: datetime,
    cause: str,
    note: str = "",
    now: datetime,
) -> CreditGrant:
    """Return the credit that the person may spend until ``expires_at``; once for each cause.

    :raises CreditEndsTooSoon: when that is not to come.
    :raises CauseReused: when the cause stands for other credit already.
    :raises AmountRefused: when the amount is not positive.
    """
    known = CreditGrant.objects.filter(cause=cause).first()
    if known is None:
        if expires_at <= now:
            raise CreditEndsTooSoon
        try:
            with transaction.atomic():
                return _grant(user_id, amount_microusd, expires_at, cause, note, now)
        except IntegrityError:
            # Another process granted this cause while we were at it, or the amount is refused.
            known = CreditGrant.objects.filter(cause=cause).first()
            if known is None:
                raise
    if (known.user_id, known.amount_microusd) != (user_id, amount_microusd):
        raise CauseReused
    return known


def expire_credit(*, now: datetime) -> int:
    """Take back what is left of credit that ended and return how many grants that were.

    What holds took of it stays theirs until they are released (hold.py).
    """
    ended = CreditGrant.objects.filter(left_microusd__gt=0, expires_at__lte=now)
    expired = one_by_one(
        ended.order_by("expires_at", "id").values_list("id", flat=True),
        lambda grant_id: _expire(grant_id, now),
        failed="Credit not taken back",
        most=GRANTS_MAX,
    )
    return len(expired)


def _grant(
    user_id: int,
    amount_microusd: MicroUsd,
    expires_at: datetime,
    cause: str,
    note: str,
    now: datetime,
) -> CreditGrant:
    post(
        debit=open_account.promo(),
        credit=open_account.credit(user_id=user_id),
        amount_microusd=amount_microusd,
        kind=TransferKind.GRANT,
        cause=f"credit:{cause}",
        note=note,
        now=now,
    )
    return CreditGrant.objects.create(
        user_id=user_id,
        amount_microusd=amount_microusd,
        left_microusd=amount_microusd,
        granted_at=now,
        expires_at=expires_at,
        cause=cause,
        note=note,
    )


def _expire(grant_id: int, now: datetime) -> None:
    with transaction.atomic():
        grant = CreditGrant.objects.select_for_update().get(pk=grant_id)
        if not grant.left_microusd:
            return
        left = MicroUsd(grant.left_microusd)
        grant.left_microusd = 0
        grant.expired_microusd += left
        grant.save(update_fields=["left_microusd", "expired_microusd"])
        post(
            debit=open_account.credit(user_id=grant.user_id),
            credit=open_account.promo(),
            amount_microusd=left,
            kind=TransferKind.EXPIRY,
            # What ended in all: were some to come back later, that would end by itself.
            cause=f"credit:{grant.cause}:expired:{grant.expired_microusd}",
            note=grant.note,
            now=now,
        )
