"""This will serve the rule by which a rental stops when it is idle."""

from uuid import UUID

from django.http import HttpRequest
from django.utils import timezone
from ninja import Router, Status

from marketplace.accounts.bearer import ApiKeyBearer, caller
from marketplace.rentals.actions.set_idle_rule import remove_idle_rule, set_idle_rule
from marketplace.rentals.requests import IdleRuleRequest
from marketplace.rentals.schemas import IdleRuleReply

router = Router(tags=["rentals"], auth=ApiKeyBearer())


@router.put("/rentals/{rental_id}/idle-rule", response=IdleRuleReply)
def put(request: HttpRequest, rental_id: UUID, payload: IdleRuleRequest) -> IdleRuleReply:
    """Stop a rental, its files kept, when it was idle for so long; missing readings are not."""
    rule = set_idle_rule(
        rental_id=rental_id,
        renter_id=caller(request).pk,
        after_s=payload.after_s,
        below_percent=payload.below_percent,
        now=timezone.now(),
    )
    return IdleRuleReply(
        after_s=rule.after_s, below_percent=rule.below_percent, idle_since=rule.idle_since
    )


@router.delete("/rentals/{rental_id}/idle-rule", response={204: None})
def delete(request: HttpRequest, rental_id: UUID) -> Status[None]:
    """Let a rental run, idle or not."""
    remove_idle_rule(rental_id=rental_id, renter_id=caller(request).pk)
    return Status(204, None)
