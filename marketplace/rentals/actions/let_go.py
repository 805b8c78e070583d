"""This will take what somebody's role in a team no longer holds out of the rentals that run."""

from datetime import datetime

from django.db import transaction

from marketplace.accounts.actions import change_member
from marketplace.accounts.actions.end_team_keys import end_team_keys
from marketplace.accounts.models import SshKey
from marketplace.domain.placement import ENDED
from marketplace.domain.scope import Scope
from marketplace.domain.team import Role, may
from marketplace.placements.actions.extend_funding import PlacementEnding
from marketplace.placements.actions.rekey import rekey
from marketplace.placements.models import Placement


def let_go(*, by_id: int, team_id: int, person_id: int, now: datetime) -> None:
    """Remove the person; what they added opens nothing any more, in what runs too.

    Who is logged in to a machine already stays so. It raises what ``change_member.remove`` does.
    """
    with transaction.atomic():
        change_member.remove(by_id=by_id, team_id=team_id, person_id=person_id, now=now)
        _withdraw(team_id)


def set_role(*, by_id: int, team_id: int, person_id: int, role: Role, now: datetime) -> None:
    """Give the person this role; where it rents nothing, what they added opens nothing any more.

    It raises what ``change_member.set_role`` does.
    """
    with transaction.atomic():
        change_member.set_role(
            by_id=by_id, team_id=team_id, person_id=person_id, role=role, now=now
        )
        if not may(role, Scope.RENTALS_WRITE):
            _withdraw(team_id)


def shut_keys(*, person_id: int) -> None:
    """End the SSH keys that somebody who may not log in added to teams, in what runs too."""
    with transaction.atomic():
        theirs = SshKey.objects.filter(added_by_id=person_id).exclude(user_id=person_id)
        team_ids = sorted(set(theirs.values_list("user_id", flat=True)))
        for team_id in team_ids:
            end_team_keys(person_id=person_id, team_id=team_id)
            _withdraw(team_id)


def _withdraw(team_id: int) -> None:
    """Leave in what runs only keys that the team still has.

    Somebody may have taken theirs off the list while it opened a rental, to keep that open.
    """
    lines = SshKey.objects.filter(user_id=team_id).values_list("public_key", flat=True)
    kept = frozenset(lines)
    mine = Placement.objects.filter(rental__renter_id=team_id).exclude(state__in=ENDED)
    # Machines are locked one after the other, by their ids.
    for placement in mine.only("authorized_keys").order_by("machine_id", "id"):
        left = [line for line in placement.authorized_keys if line in kept]
        if left == placement.authorized_keys:
            continue
        try:
            rekey(placement_id=placement.pk, authorized_keys=left)
        except PlacementEnding:
            continue
