"""This will ban a machine by the word of staff, and lift such a ban.

It takes renters and no points: those follow from what validators say, which anybody can check.
"""

import logging
from datetime import datetime
from uuid import UUID

from marketplace.domain.problem import Refused
from marketplace.domain.standing import StandingState
from marketplace.verification import queries
from marketplace.verification.actions import note
from marketplace.verification.models import MachineStanding

logger = logging.getLogger(__name__)


class MachineBannedAlready(Refused):
    code = "banned_already"
    status = 409
    sentence = "This machine is banned already."


class MachineNotBanned(Refused):
    code = "not_banned"
    status = 409
    sentence = "Staff did not ban this machine; what validators banned is ended by an appeal."


def ban(*, machine_id: UUID, reason: str, now: datetime) -> None:
    """Let nothing new begin on the machine, whatever validators say; its host reads the reason.

    Call it in a transaction.

    :raises MachineBannedAlready: when it is banned, whoever banned it.
    """
    noted = note.lock(machine_id, now)
    if noted.banned_at is not None:
        raise MachineBannedAlready
    MachineStanding.objects.filter(machine_id=machine_id).update(
        banned_at=now, ban_reason=reason, state=StandingState.BANNED, since=now
    )
    text = f"Staff of the site banned it: {reason}"
    note.tell(machine_id, StandingState.BANNED, text, now=now)
    logger.warning("Machine banned by staff", extra={"machine_id": machine_id})


def lift(*, machine_id: UUID, now: datetime) -> None:
    """Undo a ban by staff. As after a granted appeal, the machine is proven anew.

    Where the validators ban it as well by now, theirs stands. Call it in a transaction.

    :raises MachineNotBanned: when no ban by staff stands.
    """
    noted = note.lock(machine_id, now)
    if noted.banned_at is None or not noted.ban_reason:
        raise MachineNotBanned
    mine = MachineStanding.objects.filter(machine_id=machine_id)
    if queries.standings([machine_id], now)[machine_id].spoken is StandingState.BANNED:
        mine.update(ban_reason="")
        text = "Staff of the site lifted their ban; that of the validators stands."
        note.tell(machine_id, StandingState.BANNED, text, now=now)
        return
    # Else the same machine under another key would have this one banned again (hold_ban.py).
    mine.update(banned_at=None, ban_reason="", fresh_since=now)
    standings = queries.standings([machine_id], now)
    text = "Staff of the site lifted the ban, and the machine is proven anew."
    note.tell(machine_id, standings[machine_id].state, text, now=now)
    note.note(standings, now=now)
    logger.warning("Ban by staff lifted", extra={"machine_id": machine_id})
