"""This will keep the one card that a person pays with: at Stripe, and here only its name."""

from django.conf import settings

from marketplace.accounts.teams import email_of
from marketplace.domain.problem import Refused
from marketplace.payments import configured_gateway
from marketplace.payments.gateway import GatewayUnreachable
from marketplace.payments.models import AutoTopUp, Payer

CARD_REMOVED = "The card was removed."


class CardsUnreachable(Refused):
    code = "cards_unreachable"
    status = 503
    sentence = "The card processor does not answer; nothing changed. Try again in some minutes."


def card_page(*, user_id: int, query: str = "") -> str:
    """Return the address of the processor's page where the person saves a card.

    ``query`` is told to the pages that it leads back to. Which card is saved is looked up first, so
    that a new one can be told from it. Call it outside a transaction: these are remote calls.

    :raises PaymentsUnavailable: when this site takes no cards.
    :raises CardsUnreachable: when the processor does not answer.
    """
    processor = configured_gateway.cards()
    payer, _ = Payer.objects.get_or_create(user_id=user_id)
    try:
        if payer.customer:
            refresh(customer=payer.customer)
        else:
            customer = processor.new_customer(payer_id=payer.pk, email=email_of(user_id))
            Payer.objects.filter(pk=payer.pk, customer="").update(customer=customer)
            payer.refresh_from_db()
        return processor.card_page(
            customer=payer.customer,
            saved_url=f"{settings.PUBLIC_URL}/money/card/saved{query}",
            cancelled_url=f"{settings.PUBLIC_URL}/money/card/cancelled{query}",
        )
    except GatewayUnreachable as silence:
        raise CardsUnreachable from silence


def refresh(*, customer: str) -> None:
    """Take over which card the processor has now, whatever told us to look.

    :raises GatewayUnreachable: when the processor does not answer.
    """
    payers = Payer.objects.filter(customer=customer)
    if not customer or not payers.exists():
        return
    card = configured_gateway.cards().saved_card(customer)
    text = f"{card.brand} {card.last4}, {card.expires}" if card else ""
    payers.update(card=card.id if card else "", card_text=text)


def remove_card(*, user_id: int) -> None:
    """Forget the card, here and at the processor; nothing is charged by itself any more.

    :raises CardsUnreachable: when the processor does not answer.
    """
    payer = Payer.objects.filter(user_id=user_id).exclude(customer="").first()
    if payer is None:
        return
    AutoTopUp.objects.filter(user_id=user_id, is_on=True).update(
        is_on=False, off_because=CARD_REMOVED
    )
    try:
        configured_gateway.cards().forget_cards(payer.customer)
        refresh(customer=payer.customer)
    except GatewayUnreachable as silence:
        raise CardsUnreachable from silence
