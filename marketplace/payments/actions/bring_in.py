"""This will find the payment of ours that the card processor means by a name of its own."""

from datetime import datetime

from marketplace.payments import configured_gateway
from marketplace.payments.actions.top_up import ask
from marketplace.payments.models import TopUp, TopUpState


def bring_in(reference: str, *, now: datetime) -> TopUp | None:
    """Return the payment, brought to where the processor has it now; None: it is none of ours.

    One whose answer was lost does not know its name yet: what we wrote into it says whose it is.
    Call it outside a transaction.

    :raises GatewayUnreachable: when no answer came.
    """
    if not reference:
        return None
    processor = configured_gateway.cards()
    row = TopUp.objects.filter(reference=reference).first()
    if row is None:
        # One that has another name already was asked for twice: that is for the operator.
        nameless = TopUp.objects.filter(reference="", gateway=processor.name)
        top_up_id = processor.payment_of(reference)
        row = nameless.filter(pk=top_up_id).first() if top_up_id else None
        if row is None:
            return None
        row.reference = reference
    return row if row.state == TopUpState.PAID else ask(row, gateway=processor, now=now)
