"""This will prepare teams, their people and what was done in them for pages."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from marketplace.accounts.models import Invitation, Membership, TeamEvent, User
from marketplace.accounts.queries import is_deleted
from marketplace.accounts.teams import Acting
from marketplace.domain.team import MEANING, Role, may_change
from marketplace.pages.shown.moment import Moment

#: of events; {whom} and {about} are filled in
WORDS = {
    "made": "made the team {about}",
    "renamed": "named the team {about}",
    "invited": "invited somebody as {about}",
    "took_back": "took an invitation as {about} back",
    "joined": "joined as {about}",
    "role_set": "made {whom} {about}",
    "removed": "let {whom} go, who was {about}",
    "left": "left, and was {about}",
    "terminal": "opened a terminal in a browser",
}
#: the last part of an address that something was sent to, in words
SENT = {
    "rent": "rented a machine",
    "end": "ended a rental",
    "stop": "stopped a rental",
    "start": "started a rental",
    "extend": "extended a rental",
    "bid": "changed a bid",
    "forget": "removed an ended rental from the list",
    "restart": "restarted a rental",
    "reset": "reset a rental",
    "change": "changed a rental",
    "keys": "changed SSH keys",
    "api-keys": "made an API key",
    "revoke": "revoked an API key",
    "remove": "removed something",
    "money": "paid in",
    "card": "went to save a card",
    "saved": "saved a card to pay in by",
    "limits": "changed the spend limits",
    "web-hooks": "added a web hook",
    "invoices": "changed the billing details",
    "delete": "deleted something",
}
#: and of a program's
BY_PROGRAM = {
    "POST rentals": "rented a machine",
    "POST jobs": "began a job",
    "POST endpoints": "made an endpoint",
    "POST top-ups": "paid in",
    "POST ssh-keys": "added an SSH key",
    "POST web-hooks": "added a web hook",
    "PUT spend-limits": "changed the spend limits",
}


@dataclass(frozen=True, slots=True)
class Line:
    """One of somebody's teams."""

    id: int
    name: str
    role: str
    meaning: str
    url: str
    #: the person acts for it now
    chosen: bool
    closed: bool


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody in a team."""

    id: int
    name: str
    role: str
    since: Moment
    is_you: bool
    #: what whoever looks at it may make of them, with the present one
    roles: tuple[str, ...]
    may_remove: bool


@dataclass(frozen=True, slots=True)
class Open:
    """An invitation that can still be taken."""

    id: UUID
    email: str
    role: str
    by: str
    team: str
    until: Moment


@dataclass(frozen=True, slots=True)
class Done:
    """Something that was done."""

    by: str
    what: str
    at: Moment
    #: empty: nothing of it has a page
    url: str


def line(membership: Membership, chosen: int | None) -> Line:
    """Return a team as a line of the list."""
    role = Role(membership.role)
    return Line(
        id=membership.team_id,
        name=membership.team.team_name,
        role=role.value,
        meaning=MEANING[role],
        url=f"/teams/{membership.team_id}/",
        chosen=chosen == membership.team_id,
        closed=not membership.team.is_active,
    )


def people(members: Sequence[Membership], by: Acting) -> list[Person]:
    """Return who is in the team, as one of them sees it."""
    return [_person(one, by) for one in members]


def invitation(one: Invitation) -> Open:
    """Return an invitation."""
    return Open(
        id=one.pk,
        email=one.email,
        role=one.role,
        by=one.invited_by.email,
        team=one.team.team_name,
        until=Moment.of(one.expires_at),
    )


def given(role: Role) -> tuple[Role, ...]:
    """Return the roles that somebody with this one gives to others."""
    return tuple(one for one in Role if may_change(role, before=None, after=one))


def done(event: TeamEvent) -> Done:
    """Return what was done, in words."""
    if event.kind == "did":
        what, url = _sent(event.about)
    else:
        whom = _name(event.whom) if event.whom else ""
        what = WORDS[event.kind].format(whom=whom, about=event.about)
        url = f"/rentals/{event.about}/" if event.kind == "terminal" else ""
    return Done(by=_name(event.by), what=what, at=Moment.of(event.at), url=url)


def _person(member: Membership, by: Acting) -> Person:
    role = Role(member.role)
    roles = [one for one in Role if may_change(by.role, before=role, after=one)]
    is_you = member.person_id == by.person.pk
    return Person(
        id=member.person_id,
        name=_name(member.person),
        role=role.value,
        since=Moment.of(member.since),
        is_you=is_you,
        roles=tuple(one.value for one in roles),
        may_remove=not is_you and may_change(by.role, before=role, after=None),
    )


def _name(person: User) -> str:
    return "somebody whose account was deleted" if is_deleted(person) else person.email


def _sent(about: str) -> tuple[str, str]:
    """Return what ``POST /offers/…/rent /rentals/…/`` was, in words, and the page to look at."""
    method, path, *led = [*about.split(" "), ""][:3]
    parts = path.strip("/").split("/")
    if parts[:2] == ["api", "v1"]:
        made = led[0] if led else ""
        what = BY_PROGRAM.get(f"{method} {'/'.join(parts[2:])}", f"{method} /{'/'.join(parts[2:])}")
        rental = made or (parts[3] if parts[2:3] == ["rentals"] and len(parts) > 3 else "")
        is_rental = parts[2:3] == ["rentals"] and rental != ""
        return f"{what}, by a program", f"/rentals/{rental}/" if is_rental else ""
    what = SENT.get(parts[-1], f"sent the form {path}")
    pages = [one for one in (*led, path) if one.startswith("/rentals/") and one.count("/") > 2]
    return what, "/".join(pages[0].split("/")[:3]) + "/" if pages else ""
