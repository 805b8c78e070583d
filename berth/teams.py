"""This will list a person's teams, and choose the one that calls are for."""

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
