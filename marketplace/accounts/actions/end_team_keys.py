"""This will take the SSH keys that somebody added to a team off its list, but for others' own."""

from django.db.models import Q

from marketplace.accounts.models import Membership, SshKey, SshKeyHolder
from marketplace.domain.scope import Scope
from marketplace.domain.team import Role, may

#: whose keys open what a team rents
RENTING = tuple(role for role in Role if may(role, Scope.RENTALS_WRITE))


def end_team_keys(*, person_id: int, team_id: int) -> None:
    """Remove them; call it in a transaction, once their role is what it will be.

    A key that somebody else in the team added too, or has in their own account, is theirs from now
    on: whoever adds a colleague's key must not take it along. Rentals that run keep what they have;
    ``rentals.actions.let_go`` takes it away.
    """
    SshKeyHolder.objects.filter(person_id=person_id, key__user_id=team_id).delete()
    added = SshKey.objects.filter(user_id=team_id, added_by_id=person_id).order_by("id")
    # Locked, so that nobody adds one too that is about to go.
    for key in added.select_for_update():
        heir = _heir(key, person_id)
        if heir is None:
            key.delete()
            continue
        SshKey.objects.filter(pk=key.pk).update(added_by_id=heir.person_id)
        SshKeyHolder.objects.filter(key=key, person_id=heir.person_id).delete()


def _heir(key: SshKey, person_id: int) -> Membership | None:
    """Return who has been in the team for the longest time of those whose key it is too."""
    others = Membership.objects.filter(
        team_id=key.user_id, role__in=RENTING, person__is_active=True
    ).exclude(person_id=person_id)
    has = Q(person__ssh_keys_shared__key=key) | Q(person__ssh_keys__fingerprint=key.fingerprint)
    return others.filter(has).order_by("id").first()
