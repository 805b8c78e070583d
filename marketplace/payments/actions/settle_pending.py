"""This will bring payments to an end whose answer was lost or is slow."""

from datetime import datetime

from marketplace.one_by_one import one_by_one
from marketplace.payments import configured_gateway
from marketplace.payments.actions.top_up import ask
from marketplace.payments.gateway import Gateway, GatewayUnreachable
from marketplace.payments.models import TopUp, TopUpState

TOP_UPS_MAX = 200


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
    settled = one_by_one(
        waiting.filter(gateway=chosen.name),
        lambda attempt: _settle(attempt, chosen, now),
        failed="Top-up not settled",
        most=TOP_UPS_MAX,
        silence=(GatewayUnreachable,),
    )
    return sum(settled)


def _settle(attempt: TopUp, gateway: Gateway, now: datetime) -> bool:
    return ask(attempt, gateway=gateway, now=now).state != TopUpState.PENDING
