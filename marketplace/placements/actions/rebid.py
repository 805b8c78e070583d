"""This will change what a placement bids."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from marketplace.placements.actions.settle import settle
from marketplace.placements.models import Placement


def rebid(*, placement_id: UUID, bid_hour_microusd: int, now: datetime) -> None:
    """Let it bid so much for an hour from now on, and settle the auction by that.

    Call it behind the machine's lock.
    """
    with transaction.atomic():
        placement = Placement.objects.select_for_update().get(id=placement_id)
        placement.bid_hour_microusd = bid_hour_microusd
        placement.save(update_fields=["bid_hour_microusd"])
        settle(machine_id=placement.machine_id, now=now)
