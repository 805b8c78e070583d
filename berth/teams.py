"""This will list a person's teams, choose the one that calls are for, and change who is in them."""

from datetime import datetime
from uuid import UUID

from berth.exchange import Call, Exchange
from berth.problem import Refused
from berth.reading import read
from berth.shapes import Shape

#: names the team that a call is for
HEADER = "Berth-Team"


class Team(Shape):
    #: what the header says
    id: int
    name: str
    #: of whoever asks in it: owner, manager, member or billing
    role: str
    #: what it holds, such as rentals:write
    scopes: tuple[str, ...] = ()


class Member(Shape):
    id: int
    email: str
    role: str
    since: datetime


class Invitation(Shape):
    id: UUID
    team_id: int
    team: str
    #: to whom
    email: str
    role: str
    #: who wrote it
    by: str
    expires_at: datetime


class Teams:
    """The teams of whoever calls."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def all(self) -> tuple[Team, ...]:
        """Return them, the one joined first first."""
        return read(tuple[Team, ...], self._exchange.send(Call("GET", "/teams", repeatable=True)))

    def find(self, typed: str) -> Team:
        """Return the one with this number or name.

        :raises Refused: ``team_unknown`` or ``ambiguous``.
        """
        mine = self.all()
        found = [one for one in mine if str(one.id) == typed]
        found = found or [one for one in mine if one.name.casefold() == typed.casefold()]
        if len(found) > 1:
            raise Refused("ambiguous", f"{len(found)} teams are called {typed!r}; name its number.")
        if not found:
            raise Refused("team_unknown", f"You are in no team {typed!r}. See: berth teams")
        return found[0]

    def members(self, team_id: int) -> tuple[Member, ...]:
        """Return who is in it, the one joined first first."""
        asked = Call("GET", f"/teams/{team_id}/members", repeatable=True)
        return read(tuple[Member, ...], self._exchange.send(asked))

    def member(self, team_id: int, typed: str) -> Member:
        """Return who has this number or address in it.

        :raises Refused: ``not_found``.
        """
        wanted = typed.casefold()
        for one in self.members(team_id):
            if wanted in (str(one.id), one.email.casefold()):
                return one
        see = f"berth team members {team_id}"
        raise Refused("not_found", f"Nobody in the team is {typed!r}. See: {see}")

    def invitations(self, team_id: int) -> tuple[Invitation, ...]:
        """Return those into a team that can still be taken."""
        asked = Call("GET", f"/teams/{team_id}/invitations", repeatable=True)
        return read(tuple[Invitation, ...], self._exchange.send(asked))

    def invited(self) -> tuple[Invitation, ...]:
        """Return those to whoever asks."""
        asked = Call("GET", "/invitations", repeatable=True)
        return read(tuple[Invitation, ...], self._exchange.send(asked))

    def invite(self, team_id: int, *, email: str, role: str) -> Invitation:
        """Return the invitation; each writes a letter, so it is asked for once."""
        body = {"email": email, "role": role}
        asked = Call("POST", f"/teams/{team_id}/invitations", body=body)
        return read(Invitation, self._exchange.send(asked))

    def take_back(self, team_id: int, invitation_id: UUID) -> None:
        """End an invitation."""
        self._exchange.send(Call("DELETE", f"/teams/{team_id}/invitations/{invitation_id}"))

    def set_role(self, team_id: int, person_id: int, role: str) -> Member:
        """Give somebody in it another role."""
        path = f"/teams/{team_id}/members/{person_id}"
        asked = Call("PATCH", path, body={"role": role}, repeatable=True)
        return read(Member, self._exchange.send(asked))

    def remove(self, team_id: int, person_id: int) -> None:
        """Let somebody go."""
        self._exchange.send(Call("DELETE", f"/teams/{team_id}/members/{person_id}"))

    def leave(self, team_id: int) -> None:
        """Leave it."""
        self._exchange.send(Call("POST", f"/teams/{team_id}/leave"))

    def accept(self, invitation_id: UUID) -> Team:
        """Go into the team."""
        return read(Team, self._exchange.send(Call("POST", f"/invitations/{invitation_id}/accept")))

    def decline(self, invitation_id: UUID) -> None:
        """End an invitation to whoever asks."""
        self._exchange.send(Call("POST", f"/invitations/{invitation_id}/decline"))
