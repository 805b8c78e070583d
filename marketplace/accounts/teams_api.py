"""This will serve people's teams over the REST API; the web page changes them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Self

from django.http import HttpRequest
from ninja import Router, Schema

from marketplace.accounts import teams as found
from marketplace.accounts.bearer import ApiKeyBearer, caller
from marketplace.accounts.models import Membership
from marketplace.domain.team import SCOPES, Role

router = Router(tags=["account"], auth=ApiKeyBearer())


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
    email: str
    role: Role
    since: datetime


@router.get("/teams", response=list[TeamReply])
def teams(request: HttpRequest) -> Sequence[TeamReply]:
    """List your teams; a key of yours acts for one with the header Berth-Team."""
    mine = found.teams(caller(request).pk)
    return [TeamReply.of(one) for one in mine if one.team.is_active]


@router.get("/teams/{team_id}/members", response=list[MemberReply])
def members(request: HttpRequest, team_id: int) -> Sequence[MemberReply]:
    """List who is in a team of yours."""
    found.acting(caller(request).pk, team_id)
    return [
        MemberReply(email=one.person.email, role=Role(one.role), since=one.since)
        for one in found.members(team_id)
    ]
