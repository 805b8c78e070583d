"""This will take a machine off the market, with a reason that its host reads, and put it back.

Nothing new begins on a banned machine. What runs there goes on, as on any machine that is banned,
unless staff end it: that is an act of its own, as renters lose the files that they have there.
"""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from marketplace.console.staff import Staff
from marketplace.domain.oversight import ActKind, Right
from marketplace.domain.problem import Refused
from marketplace.machines.models import Machine
from marketplace.notices.actions.notify import notify
from marketplace.offers.actions import refresh
from marketplace.one_by_one import one_by_one
from marketplace.placements import queries as placements
from marketplace.placements.actions.request_end import request_end
from marketplace.verification.actions import ban as verification
from marketplace.verification.models import MachineStanding
from protocol.agent import Want

#: of one act; staff can do it again
ENDED_MAX = 500
#: why their rentals end, as renters read it
CODE, SENTENCE = "machine_banned", "Staff of the site banned the machine and ended what ran there."


class NoSuchMachine(Refused):
    code = "not_found"
    status = 404
    sentence = "There is no such machine."


class NothingThere(Refused):
    code = "nothing_to_end"
    status = 409
    sentence = "Nothing runs on this machine."


def ban_machine(*, by: Staff, machine_id: UUID, reason: str, now: datetime) -> None:
    """Let nothing new begin there, at once; what runs goes on.

    :raises NotYourRole: when they who ask may not.
    :raises NoSuchMachine: when there is none.
    :raises OwnCase: when it is theirs.
    :raises ReasonUnfit: when no reason is given, or too long a one.
    :raises TextRefused: when it shows something else than it says.
    :raises MachineBannedAlready: when it is banned, by validators or by staff.
    """
    machine = _of_others(by, machine_id)
    words = by.words(reason)
    with transaction.atomic():
        act = _keep(by, machine, ActKind.BAN_MACHINE, words, now)
        verification.ban(machine_id=machine_id, reason=words, now=now)
        refresh.refresh(machine_id=machine_id, now=now)
        notify(
            user_id=machine.host_id,
            kind="machine_banned",
            cause=f"machine-ban:{act}",
            title=f"Your machine {str(machine_id)[:8]} is banned",
            text=f"{words} It takes nobody new; who rents there goes on unless you are told"
            " otherwise. If this is wrong, or mended, appeal on the machine's page.",
            data={"url": f"/host/machines/{machine_id}/"},
            now=now,
        )


def lift_machine(*, by: Staff, machine_id: UUID, reason: str, now: datetime) -> None:
    """Undo a ban by staff: its offer is back once validators looked at the machine anew.

    :raises NotYourRole: when they who ask may not.
    :raises NoSuchMachine: when there is none.
    :raises OwnCase: when it is theirs.
    :raises ReasonUnfit: when no reason is given, or too long a one.
    :raises TextRefused: when it shows something else than it says.
    :raises MachineNotBanned: when staff did not ban it.
    """
    machine = _of_others(by, machine_id)
    with transaction.atomic():
        act = _keep(by, machine, ActKind.LIFT_MACHINE, reason, now)
        verification.lift(machine_id=machine_id, now=now)
        refresh.refresh(machine_id=machine_id, now=now)
        notify(
            user_id=machine.host_id,
            kind="machine_restored",
            cause=f"machine-ban-lifted:{act}",
            title=f"The ban of your machine {str(machine_id)[:8]} is lifted",
            text="Validators look at it anew, and then it is offered as before.",
            data={"url": f"/host/machines/{machine_id}/"},
            now=now,
        )


def end_there(*, by: Staff, machine_id: UUID, reason: str, now: datetime) -> int:
    """Return how many placements of a banned machine end now; stopped ones lose their files too.

    Call it outside a transaction: each ends in one of its own, and what is left is ended by doing
    it again.

    :raises NotYourRole: when they who ask may not.
    :raises NoSuchMachine: when there is none.
    :raises OwnCase: when it is theirs.
    :raises ReasonUnfit: when no reason is given, or too long a one.
    :raises TextRefused: when it shows something else than it says.
    :raises MachineNotBanned: when nobody banned it.
    :raises NothingThere: when nothing runs there.
    """
    machine = _of_others(by, machine_id)
    live = placements.live(machine_id).exclude(want=Want.END)
    ids = list(live.values_list("id", flat=True)[:ENDED_MAX])
    with transaction.atomic():
        banned = MachineStanding.objects.select_for_update().filter(
            machine_id=machine_id, banned_at__isnull=False
        )
        if not banned.exists():
            raise verification.MachineNotBanned
        if not ids:
            raise NothingThere
        _keep(by, machine, ActKind.END_THERE, reason, now, ended=len(ids))
    done = one_by_one(
        ids,
        lambda each: request_end(placement_id=each, reason_code=CODE, reason=SENTENCE, now=now),
        failed="Placement on a banned machine not ended",
        most=ENDED_MAX,
    )
    return len(done)


def _of_others(by: Staff, machine_id: UUID) -> Machine:
    by.must(Right.INTERVENE)
    machine = Machine.objects.filter(id=machine_id).first()
    if machine is None:
        raise NoSuchMachine
    by.must_not_be(machine.host_id)
    return machine


def _keep(
    by: Staff, machine: Machine, kind: ActKind, reason: str, now: datetime, **after: object
) -> int:
    banned = kind is not ActKind.LIFT_MACHINE
    act = by.acted(
        kind,
        subject=f"machine {machine.id}",
        reason=reason,
        person_id=machine.host_id,
        after={"banned": banned, **after},
        now=now,
    )
    return act.pk
