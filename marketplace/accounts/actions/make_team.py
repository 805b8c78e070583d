"""This will make a team, whose first owner is whoever makes it, and name it anew."""

from datetime import datetime, timedelta
from uuid import uuid4

from django.db import transaction

from marketplace.accounts.actions.count_attempt import Limit, count
from marketplace.accounts.actions.lock_team import lock
from marketplace.accounts.actions.note_team_event import note
from marketplace.accounts.models import Membership, User
from marketplace.accounts.teams import NOWHERE, RoleMissing
from marketplace.domain.problem import Refused
from marketplace.domain.team import TEAMS_MAX, Role, name_fault
from marketplace.domain.text import plain

MADE = Limit("make a team", 5, timedelta(days=1))


class TeamNameMalformed(Refused):
    code = "invalid"
    status = 422


class TooManyTeams(Refused):
    code = "too_many_teams"
    status = 409
    sentence = f"You are in {TEAMS_MAX} teams; leave or close one first."


def make(*, person_id: int, name: str, now: datetime) -> User:
    """Return a new team that this person owns.

    :raises TeamNameMalformed: when it cannot be called so.
    :raises TooManyTeams: when they are in as many as may be.
    :raises TooManyAttempts: when they made several today.
    """
    called = checked(name)
    with transaction.atomic():
        # Two forms at once count one after the other.
        person = User.objects.select_for_update(no_key=True).get(pk=person_id, team_name="")
        check_room(person.pk)
        count(limit=MADE, subject=str(person.pk), now=now)
        team = User.objects.create_user(f"{uuid4()}@{NOWHERE}", team_name=called, date_joined=now)
        Membership.objects.create(team=team, person=person, role=Role.OWNER, since=now)
        note(team_id=team.pk, by_id=person.pk, kind="made", about=called, now=now)
    return team


def rename(*, by_id: int, team_id: int, name: str, now: datetime) -> None:
    """Call the team so from now on.

    :raises TeamUnknown: when they are not in it.
    :raises RoleMissing: when they do not own it.
    :raises TeamNameMalformed: when it cannot be called so.
    """
    called = checked(name)
    with transaction.atomic():
        locked = lock(team_id=team_id, by_id=by_id)
        if locked.role is not Role.OWNER:
            raise RoleMissing("Only an owner names the team.")
        User.objects.filter(pk=team_id).update(team_name=called)
        note(team_id=team_id, by_id=by_id, kind="renamed", about=called, now=now)


def checked(name: str) -> str:
    """Return the name as it is kept.

    :raises TeamNameMalformed: when a team cannot be called so.
    """
    called = " ".join(part for part in plain(name).split(" ") if part)
    if fault := name_fault(called):
        raise TeamNameMalformed(fault)
    return called


def check_room(person_id: int) -> None:
    """Accept a person who may be in one team more.

    :raises TooManyTeams: when they are in as many as may be.
    """
    if Membership.objects.filter(person_id=person_id).count() >= TEAMS_MAX:
        raise TooManyTeams
