"""This will let programs change who is in their person's teams, over the REST API.

The web asks for the password again before most of this. A program shows a key that was made with
one, for ``account:write`` and without a spend limit, as for web hooks; each change is told to the
team's owners and to whom it is about, by letters that cannot be turned off.
"""

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

from django.http import HttpRequest
from django.utils import timezone
from ninja import Router, Status
from pydantic import Field

from marketplace.accounts import teams as found
from marketplace.accounts.actions import answer_invitation
from marketplace.accounts.actions import invite as inviting
from marketplace.accounts.actions.change_member import MemberUnknown
from marketplace.accounts.bearer import (
    ApiKeyBearer,
    ScopeMissing,
    caller,
    caller_key,
    caller_scopes,
)
from marketplace.accounts.teams_api import AccountId, InvitationReply, MemberReply, TeamReply
from marketplace.domain.problem import Refused
from marketplace.domain.scope import allows
from marketplace.domain.team import SCOPES, Role, may_change
from marketplace.json_body import JsonBody
from marketplace.ledger.actions import spend_limit
from marketplace.rentals.actions import let_go

router = Router(tags=["account"], auth=ApiKeyBearer())
#: longer is no address
EMAIL_LENGTH_MAX = 254


class InviteRequest(JsonBody):
    email: Annotated[str, Field(max_length=EMAIL_LENGTH_MAX)]
    role: Role


class RoleRequest(JsonBody):
    role: Role


class OwnersOnTheWeb(Refused):
    """Whoever finds a key must not take a team with it: that could not be undone."""

    code = "owners_on_the_web"
    status = 403
    sentence = "Owners are made and let go on the team's page, which asks for the password again."


@router.get("/teams/{team_id}/invitations", response=list[InvitationReply])
def invitations(request: HttpRequest, team_id: AccountId) -> Sequence[InvitationReply]:
    """List a team's invitations that can still be taken: 20 at most, to who may invite."""
    by = found.acting(caller(request).pk, team_id)
    if not any(may_change(by.role, before=None, after=role) for role in Role):
        raise found.RoleMissing("Your role in this team invites nobody; ask an owner.")
    return [InvitationReply.of(one) for one in found.invitations_of(team_id, timezone.now())]


@router.post("/teams/{team_id}/invitations", response={201: InvitationReply})
def invite(
    request: HttpRequest, team_id: AccountId, payload: InviteRequest
) -> Status[InvitationReply]:
    """Invite somebody by their address, for a week; a former invitation of theirs ends with it.

    A key with a spend limit may not, nor do anything else about who is in a team.
    """
    _check_key(request, team_id, None, after=payload.role)
    made = inviting.invite(
        by_id=_person_id(request),
        team_id=team_id,
        email=payload.email,
        role=payload.role,
        now=timezone.now(),
    )
    return Status(201, InvitationReply.of(made))


@router.delete("/teams/{team_id}/invitations/{invitation_id}", response={204: None})
def take_back(request: HttpRequest, team_id: AccountId, invitation_id: UUID) -> Status[None]:
    """Take an invitation back: it opens nothing any more."""
    inviting.take_back(
        by_id=_person_id(request),
        team_id=team_id,
        invitation_id=invitation_id,
        now=timezone.now(),
    )
    return Status(204, None)


@router.patch("/teams/{team_id}/members/{person_id}", response=MemberReply)
def set_role(
    request: HttpRequest, team_id: AccountId, person_id: AccountId, payload: RoleRequest
) -> MemberReply:
    """Give somebody in it another role: keys and web hooks of theirs that it does not hold end."""
    _check_key(request, team_id, person_id, after=payload.role)
    let_go.set_role(
        by_id=_person_id(request),
        team_id=team_id,
        person_id=person_id,
        role=payload.role,
        now=timezone.now(),
    )
    for one in found.members(team_id):
        if one.person_id == person_id:
            return MemberReply.of(one)
    # Somebody let them go in this moment.
    raise MemberUnknown


@router.delete("/teams/{team_id}/members/{person_id}", response={204: None})
def remove(request: HttpRequest, team_id: AccountId, person_id: AccountId) -> Status[None]:
    """Let somebody go, or leave yourself.

    Their keys and web hooks end; renew keys of endpoints that they know.
    """
    by_id = _person_id(request)
    if by_id != person_id:
        _check_key(request, team_id, person_id, after=None)
    let_go.let_go(by_id=by_id, team_id=team_id, person_id=person_id, now=timezone.now())
    return Status(204, None)


@router.post("/teams/{team_id}/leave", response={204: None})
def leave(request: HttpRequest, team_id: AccountId) -> Status[None]:
    """Leave a team: your keys and web hooks end; have keys of endpoints that you know renewed."""
    person_id = _person_id(request)
    let_go.let_go(by_id=person_id, team_id=team_id, person_id=person_id, now=timezone.now())
    return Status(204, None)


@router.post("/invitations/{invitation_id}/accept", response=TeamReply)
def accept(request: HttpRequest, invitation_id: UUID) -> TeamReply:
    """Go into the team that you are invited into."""
    joined = answer_invitation.join(
        person_id=_person_id(request), invitation_id=invitation_id, now=timezone.now()
    )
    return TeamReply.of(joined)


@router.post("/invitations/{invitation_id}/decline", response={204: None})
def decline(request: HttpRequest, invitation_id: UUID) -> Status[None]:
    """End an invitation to you."""
    answer_invitation.decline(
        person_id=_person_id(request), invitation_id=invitation_id, now=timezone.now()
    )
    return Status(204, None)


def _check_key(
    request: HttpRequest, team_id: int, person_id: int | None, *, after: Role | None
) -> None:
    """See that the key gives or takes no role that does more than itself, and none of an owner.

    What its person may not do either is refused by what follows. ``person_id``: None: somebody new.
    """
    by = found.acting(_person_id(request), team_id)
    before = None if person_id is None else _role_of(team_id, person_id)
    if not may_change(by.role, before=before, after=after):
        return
    touched = {one for one in (before, after) if one is not None}
    if Role.OWNER in touched:
        raise OwnersOnTheWeb
    for asked in sorted(asked for one in touched for asked in SCOPES[one]):
        if not allows(caller_scopes(request), asked):
            raise ScopeMissing(
                f"This API key gives and takes no role that does more; use one with {asked}, too."
            )


def _role_of(team_id: int, person_id: int) -> Role:
    for one in found.members(team_id):
        if one.person_id == person_id:
            return Role(one.role)
    raise MemberUnknown


def _person_id(request: HttpRequest) -> int:
    """Return who calls, with a key that does all that they may; a team never gets here."""
    spend_limit.check_own(api_key_id=caller_key(request), hold_key_id=None)
    return caller(request).pk
