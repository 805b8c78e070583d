"""This will say which public keys may log in to a placement from now on."""

from collections.abc import Sequence
from uuid import UUID

from django.db import transaction

from marketplace.machines.actions import desire, lock
from marketplace.placements.actions.extend_funding import PlacementEnding
from marketplace.placements.models import Placement
from protocol.agent import Want

OVER = "It is ending or has ended, so nobody can be let in any more."


def rekey(*, placement_id: UUID, authorized_keys: Sequence[str]) -> None:
    """Let these keys log in and no others; the machine hears of it at once, and of no change never.

    Who is logged in already stays so. One that is stopped opens with them when it starts.

    :raises PlacementEnding: when it ends or has ended.
    """
    machine_id = Placement.objects.values_list("machine_id", flat=True).get(id=placement_id)
    with transaction.atomic():
        lock.lock(machine_id=machine_id)
        placement = Placement.objects.select_for_update().get(id=placement_id)
        if placement.want == Want.END:
            raise PlacementEnding(OVER)
        if placement.authorized_keys != list(authorized_keys):
            placement.authorized_keys = list(authorized_keys)
            placement.save(update_fields=["authorized_keys"])
            desire.bump(machine_id=machine_id)
