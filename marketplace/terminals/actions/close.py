"""This will close a terminal, and take its key away once it has served."""

import logging
from datetime import datetime
from uuid import UUID

from django.db import transaction

from marketplace.placements.actions.admit import turn_away
from marketplace.terminals.models import TerminalSession

logger = logging.getLogger(__name__)


def spend_key(*, session_id: UUID) -> None:
    """Let the terminal's key log in no more: it has, or never will. Twice is as once."""
    with transaction.atomic():
        session = TerminalSession.objects.select_related("rental").get(id=session_id)
        if not session.admitted:
            return
        turn_away(placement_id=session.rental.placement_id, line=session.admitted)
        TerminalSession.objects.filter(id=session_id).update(admitted="")


def close(*, session_id: UUID, code: str, now: datetime) -> None:
    """Note that the terminal is over and why: a key of domain.terminal.END."""
    with transaction.atomic():
        spend_key(session_id=session_id)
        session = TerminalSession.objects.filter(id=session_id, ended_at=None)
        if session.update(ended_at=now, end_code=code):
            logger.info("Terminal closed", extra={"terminal_id": session_id, "reason": code})
