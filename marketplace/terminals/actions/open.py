"""This will open a terminal: it is counted, and its key may log in to the rental for a moment."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from marketplace.accounts.actions.count_attempt import Limit, count
from marketplace.accounts.actions.note_team_event import note
from marketplace.accounts.models import User
from marketplace.domain.problem import Refused
from marketplace.domain.terminal import (
    OPEN_A_PERSON_MAX,
    OPEN_A_RENTAL_MAX,
    OPEN_A_TEAM_MAX,
    OPEN_A_TEAMS_RENTAL_MAX,
)
from marketplace.placements.actions.admit import admit
from marketplace.placements.actions.extend_funding import PlacementEnding
from marketplace.rentals import queries as rentals
from marketplace.rentals.rental_view import RentalView
from marketplace.terminals import queries
from marketplace.terminals.models import TerminalSession

#: each costs the machine a change of what is desired of it
OPENED = Limit(name="terminal", attempts_max=120, window=timedelta(hours=1))
OPENED_FOR_TEAM = Limit(name="team terminal", attempts_max=480, window=timedelta(hours=1))
#: of OpenSSH: a terminal and nothing else, no forwarding of any kind
RESTRICTED = "restrict,pty"


class NotOpen(Refused):
    """Nobody could log in to the rental now."""

    code = "not_ready"
    status = 409
    sentence = "The rental's SSH is not open now, so there is nothing to log in to."


class TooManyTerminals(Refused):
    """So many are open already."""

    code = "too_many_terminals"
    status = 409


@dataclass(frozen=True, slots=True)
class Opened:
    """A terminal, and where it logs in."""

    session_id: UUID
    host: str
    port: int
    user: str
    #: ``ssh-ed25519 AAAA...``, as the machine told it
    host_key: str


def ask(*, rental_id: UUID, renter_id: int, person_id: int, now: datetime) -> None:
    """Count that somebody asks for a terminal of this rental, for themselves or their team.

    :raises RentalUnknown: when this renter has no such rental.
    :raises NotOpen: when it has no open SSH door.
    :raises TooManyAttempts: when they, or all of their team, asked for too many of late.
    """
    _door(rental_id, renter_id, now)
    count(limit=OPENED, subject=str(person_id), now=now)
    if person_id != renter_id:
        count(limit=OPENED_FOR_TEAM, subject=str(renter_id), now=now)


def open_session(
    *, rental_id: UUID, renter_id: int, person_id: int, public_key: str, now: datetime
) -> Opened:
    """Note a terminal and who opened it, and let its key log in.

    ``person_id``: who sits before it; ``renter_id`` too, or somebody of that team.
    ``public_key``: ``ssh-ed25519 AAAA...``; the private one is in no database.

    :raises RentalUnknown: when this renter has no such rental.
    :raises NotOpen: when it has no open SSH door.
    :raises TooManyTerminals: when as many are open as may be, in it, of this person or their team.
    """
    rental, port = _door(rental_id, renter_id, now)
    line = f"{RESTRICTED} {public_key}"
    with transaction.atomic():
        # So that two at once are counted one after the other. Not as a key of others' rows.
        both = User.objects.select_for_update(no_key=True).filter(pk__in={renter_id, person_id})
        list(both.order_by("pk").values("pk"))
        _check_room(rental_id, renter_id, person_id, now)
        try:
            admit(placement_id=rental.placement_id, line=line)
        except PlacementEnding as refused:
            raise NotOpen(str(refused)) from None
        # After the machine's lock: this one shares the rental's row, which others lock behind it.
        session = TerminalSession.objects.create(
            rental_id=rental_id,
            user_id=renter_id,
            person_id=None if person_id == renter_id else person_id,
            admitted=line,
            opened_at=now,
            seen_at=now,
        )
        if session.person_id is not None:
            # Its owners read whose shell it was, also once the session is forgotten.
            note(
                team_id=renter_id,
                by_id=session.person_id,
                kind="terminal",
                about=str(rental_id),
                now=now,
            )
    return Opened(
        session_id=session.id,
        host=rental.ssh_host,
        port=port,
        user=rental.ssh_user,
        host_key=rental.ssh_host_key,
    )


def _door(rental_id: UUID, renter_id: int, now: datetime) -> tuple[RentalView, int]:
    rental = rentals.view(rental_id, renter_id, now)
    if not rental.ssh_command or rental.ssh_port is None or not rental.ssh_host_key:
        raise NotOpen
    return rental, rental.ssh_port


def _check_room(rental_id: UUID, renter_id: int, person_id: int, now: datetime) -> None:
    opened = queries.open_ones(now)
    own = queries.of_person(opened, person_id)
    if own.filter(rental_id=rental_id).count() >= OPEN_A_RENTAL_MAX:
        raise TooManyTerminals(
            f"{OPEN_A_RENTAL_MAX} terminals of yours are open in this rental; close one first."
        )
    if own.count() >= OPEN_A_PERSON_MAX:
        raise TooManyTerminals(f"You have {OPEN_A_PERSON_MAX} terminals open; close one first.")
    if person_id == renter_id:
        return
    teams = opened.filter(user_id=renter_id)
    if teams.filter(rental_id=rental_id).count() >= OPEN_A_TEAMS_RENTAL_MAX:
        raise TooManyTerminals(
            f"Your team has {OPEN_A_TEAMS_RENTAL_MAX} terminals open in this rental; use ssh, or"
            " ask the others to close one."
        )
    if teams.count() >= OPEN_A_TEAM_MAX:
        raise TooManyTerminals(
            f"Your team has {OPEN_A_TEAM_MAX} terminals open; use ssh, or ask the others to close"
            " one."
        )
