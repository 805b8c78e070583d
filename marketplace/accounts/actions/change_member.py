"""This will give somebody in a team another role, or let them go. There is always an owner."""

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q

from marketplace.accounts.actions import note_event
from marketplace.accounts.actions.count_attempt import Limit, count
from marketplace.accounts.actions.end_team_keys import end_team_keys
from marketplace.accounts.actions.lock_team import lock
from marketplace.accounts.actions.note_team_event import note
from marketplace.accounts.models import AccountEvent, ApiKey, Invitation, Membership
from marketplace.accounts.teams import RoleMissing
from marketplace.domain.problem import Refused
from marketplace.domain.scope import Scope
from marketplace.domain.team import Role, may, may_change

#: each is told to owners by letters that nobody turns off
CHANGES = Limit("change who is in a team", 60, timedelta(hours=1))
CHANGED = AccountEvent.Kind.TEAM_CHANGED


class MemberUnknown(Refused):
    code = "not_found"
    status = 404
    sentence = "There is no such person in this team."


class LastOwner(Refused):
    code = "last_owner"
    status = 409
    sentence = "A team has an owner: make somebody else one first, or close the team."


def set_role(*, by_id: int, team_id: int, person_id: int, role: Role, now: datetime) -> None:
    """Give the person this role; their keys for the team do from now on what it allows.

    With a role that rents nothing, SSH keys of theirs end as in ``remove``.

    :raises TeamUnknown: when whoever asks is not in the team.
    :raises RoleMissing: when they may not give or take it.
    :raises MemberUnknown: when there is no such person in it.
    :raises LastOwner: when nobody would own it.
    :raises TooManyAttempts: when they changed too many in an hour.
    """
    with transaction.atomic():
        member = _changed(by_id, team_id, person_id, role, now)
        if member.role == role:
            return
        Membership.objects.filter(pk=member.pk).update(role=role)
        _end_what_is_above(team_id, person_id, role, now)
        note(
            team_id=team_id,
            by_id=by_id,
            kind="role_set",
            whom_id=person_id,
            about=role.value,
            now=now,
        )
        _tell(member, f"now has the role {role.value}", now)


def remove(*, by_id: int, team_id: int, person_id: int, now: datetime) -> None:
    """Let the person go, or let them leave: their keys and web hooks end.

    Keys of endpoints that they know go on until they are renewed (notices.actions.shut_left).
    Rentals that run keep the SSH keys that they have, so call it by ``rentals.actions.let_go``,
    which takes these away.

    :raises TeamUnknown: when whoever asks is not in the team.
    :raises RoleMissing: when they may not.
    :raises MemberUnknown: when there is no such person in it.
    :raises LastOwner: when nobody would own it.
    """
    with transaction.atomic():
        member = _changed(by_id, team_id, person_id, None, now)
        Membership.objects.filter(pk=member.pk).delete()
        _end_what_is_above(team_id, person_id, None, now)
        kind, whom = ("left", None) if by_id == person_id else ("removed", person_id)
        note(team_id=team_id, by_id=by_id, kind=kind, whom_id=whom, about=member.role, now=now)
        _tell(member, "is no longer in it", now)


def _changed(
    by_id: int, team_id: int, person_id: int, after: Role | None, now: datetime
) -> Membership:
    by = lock(team_id=team_id, by_id=by_id)
    rows = Membership.objects.select_related("team", "person").filter(team_id=team_id)
    member = rows.filter(person_id=person_id).first()
    if member is None:
        raise MemberUnknown
    before = Role(member.role)
    leaves = by_id == person_id and after is None
    if not leaves and not may_change(by.role, before=before, after=after):
        raise RoleMissing("Your role in this team does not change theirs; ask an owner.")
    if before is not after:
        count(limit=CHANGES, subject=str(by_id), now=now)
    others = rows.filter(role=Role.OWNER, person__is_active=True).exclude(person_id=person_id)
    if before is Role.OWNER and after is not Role.OWNER and not others.exists():
        raise LastOwner
    return member


def _end_what_is_above(team_id: int, person_id: int, role: Role | None, now: datetime) -> None:
    """End what they gave or made that their role no longer holds; None: all of it."""
    written = Invitation.objects.filter(team_id=team_id, invited_by_id=person_id)
    for one in written:
        if role is None or not may_change(role, before=None, after=Role(one.role)):
            one.delete()
    if role is None or not may(role, Scope.ACCOUNT_WRITE):
        made = Q(user_id=team_id, made_by_id=person_id)
        ApiKey.objects.filter(made, revoked_at=None).update(revoked_at=now)
    if role is None or not may(role, Scope.RENTALS_WRITE):
        end_team_keys(person_id=person_id, team_id=team_id)


def _tell(member: Membership, what: str, now: datetime) -> None:
    about = f"{member.team.team_name}: {member.person.email} {what}"
    for user_id in (member.team_id, member.person_id):
        note_event.note(user_id=user_id, kind=CHANGED, about=about, now=now)
