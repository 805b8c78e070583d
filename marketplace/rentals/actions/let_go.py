"""This will let somebody go from a team, so that their SSH keys open none of its rentals."""

from collections.abc import Collection
from datetime import datetime

from django.db import transaction

from marketplace.accounts.actions import change_member
from marketplace.accounts.models import SshKey
from marketplace.domain.placement import ENDED
from marketplace.placements.actions.extend_funding import PlacementEnding
from marketplace.placements.actions.rekey import rekey
from marketplace.placements.models import Placement


def let_go(*, by_id: int, team_id: int, person_id: int, now: datetime) -> None:
    """Remove the person; what they added opens nothing any more, in what runs too.

    Who is logged in to a machine already stays so. It raises what ``change_member.remove`` does.
    """
    with transaction.atomic():
        theirs = SshKey.objects.filter(user_id=team_id, added_by_id=person_id)
        lines = frozenset(theirs.values_list("public_key", flat=True))
        change_member.remove(by_id=by_id, team_id=team_id, person_id=person_id, now=now)
        if lines:
            _withdraw(team_id, lines)


def _withdraw(team_id: int, lines: Collection[str]) -> None:
    mine = Placement.objects.filter(rental__renter_id=team_id).exclude(state__in=ENDED)
    # Machines are locked one after the other, by their ids.
    for placement in mine.only("authorized_keys").order_by("machine_id", "id"):
        left = [line for line in placement.authorized_keys if line not in lines]
        if left == placement.authorized_keys:
            continue
        try:
            rekey(placement_id=placement.pk, authorized_keys=left)
        except PlacementEnding:
            continue
