"""This will have a rental stop by itself when it is idle, or no more."""

from datetime import datetime
from uuid import UUID

from marketplace.domain.pricing import PriceType
from marketplace.domain.problem import Refused
from marketplace.rentals import queries
from marketplace.rentals.models import IdleRule


class IdleRuleUnfit(Refused):
    """A reservation is paid for whether it is used or not."""

    code = "reserved"
    status = 409
    sentence = "A reserved rental is paid for its whole term, so it has no idle rule."


def set_idle_rule(
    *, rental_id: UUID, renter_id: int, after_s: int, below_percent: int, now: datetime
) -> IdleRule:
    """Return the rule: it is stopped, files kept, after so long below so much use.

    What was idle before this moment does not count.

    :raises RentalUnknown: when this renter has no such rental.
    :raises IdleRuleUnfit: when it is reserved.
    """
    rental = queries.find(rental_id, renter_id)
    if rental.price_type == PriceType.RESERVED:
        raise IdleRuleUnfit
    rule, _ = IdleRule.objects.update_or_create(
        rental=rental,
        defaults={
            "after_s": after_s,
            "below_percent": below_percent,
            "set_at": now,
            "idle_since": None,
        },
    )
    return rule


def remove_idle_rule(*, rental_id: UUID, renter_id: int) -> None:
    """Let the rental run, idle or not.

    :raises RentalUnknown: when this renter has no such rental.
    """
    IdleRule.objects.filter(rental=queries.find(rental_id, renter_id)).delete()
