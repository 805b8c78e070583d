"""This will take money in over the REST API."""

from typing import Annotated
from uuid import UUID, uuid4

from django.http import HttpRequest
from django.utils import timezone
from ninja import Header, Router, Schema, Status
from pydantic import Field

from marketplace.accounts.bearer import ApiKeyBearer, caller
from marketplace.domain.money import MicroUsd
from marketplace.payments.actions.top_up import top_up

router = Router(tags=["money"], auth=ApiKeyBearer())


class TopUpRequest(Schema):
    amount_microusd: Annotated[int, Field(ge=1, le=10**15)]


class TopUpReply(Schema):
    id: UUID
    #: pending, paid or refused
    state: str
    reason: str


@router.post("/top-ups", response={201: TopUpReply})
def create(
    request: HttpRequest,
    payload: TopUpRequest,
    idempotency_key: Annotated[str | None, Header(alias="Idempotency-Key", max_length=100)] = None,
) -> Status[TopUpReply]:
    """Add money to your wallet; the same idempotency key pays once."""
    user = caller(request)
    paid = top_up(
        user_id=user.pk,
        amount_microusd=MicroUsd(payload.amount_microusd),
        cause=f"api:{user.pk}:{idempotency_key or uuid4()}",
        now=timezone.now(),
    )
    return Status(201, TopUpReply(id=paid.id, state=paid.state, reason=paid.reason))
