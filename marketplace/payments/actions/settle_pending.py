"""This will bring payments to an end whose answer was lost or is slow."""

import logging
from datetime import datetime

from marketplace.payments import configured_gateway
from marketplace.payments.actions.top_up import ask
from marketplace.payments.gateway import Gateway, GatewayUnreachable
from marketplace.payments.models import TopUp, TopUpState

TOP_UPS_MAX = 200
#: then the gateway is away, and each further question would wait for its deadline
SILENCES_MAX = 3

log = logging.getLogger(__name__)


def settle_pending(*, now: datetime, gateway: Gateway | None = None) -> int:
    """Return how many payments this pass settled.

    The gateway is asked again under the same id, and after a day told to take nothing any more. The
    older a payment is, the rarer it is asked about, so one that nobody answers holds up no other.
    Call it outside a transaction: the gateway is a remote call.
    """
    waiting = TopUp.objects.filter(state=TopUpState.PENDING, ask_at__lt=now).order_by(
        "ask_at", "id"
    )
    if not waiting.exists():
        return 0
    chosen = gateway or configured_gateway.get()
    settled = silences = 0
    for attempt in waiting.filter(gateway=chosen.name)[:TOP_UPS_MAX]:
        try:
            settled += _settle(attempt, chosen, now)
        except GatewayUnreachable:
            silences += 1
            if silences == SILENCES_MAX:
                break
        except Exception:
            # The others must not wait for who mends this one; a later pass tries it again.
            log.exception("top-up not settled", extra={"top_up_id": attempt.pk})
    return settled


def _settle(attempt: TopUp, gateway: Gateway, now: datetime) -> bool:
    return ask(attempt, gateway=gateway, now=now).state != TopUpState.PENDING
