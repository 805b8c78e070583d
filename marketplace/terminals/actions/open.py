"""This will open a terminal: it is counted, and its key may log in to the rental for a moment."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from marketplace.accounts.actions.count_attempt import Limit, count
from marketplace.accounts.models import User
from marketplace.domain.problem import Refused
from marketplace.domain.terminal import OPEN_A_PERSON_MAX, OPEN_A_RENTAL_MAX
from marketplace.placements.actions.admit import admit
from marketplace.placements.actions.extend_funding import PlacementEnding
from marketplace.rentals import queries as rentals
from marketplace.terminals import queries
from marketplace.terminals.models import TerminalSession

#: each costs the machine a change of what is desired of it
OPENED = Limit(name="terminal", attempts_max=120, window=timedelta(hours=1))
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


def ask(*, rental_id: UUID, renter_id: int, now: datetime) -> None:
    """Count that this renter asks for a terminal of this rental.

    :raises RentalUnknown: when this renter has no such rental.
    :raises NotOpen: when it has no open SSH door.
    :raises TooManyAttempts: when this renter asked for too many of late.
    """
    _door(rental_id, renter_id, now)
    count(limit=OPENED, subject=str(renter_id), now=now)


def open_session(*, rental_id: UUID, renter_id: int, public_key: str, now: datetime) -> Opened:
    """Note a terminal and let its key log in.

    ``public_key``: ``ssh-ed25519 AAAA...``; the private one is in no database.

    :raises RentalUnknown: when this renter has no such rental.
    :raises NotOpen: when it has no open SSH door.
    :raises TooManyTerminals: when as many are open as may be, in it or of this renter.
    """
    rental, port = _door(rental_id, renter_id, now)
    line = f"{RESTRICTED} {public_key}"
    with transaction.atomic():
        # So that two at once are counted one after the other. Not as a key of others' rows.
        User.objects.select_for_update(no_key=True).filter(pk=renter_id).values("pk").first()
        _check_room(rental_id, renter_id, now)
        try:
            admit(placement_id=rental.placement_id, line=line)
        except PlacementEnding as refused:
            raise NotOpen(str(refused)) from None
        # After the machine's lock: this one shares the rental's row, which others lock behind it.
        session = TerminalSession.objects.create(
            rental_id=rental_id, user_id=renter_id, admitted=line, opened_at=now, seen_at=now
        )
    return Opened(
        session_id=session.id,
        host=rental.ssh_host,
        port=port,
        user=rental.ssh_user,
        host_key=rental.ssh_host_key,
    )


def _door(rental_id: UUID, renter_id: int, now: datetime) -> tuple[rentals.RentalView, int]:
    rental = rentals.view(rental_id, renter_id, now)
    if not rental.ssh_command or rental.ssh_port is None or not rental.ssh_host_key:
        raise NotOpen
    return rental, rental.ssh_port


def _check_room(rental_id: UUID, renter_id: int, now: datetime) -> None:
    own = queries.open_ones(now).filter(user_id=renter_id)
    if own.filter(rental_id=rental_id).count() >= OPEN_A_RENTAL_MAX:
        raise TooManyTerminals(
            f"{OPEN_A_RENTAL_MAX} terminals of this rental are open; close one first."
        )
    if own.count() >= OPEN_A_PERSON_MAX:
        raise TooManyTerminals(f"You have {OPEN_A_PERSON_MAX} terminals open; close one first.")
