"""This will invite somebody into a team by their address, and take an invitation back."""

from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction

from marketplace.accounts.actions.count_attempt import Limit, count
from marketplace.accounts.actions.lock_team import lock
from marketplace.accounts.actions.note_team_event import note
from marketplace.accounts.models import Invitation, Membership
from marketplace.accounts.queries import proven_emails
from marketplace.accounts.teams import InvitationUnknown, RoleMissing
from marketplace.domain.problem import Refused
from marketplace.domain.team import (
    INVITATION_LASTS,
    INVITATIONS_MAX,
    MEMBERS_MAX,
    Role,
    may_change,
)

#: strangers get letters: by whoever writes, and about whom
WRITTEN = Limit("invite into a team", 20, timedelta(days=1))
RECEIVED = Limit("be invited into a team", 5, timedelta(days=1))


class AddressMalformed(Refused):
    code = "address_invalid"
    status = 422
    sentence = "This is no e-mail address."


class OwnAddressUnproven(Refused):
    code = "address_unproven"
    status = 409
    sentence = "Prove your own e-mail address on the page Account first; then invite others."


class InTeamAlready(Refused):
    code = "in_team_already"
    status = 409
    sentence = "Whoever has this address is in the team already."


class TooManyInvitations(Refused):
    code = "too_many_invitations"
    status = 409
    sentence = (
        f"A team has at most {MEMBERS_MAX} people and {INVITATIONS_MAX} open invitations; take one"
        " back first."
    )


def invite(*, by_id: int, team_id: int, email: str, role: Role, now: datetime) -> Invitation:
    """Return an invitation, of which a pass sends the letter; a former one ends with it.

    It tells nobody whether the address is known here.

    :raises TeamUnknown: when they are not in the team.
    :raises RoleMissing: when they may not give this role.
    :raises AddressMalformed: when it is no address.
    :raises OwnAddressUnproven: when nobody knows whether theirs is.
    :raises InTeamAlready: when somebody in the team has proven it.
    :raises TooManyInvitations: when there are as many as may be.
    :raises TooManyAttempts: when too many were invited today.
    """
    address = email.strip().lower()
    try:
        validate_email(address)
    except ValidationError:
        raise AddressMalformed from None
    with transaction.atomic():
        by = lock(team_id=team_id, by_id=by_id)
        if not may_change(by.role, before=None, after=role):
            raise RoleMissing("Your role in this team does not give that role; ask an owner.")
        if not proven_emails(by_id).exists():
            raise OwnAddressUnproven
        members = Membership.objects.filter(team_id=team_id)
        if members.filter(
            person__emailaddress__email__iexact=address, person__emailaddress__verified=True
        ).exists():
            raise InTeamAlready
        theirs = Invitation.objects.filter(team_id=team_id)
        theirs.filter(expires_at__lte=now).delete()
        for former in theirs.filter(email=address):
            if not may_change(by.role, before=None, after=Role(former.role)):
                raise RoleMissing("They are invited with a role that yours does not give already.")
            former.delete()
        if theirs.count() >= INVITATIONS_MAX or members.count() >= MEMBERS_MAX:
            raise TooManyInvitations
        count(limit=WRITTEN, subject=str(by_id), now=now)
        count(limit=RECEIVED, subject=address, now=now)
        made = Invitation.objects.create(
            team_id=team_id,
            email=address,
            role=role,
            invited_by_id=by_id,
            created_at=now,
            expires_at=now + INVITATION_LASTS,
            mail_due_at=now if settings.SENDS_MAIL else None,
        )
        note(team_id=team_id, by_id=by_id, kind="invited", about=role.value, now=now)
    return made


def take_back(*, by_id: int, team_id: int, invitation_id: UUID, now: datetime) -> None:
    """End an invitation.

    :raises TeamUnknown: when they are not in the team.
    :raises RoleMissing: when they could not have given it.
    :raises InvitationUnknown: when the team has no such one.
    """
    with transaction.atomic():
        by = lock(team_id=team_id, by_id=by_id)
        found = Invitation.objects.filter(pk=invitation_id, team_id=team_id).first()
        if found is None:
            raise InvitationUnknown("The team has no such invitation, or it was answered.")
        if not may_change(by.role, before=None, after=Role(found.role)):
            raise RoleMissing("Your role in this team does not give that role; ask an owner.")
        found.delete()
        note(team_id=team_id, by_id=by_id, kind="took_back", about=found.role, now=now)
