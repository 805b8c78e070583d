"""This will say what each role in a team may do, and who may give or take it.

A role is a set of scopes, so that one rule holds for pages, for programs and for keys.
"""

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum

from marketplace.domain.scope import READS, Scope, allows
from marketplace.domain.text import TextRefused, one_line

NAME_LENGTH_MAX = 40
#: of one team
MEMBERS_MAX, INVITATIONS_MAX = 50, 20
#: of one person
TEAMS_MAX = 20
INVITATION_LASTS = timedelta(days=7)
#: in a name that a letter to a stranger begins with
_LEADS_AWAY = ("/", "@", "www.")


class Role(StrEnum):
    """A row in the database is named so; never rename one."""

    OWNER = "owner"
    MANAGER = "manager"
    MEMBER = "member"
    BILLING = "billing"


#: none of them hosts: a machine is somebody's, who answers for it
SCOPES: Mapping[Role, frozenset[Scope]] = {
    Role.OWNER: frozenset({Scope.RENTALS_WRITE, Scope.MONEY_WRITE, Scope.ACCOUNT_WRITE}),
    Role.MANAGER: frozenset({Scope.RENTALS_WRITE, Scope.MONEY_READ, Scope.ACCOUNT_WRITE}),
    Role.MEMBER: frozenset(
        {Scope.RENTALS_WRITE, Scope.MONEY_READ, Scope.KEYS_WRITE, Scope.ACCOUNT_READ}
    ),
    Role.BILLING: frozenset({Scope.MONEY_WRITE, Scope.ACCOUNT_READ}),
}
#: what a role is for, in the words of the page that gives it
MEANING = {
    Role.OWNER: "everything: people, roles, money, machines, and closing the team",
    Role.MANAGER: "rents, makes API keys and web hooks, sees the money, lets members in and out",
    Role.MEMBER: "rents and uses machines, adds SSH keys, sees the money",
    Role.BILLING: "pays in, sets limits, reads invoices; no machines",
}
#: the first part of a page's address, and its area; of the others each page is the person's own
AREAS = {
    **dict.fromkeys(("rentals", "volumes", "endpoints", "templates"), "rentals"),
    "keys": "keys",
    **dict.fromkeys(("api-keys", "notices", "web-hooks"), "account"),
    "money": "money",
    "host": "host",
}
#: what everybody may read; to send something there is to rent
OPEN = frozenset({"", "offers", "machines", "scores", "command-line"})


def is_persons(path: str) -> bool:
    """Say whether a page is nothing of a team's: log-in, teams, console, the agent to install."""
    first = _first(path)
    return first not in AREAS and first not in OPEN


def page_needs(method: str, path: str) -> Scope | None:
    """Return what a page of the market asks of a role. None: nothing."""
    first, reads = _first(path), method in READS
    if first in OPEN:
        if not reads:
            return Scope.RENTALS_WRITE
        # Its form begins with what the team keeps: templates and what is in them, keys, rentals.
        return Scope.RENTALS_READ if path.rstrip("/").endswith("/rent") else None
    return Scope(f"{AREAS[first]}:{'read' if reads else 'write'}")


def may(role: Role, asked: Scope | None) -> bool:
    """Say whether somebody with this role may do it in the team's name."""
    return allows(SCOPES[role], asked)


def may_change(by: Role, *, before: Role | None, after: Role | None) -> bool:
    """Say whether somebody with the role ``by`` makes somebody's role this one.

    None: they are no member. Owners do everything; who else may lets people in and out whose role
    holds less than their own, so that nobody gets by another account what theirs has not.
    """
    if by is Role.OWNER:
        return True
    touched = {one for one in (before, after) if one is not None}
    return may(by, Scope.ACCOUNT_WRITE) and all(_below(one, by) for one in touched)


def name_fault(name: str) -> str:
    """Return what is wrong with a team's name, in a sentence; empty: nothing.

    Strangers read it in a letter, so it is one line that leads nowhere.
    """
    if not name.strip():
        return "Give the team a name."
    if len(name) > NAME_LENGTH_MAX:
        return f"A team's name has at most {NAME_LENGTH_MAX} characters."
    try:
        one_line(name)
    except TextRefused as refused:
        return refused.detail
    if any(part in name.lower() for part in _LEADS_AWAY):
        return "A team's name may look like no address: leave out slashes, @ and www."
    return ""


def _below(role: Role, by: Role) -> bool:
    return SCOPES[role] != SCOPES[by] and all(allows(SCOPES[by], one) for one in SCOPES[role])


def _first(path: str) -> str:
    return path.strip("/").partition("/")[0]
