"""This will answer a host's appeal for a machine."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from marketplace.console.staff import Staff
from marketplace.domain.oversight import ActKind, Right
from marketplace.machines.models import Machine
from marketplace.verification.actions.appeal import answer


def answer_appeal(
    *, by: Staff, machine_id: UUID, granted: bool, reason: str, now: datetime
) -> None:
    """Grant it, which ends a ban and has the machine proven anew, or refuse it; its host reads why.

    :raises NotYourRole: when they who ask may not.
    :raises OwnCase: when the machine is theirs.
    :raises AppealWordless: when the answer gives no reason, or is too long.
    :raises AppealUnknown: when no appeal waits.
    """
    by.must(Right.SETTLE)
    by.must_not_be(*Machine.objects.filter(id=machine_id).values_list("host_id", flat=True))
    with transaction.atomic():
        answered = answer(machine_id=machine_id, granted=granted, words=reason, now=now)
        by.acted(
            ActKind.ANSWER_APPEAL,
            subject=f"machine {machine_id}",
            reason=reason,
            person_id=answered.machine.host_id,
            after={"granted": granted},
            now=now,
        )
