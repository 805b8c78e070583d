"""This will turn off the automatic payments of a card that is refused again and again."""

import logging
from datetime import datetime

from django.db.models import F

from marketplace.domain.paying_in import AUTO_TOP_UP_DECLINES_MAX
from marketplace.notices.actions.notify import notify
from marketplace.payments.models import AutoTopUp

log = logging.getLogger(__name__)


def count_decline(*, user_id: int, reason: str, now: datetime) -> None:
    """Count a refusal, and tell the person when it was the last one.

    Call it in the transaction that writes the refusal down: so it counts once.
    """
    rules = AutoTopUp.objects.filter(user_id=user_id, is_on=True)
    rules.update(declines=F("declines") + 1)
    because = f"The card was refused {AUTO_TOP_UP_DECLINES_MAX} times: {reason}"[:200]
    last = rules.filter(declines__gte=AUTO_TOP_UP_DECLINES_MAX)
    if last.update(is_on=False, off_because=because):
        log.info("automatic top-up turned off", extra={"user_id": user_id})
        notify(
            user_id=user_id,
            kind="payment",
            cause=f"auto-top-up-off:{user_id}:{int(now.timestamp())}",
            title="Money is added automatically no more",
            text=f"{because} Save another card, or turn it on again on the page Money.",
            data={"url": "/money/"},
            now=now,
        )


def forget_declines(*, user_id: int) -> None:
    """Begin to count anew: the card works."""
    AutoTopUp.objects.filter(user_id=user_id).update(declines=0)
