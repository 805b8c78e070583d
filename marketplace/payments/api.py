"""This will take money in over the REST API, and say which card and rule it comes by."""

from datetime import datetime
from typing import Annotated
from uuid import UUID, uuid4

from django.http import HttpRequest
from django.utils import timezone
from ninja import Header, Router, Schema, Status
from pydantic import Field

from marketplace.accounts.bearer import ApiKeyBearer, caller, caller_key
from marketplace.domain.money import MicroUsd
from marketplace.domain.paying_in import AutoTopUpRule
from marketplace.domain.problem import Refused
from marketplace.json_body import JsonBody
from marketplace.ledger.actions import spend_limit
from marketplace.payments import queries
from marketplace.payments.actions.save_card import card_page, remove_card
from marketplace.payments.actions.set_auto_top_up import set_auto_top_up, turn_off
from marketplace.payments.actions.top_up import top_up
from marketplace.payments.models import AutoTopUp, Payer, TopUp

router = Router(tags=["money"], auth=ApiKeyBearer())
Amount = Annotated[int, Field(ge=1, le=10**15)]


class TopUpUnknown(Refused):
    code = "not_found"
    status = 404
    sentence = "You have no such payment."


class TopUpRequest(JsonBody):
    amount_microusd: Amount


class TopUpReply(Schema):
    id: UUID
    amount_microusd: int
    #: pending, paid or refused
    state: str
    reason: str
    #: where you confirm it, if your bank wants that; empty: nothing is to be done
    confirm_url: str
    #: asked for by your rule
    automatic: bool
    created_at: datetime


class TopUps(Schema):
    items: list[TopUpReply]
    #: as ``cursor`` it gives the next page; null: there is none
    next_cursor: UUID | None


class CardReply(Schema):
    #: such as "visa 4242, 12/2030"; empty: none is saved
    card: str


class CardPage(Schema):
    #: the card processor's page where you save a card
    url: str


class Rule(JsonBody):
    #: below this balance your card is asked
    threshold_microusd: Amount
    amount_microusd: Amount
    #: of all that it takes in a calendar month, UTC
    month_microusd_max: Amount


class RuleReply(Schema):
    is_on: bool
    threshold_microusd: int
    amount_microusd: int
    month_microusd_max: int
    #: why it was turned off; empty: it was not
    off_because: str


class RuleUnknown(Refused):
    code = "not_found"
    status = 404
    sentence = "You have set no rule; money is added only when you add it."


@router.post("/top-ups", response={201: TopUpReply})
def create(
    request: HttpRequest,
    payload: TopUpRequest,
    idempotency_key: Annotated[str | None, Header(alias="Idempotency-Key", max_length=100)] = None,
) -> Status[TopUpReply]:
    """Add money to your wallet; the same idempotency key pays once.

    A key with a spend limit may not.
    """
    spend_limit.check_own(api_key_id=caller_key(request), hold_key_id=None)
    user = caller(request)
    paid = top_up(
        user_id=user.pk,
        amount_microusd=MicroUsd(payload.amount_microusd),
        cause=f"api:{user.pk}:{idempotency_key or uuid4()}",
        now=timezone.now(),
    )
    return Status(201, _reply(paid))


@router.get("/top-ups", response=TopUps)
def newest(request: HttpRequest, cursor: UUID | None = None) -> TopUps:
    """List your payments, newest first."""
    page = queries.payments_page(caller(request).pk, after=cursor)
    return TopUps(items=[_reply(paid) for paid in page.items], next_cursor=page.next_id)


@router.get("/top-ups/{top_up_id}", response=TopUpReply)
def one(request: HttpRequest, top_up_id: UUID) -> TopUpReply:
    """Say what became of a payment."""
    found = TopUp.objects.filter(pk=top_up_id, user=caller(request)).first()
    if found is None:
        raise TopUpUnknown
    return _reply(found)


@router.get("/card", response=CardReply)
def card(request: HttpRequest) -> CardReply:
    """Say which card is saved."""
    payer = Payer.objects.filter(user=caller(request)).first()
    return CardReply(card=payer.card_text if payer else "")


@router.post("/card", response={201: CardPage})
def save(request: HttpRequest) -> Status[CardPage]:
    """Get the address of a page that saves a card; open it in a browser."""
    spend_limit.check_own(api_key_id=caller_key(request), hold_key_id=None)
    return Status(201, CardPage(url=card_page(user_id=caller(request).pk)))


@router.delete("/card", response={204: None})
def remove(request: HttpRequest) -> Status[None]:
    """Forget your card, here and at the card processor."""
    spend_limit.check_own(api_key_id=caller_key(request), hold_key_id=None)
    remove_card(user_id=caller(request).pk)
    return Status(204, None)


@router.get("/auto-top-up", response=RuleReply)
def rule(request: HttpRequest) -> RuleReply:
    """Say by which rule your card is asked without you."""
    found = AutoTopUp.objects.filter(user=caller(request)).first()
    if found is None:
        raise RuleUnknown
    return _rule_reply(found)


@router.put("/auto-top-up", response=RuleReply)
def set_rule(request: HttpRequest, payload: Rule) -> RuleReply:
    """Have your card asked without you, once an hour at most."""
    spend_limit.check_own(api_key_id=caller_key(request), hold_key_id=None)
    wanted = AutoTopUpRule(
        MicroUsd(payload.threshold_microusd),
        MicroUsd(payload.amount_microusd),
        MicroUsd(payload.month_microusd_max),
    )
    return _rule_reply(set_auto_top_up(user_id=caller(request).pk, rule=wanted))


@router.delete("/auto-top-up", response={204: None})
def forget_rule(request: HttpRequest) -> Status[None]:
    """Have your card asked no more by itself."""
    spend_limit.check_own(api_key_id=caller_key(request), hold_key_id=None)
    turn_off(user_id=caller(request).pk)
    return Status(204, None)


def _reply(paid: TopUp) -> TopUpReply:
    return TopUpReply(
        id=paid.pk,
        amount_microusd=paid.amount_microusd,
        state=paid.state,
        reason=paid.reason,
        confirm_url=paid.confirm_url,
        automatic=paid.automatic,
        created_at=paid.created_at,
    )


def _rule_reply(row: AutoTopUp) -> RuleReply:
    return RuleReply(
        is_on=row.is_on,
        threshold_microusd=row.threshold_microusd,
        amount_microusd=row.amount_microusd,
        month_microusd_max=row.month_microusd_max,
        off_because=row.off_because,
    )
