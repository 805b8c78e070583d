"""This will bring payments to an end whose answer was lost or is slow."""

import logging
from datetime import datetime, timedelta

from marketplace.domain.money import MicroUsd
from marketplace.payments import configured_gateway
from marketplace.payments.actions.top_up import settle
from marketplace.payments.gateway import Gateway, GatewayUnreachable
from marketplace.payments.models import TopUp, TopUpState

#: a younger one is still being asked for by its own request
ASK_AGAIN_AFTER = timedelta(minutes=1)
#: nobody waits longer for their money, or for its refusal
GIVE_UP_AFTER = timedelta(hours=24)
TOP_UPS_MAX = 500

log = logging.getLogger(__name__)


def settle_pending(*, now: datetime, gateway: Gateway | None = None) -> int:
    """Return how many payments this pass settled.

    The gateway is asked again under the same id, and after a day told to take nothing any more.
    Call it outside a transaction: the gateway is a remote call.
    """
    waiting = TopUp.objects.filter(
        state=TopUpState.PENDING, created_at__lt=now - ASK_AGAIN_AFTER
    ).order_by("created_at", "id")
    if not waiting.exists():
        return 0
    chosen = gateway or configured_gateway.get()
    mine = waiting.filter(gateway=chosen.name).select_related("user")
    return sum(_settle(attempt, chosen, now) for attempt in mine[:TOP_UPS_MAX])


def _settle(attempt: TopUp, gateway: Gateway, now: datetime) -> bool:
    try:
        if attempt.created_at < now - GIVE_UP_AFTER:
            answer = gateway.cancel(top_up_id=attempt.pk)
        else:
            answer = gateway.charge(
                top_up_id=attempt.pk,
                amount_microusd=MicroUsd(attempt.amount_microusd),
                email=attempt.user.email,
            )
        settled = settle(top_up_id=attempt.pk, answer=answer, gateway=gateway, now=now)
    except GatewayUnreachable:
        log.warning("payment gateway unreachable", extra={"top_up_id": attempt.pk})
        return False
    except Exception:
        # The others must not wait for who mends this one; the next pass tries it again.
        log.exception("top-up not settled", extra={"top_up_id": attempt.pk})
        return False
    return settled.state != TopUpState.PENDING
