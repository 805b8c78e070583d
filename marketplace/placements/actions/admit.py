"""This will let a key log in to a placement for a moment, beside those that its renter chose."""

from uuid import UUID

from django.db import transaction

from marketplace.machines.actions import desire, lock
from marketplace.placements.actions.extend_funding import PlacementEnding
from marketplace.placements.models import Placement
from protocol.agent import KEYS_MOST, Want

STOPPED = "It does not run, so nobody can be let in now."
CROWDED = "As many keys as it takes may log in to it already."


def admit(*, placement_id: UUID, line: str) -> None:
    """Let one more key log in; the machine hears of it at once.

    It is not among the renter's own keys, which stay as they are.

    :raises PlacementEnding: when it does not run, or takes no more keys.
    """
    machine_id = Placement.objects.values_list("machine_id", flat=True).get(id=placement_id)
    with transaction.atomic():
        lock.lock(machine_id=machine_id)
        placement = Placement.objects.select_for_update().get(id=placement_id)
        if placement.want != Want.RUN:
            raise PlacementEnding(STOPPED)
        if len(placement.authorized_keys) + len(placement.guest_keys) >= KEYS_MOST:
            raise PlacementEnding(CROWDED)
        placement.guest_keys = [*placement.guest_keys, line]
        placement.save(update_fields=["guest_keys"])
        desire.bump(machine_id=machine_id)


def turn_away(*, placement_id: UUID, line: str) -> None:
    """Let that key log in no more; whoever is logged in with it stays so."""
    machine_id = Placement.objects.values_list("machine_id", flat=True).get(id=placement_id)
    with transaction.atomic():
        lock.lock(machine_id=machine_id)
        placement = Placement.objects.select_for_update().get(id=placement_id)
        if line not in placement.guest_keys:
            return
        placement.guest_keys = [one for one in placement.guest_keys if one != line]
        placement.save(update_fields=["guest_keys"])
        desire.bump(machine_id=machine_id)
