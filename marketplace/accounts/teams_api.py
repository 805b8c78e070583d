"""This will serve people's teams over the REST API; rentals/team_changes_api.py changes them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from django.http import HttpRequest
from django.utils import timezone
from ninja import Path, Router, Schema

from marketplace.accounts import teams as found
from marketplace.accounts.bearer import ApiKeyBearer, caller
from marketplace.accounts.models import Invitation, Membership
from marketplace.domain.team import SCOPES, Role

router = Router(tags=["account"], auth=ApiKeyBearer())
#: of an account, as the database counts them
AccountId = Annotated[int, Path(ge=1, lt=1 << 63)]


class TeamReply(Schema):
    #: what the header Berth-Team names
    id: int
    name: str
    #: of yours in it
    role: Role
    #: what it holds; to write includes to read
    scopes: list[str]

    @classmethod
    def of(cls, one: Membership) -> Self:
        """Return a membership as its person reads it."""
        role = Role(one.role)
        scopes = sorted(scope.value for scope in SCOPES[role])
        return cls(id=one.team_id, name=one.team.team_name, role=role, scopes=scopes)


class MemberReply(Schema):
    #: what changes of their role name
    id: int
    email: str
    role: Role
    since: datetime

    @classmethod
    def of(cls, one: Membership) -> Self:
        """Return somebody in a team as the others read them."""
        return cls(id=one.person_id, email=one.person.email, role=Role(one.role), since=one.since)


class InvitationReply(Schema):
    id: UUID
    team_id: int
    team: str
    #: to whom
    email: str
    role: Role
    #: who wrote it
    by: str
    expires_at: datetime

    @classmethod
    def of(cls, one: Invitation) -> Self:
        """Return an invitation as who gives it and who gets it read it."""
        return cls(
            id=one.pk,
            team_id=one.team_id,
            team=one.team.team_name,
            email=one.email,
            role=Role(one.role),
            by=one.invited_by.email,
            expires_at=one.expires_at,
        )


@router.get("/teams", response=list[TeamReply])
def teams(request: HttpRequest) -> Sequence[TeamReply]:
    """List your teams; a key of yours acts for one with the header Berth-Team."""
    mine = found.teams(caller(request).pk)
    return [TeamReply.of(one) for one in mine if one.team.is_active]


@router.get("/teams/{team_id}/members", response=list[MemberReply])
def members(request: HttpRequest, team_id: AccountId) -> Sequence[MemberReply]:
    """List who is in a team of yours, oldest first: 50 at most."""
    found.acting(caller(request).pk, team_id)
    return [MemberReply.of(one) for one in found.members(team_id)]


@router.get("/invitations", response=list[InvitationReply])
def invitations_to_you(request: HttpRequest) -> Sequence[InvitationReply]:
    """List what you are invited into, by an address that you have proven: 50 at most."""
    mine = found.invitations_to(caller(request).pk, timezone.now())
    return [InvitationReply.of(one) for one in mine]
