"""This will take a host's word against what its machine stands as, and the operator's answer."""

import logging
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from marketplace.domain.problem import Refused
from marketplace.domain.standing import MEANING, StandingState
from marketplace.domain.text import lines
from marketplace.machines.actions.name_hotkey import MachineNotYours
from marketplace.machines.models import Machine
from marketplace.verification import queries
from marketplace.verification.actions import note
from marketplace.verification.models import WORDS_MAX, Appeal, MachineStanding

logger = logging.getLogger(__name__)
#: after one that was refused
AGAIN = timedelta(days=1)


class AppealWordless(Refused):
    code = "appeal_wordless"
    status = 422
    sentence = f"Say what is wrong or what you mended, in 1 to {WORDS_MAX} characters."


class NothingToAppeal(Refused):
    code = "nothing_to_appeal"
    status = 409
    sentence = "Only a suspended or banned machine can be appealed for; do what the reasons say."


class AppealOpen(Refused):
    code = "appeal_open"
    status = 409
    sentence = "An appeal for this machine waits for its answer already."


class AppealedLately(Refused):
    code = "appealed_lately"
    status = 409
    sentence = "An appeal for this machine was refused within the last 24 hours; wait a day."


class AppealUnknown(Refused):
    code = "not_found"
    status = 404
    sentence = "No appeal for this machine waits for an answer."


def appeal(*, host_id: int, machine_id: UUID, text: str, now: datetime) -> Appeal:
    """Return the host's open appeal; the same words twice are one.

    :raises MachineNotYours: when the host has no such machine.
    :raises AppealWordless: when it says nothing, or too much.
    :raises TextRefused: when it shows something else than it says.
    :raises AppealOpen: when one with other words waits.
    :raises NothingToAppeal: when the machine is neither suspended nor banned.
    :raises AppealedLately: when one was refused less than a day ago.
    """
    words = lines(text)
    if not 1 <= len(words) <= WORDS_MAX:
        raise AppealWordless
    mine = Machine.objects.filter(id=machine_id, host_id=host_id)
    if not mine.exists():
        raise MachineNotYours
    with transaction.atomic():
        note.lock(machine_id, now)
        newest = Appeal.objects.filter(machine_id=machine_id).order_by("-made_at", "id").first()
        if newest is not None and newest.answered_at is None:
            if newest.text != words:
                raise AppealOpen
            return newest
        state = queries.standings([machine_id], now)[machine_id].state
        if not MEANING[state].appealable:
            raise NothingToAppeal
        if newest is not None and not newest.granted and _was_answered_lately(newest, now):
            raise AppealedLately
        made = Appeal.objects.create(machine_id=machine_id, text=words, made_at=now)
        note.tell(machine_id, state, f"You appealed: {words}", now=now)
    logger.info("Appeal made", extra={"machine_id": machine_id})
    return made


def answer(*, machine_id: UUID, granted: bool, words: str, now: datetime) -> Appeal:
    """Return the machine's appeal, answered.

    One that is granted ends a ban, makes every word before void, and asks for a fresh proof.

    :raises AppealWordless: when the answer gives no reason, or is too long.
    :raises TextRefused: when it shows something else than it says.
    :raises AppealUnknown: when no appeal waits.
    """
    told = lines(words)
    if not 1 <= len(told) <= WORDS_MAX:
        raise AppealWordless
    with transaction.atomic():
        note.lock(machine_id, now)
        waiting = Appeal.objects.filter(machine_id=machine_id, answered_at=None)
        found = waiting.first()
        if found is None:
            raise AppealUnknown
        waiting.update(answered_at=now, granted=granted, answer=told)
        if granted:
            MachineStanding.objects.filter(machine_id=machine_id).update(
                banned_at=None, ban_reason="", fresh_since=now
            )
        _tell(machine_id, granted=granted, words=told, now=now)
    logger.warning("Appeal answered", extra={"machine_id": machine_id, "granted": granted})
    found.refresh_from_db()
    return found


def _was_answered_lately(appeal: Appeal, now: datetime) -> bool:
    return appeal.answered_at is not None and now - appeal.answered_at < AGAIN


def _tell(machine_id: UUID, *, granted: bool, words: str, now: datetime) -> None:
    standings = queries.standings([machine_id], now)
    outcome = "granted, and the machine is proven anew" if granted else "refused"
    state: StandingState = standings[machine_id].state
    note.tell(machine_id, state, f"Your appeal is {outcome}: {words}", now=now)
    note.note(standings, now=now)
