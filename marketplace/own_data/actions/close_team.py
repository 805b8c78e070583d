"""This will close a team, under the rules by which an account is deleted."""

from datetime import datetime

from django.db import transaction

from marketplace.accounts.actions import note_event
from marketplace.accounts.actions.lock_team import lock
from marketplace.accounts.models import AccountEvent
from marketplace.accounts.teams import RoleMissing, members
from marketplace.domain.team import Role
from marketplace.own_data.actions import delete_account


def close(*, by_id: int, team_id: int, now: datetime) -> None:
    """Close the team: nobody acts for it any more, and whoever was in it is told.

    :raises TeamUnknown: when whoever asks is not in it.
    :raises RoleMissing: when they do not own it.
    :raises AccountInUse: while something of it goes on.
    """
    with transaction.atomic():
        by = lock(team_id=team_id, by_id=by_id)
        if by.role is not Role.OWNER:
            raise RoleMissing("Only an owner closes the team.")
        told = f"{by.team.team_name}: {by.person.email} closed it"
        people = [one.person_id for one in members(team_id)]
        delete_account.delete(user_id=team_id, now=now)
        for person_id in people:
            kind = AccountEvent.Kind.TEAM_CHANGED
            note_event.note(user_id=person_id, kind=kind, about=told, now=now)
