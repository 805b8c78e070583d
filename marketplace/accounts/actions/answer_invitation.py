"""This will let somebody into a team who was invited, or end the invitation."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from marketplace.accounts.actions import note_event
from marketplace.accounts.actions.make_team import check_room
from marketplace.accounts.actions.note_team_event import note
from marketplace.accounts.models import AccountEvent, Invitation, Membership, User
from marketplace.accounts.teams import InvitationUnknown, TeamUnknown, acting, invitation_to
from marketplace.domain.problem import Refused
from marketplace.domain.team import MEMBERS_MAX, Role, may_change

CHANGED = AccountEvent.Kind.TEAM_CHANGED


class TeamFull(Refused):
    code = "team_full"
    status = 409
    sentence = f"This team has {MEMBERS_MAX} people already; ask whoever invited you to make room."


def join(*, person_id: int, invitation_id: UUID, now: datetime) -> Membership:
    """Return the person's membership; the invitation is gone.

    :raises InvitationUnknown: when there is none for an address that they have proven, or whoever
        wrote it may no longer give that role.
    :raises TooManyTeams: when they are in as many as may be.
    :raises TeamFull: when as many are in it.
    """
    team_id = invitation_to(person_id, invitation_id, now).team_id
    with transaction.atomic():
        team = User.objects.select_for_update(no_key=True).get(pk=team_id)
        # Behind the lock: it may have been taken back, or taken, in between.
        found = invitation_to(person_id, invitation_id, now)
        role = Role(found.role)
        if not _stands(found, role):
            raise InvitationUnknown
        check_room(person_id)
        if Membership.objects.filter(team=team).count() >= MEMBERS_MAX:
            raise TeamFull
        mine = Membership.objects.filter(team=team, person_id=person_id).first()
        Invitation.objects.filter(pk=found.pk).delete()
        if mine is not None:
            return mine
        made = Membership.objects.create(team=team, person_id=person_id, role=role, since=now)
        note(team_id=team.pk, by_id=person_id, kind="joined", about=role.value, now=now)
        about = f"{team.team_name}: {made.person.email} is in it as {role.value}"
        note_event.note(user_id=team.pk, kind=CHANGED, about=about, now=now)
    return made


def decline(*, person_id: int, invitation_id: UUID, now: datetime) -> None:
    """End an invitation to an address of this person.

    :raises InvitationUnknown: when there is none such.
    """
    invitation_to(person_id, invitation_id, now).delete()


def _stands(invitation: Invitation, role: Role) -> bool:
    try:
        by = acting(invitation.invited_by_id, invitation.team_id)
    except TeamUnknown:
        return False
    return may_change(by.role, before=None, after=role)
